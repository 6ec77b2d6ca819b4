"""A stage imports only from the stages before it; use never imports training."""

import ast
import subprocess
import sys
from pathlib import Path

import mdclaims

PACKAGE = Path(mdclaims.__file__).parent
# Each stage and the stages it may import from, itself apart.
STAGES = {
    "errors": set(),
    "labels": set(),
    "reading": {"errors"},
    "config": {"errors", "labels", "reading"},
    "language": {"errors", "labels", "config", "reading"},
    "model": {"errors", "labels", "config", "reading", "language"},
    "findings": {"errors", "labels", "config", "reading", "language", "model"},
    "reports": {"errors", "labels", "config", "reading", "language", "findings"},
    "cases": {"errors", "labels", "config", "reading", "language", "model", "findings", "reports"},
    "desk": {"errors", "labels", "config", "reading", "language", "model", "findings", "reports", "cases"},
    "cli": {"errors", "labels", "config", "reading", "language", "model", "findings", "reports", "cases", "desk"},
}
TRAINING = {
    "mdclaims.model.corpus",
    "mdclaims.model.training",
    "mdclaims.model.evaluation",
    "mdclaims.model.agreement",
    "mdclaims.model.figures",
}


def imports(path):
    """Yield the mdclaims modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "mdclaims":
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "mdclaims")


def modules():
    found = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__main__.py"]
    assert len(found) > 25
    return [(path, path.relative_to(PACKAGE).with_suffix("").parts) for path in found]


def test_layers_import_only_from_earlier_stages():
    checked = 0
    for path, parts in modules():
        if parts == ("__init__",):
            continue  # the public names, imported on first use
        stage = parts[0]
        for name in imports(path):
            other = [*name.split("."), ""][1]
            if other in STAGES and other != stage:
                assert other in STAGES[stage], f"{path.name} ({stage}) imports {name} ({other})"
                checked += 1
    assert checked > 50


def test_layers_use_never_imports_training():
    checked = 0
    for path, parts in modules():
        name = ".".join(("mdclaims", *parts))
        if parts[0] in {"reading", "language", "findings", "reports"} or name in {
            "mdclaims.model.features",
            "mdclaims.model.classifier",
            "mdclaims.model.persistence",
        }:
            assert not set(imports(path)) & TRAINING, path
            checked += 1
    assert checked > 15


def test_layers_checking_a_text_loads_no_training():
    script = (
        "import sys, mdclaims; mdclaims.load().screen_text('It relieves pain.');"
        f"print(sorted(set(sys.modules) & {TRAINING!r}))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
