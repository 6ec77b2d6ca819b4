"""``train``, ``evaluate`` and ``corpus``: the model and what it learns from."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mdclaims.cli.app import app, corpus_app, version_of_package
from mdclaims.cli.options import DebugOption, LabelFormat, Mode, ModelOption, TrustOption
from mdclaims.cli.output import number_of, save, talk, write
from mdclaims.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mdclaims.model.evaluation import Evaluation, Interval


@app.command("train")
def train_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Write the model folder into this folder.")
    ] = Path("models"),
    version: Annotated[
        str | None, typer.Option("--model-version", help="The model's version; default: the package's.")
    ] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Make it the shipped model: replace models/ and the pin in this checkout.")
    ] = False,
    vectors: Annotated[
        Path | None,
        typer.Option("--vectors", metavar="FILE", help="Word vectors to use; default: those of the shipped model."),
    ] = None,
    real_text: Annotated[
        Path | None,
        typer.Option(
            "--real-text", metavar="FILE", help="Show this result of `evaluate --json` on real pages in the model card."
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Train a model on the splits train and dev, measure it on test, and write its folder.

    The same corpus and versions give the same bytes.
    """
    from mdclaims.model.persistence import load_model
    from mdclaims.model.training import ship as ship_model
    from mdclaims.model.training import train, write_model
    from mdclaims.model.vectors import read_vectors

    words = read_vectors(vectors) if vectors else load_model().classifier.vectors
    trained = train(corpus, version=version or version_of_package(), vectors=words, real_text=real_text)
    name = f"{trained.meta['name']}-{trained.meta['version']}"
    if ship:
        talk(f"mdclaims: shipped {ship_model(trained, Path.cwd())}")
    else:
        digest = write_model(trained, output)
        talk(f"mdclaims: wrote {output / name}, sha256 {digest}")
    test = trained.meta["test"]
    typer.echo(f"macro-F1 on test, mode {test['mode']}: {test['macro_f1'][0]:.3f}")


@app.command("evaluate")
def evaluate_command(
    gold: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Annotated documents in the corpus format, pooled; with --case the filled sheets of a sample, one for "
            "each annotator, who is called by the file's name.",
        ),
    ],
    case: Annotated[
        Path | None,
        typer.Option("--case", metavar="CASE", help="Measure this case by sheets that export --sample wrote."),
    ] = None,
    mode: Annotated[
        Mode | None, typer.Option("--mode", "-m", help="Whose thresholds decide, by default those of balanced.")
    ] = None,
    end_to_end: Annotated[
        bool, typer.Option("--end-to-end", help="Also score from text to labels, splitting errors included.")
    ] = False,
    split: Annotated[
        str | None, typer.Option("--split", help="Only documents of this split (train, dev, test).")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the figures to this file as well.")
    ] = None,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure the model on annotated documents, beside two readers without a model, or on a sample of a case."""
    import json

    if case is not None:
        if mode is not None or end_to_end or split is not None or model is not None or trust_model:
            raise UsageError("--case measures what a case was screened with; of the other options it takes --json")
        _measure_case(case, gold, json_file)
        return
    sheets = [path for path in gold if path.suffix.lower() == ".xlsx"]
    if sheets:
        raise UsageError(f"{sheets[0]} is a spreadsheet; name the case that it is a sample of with --case")

    from mdclaims.model.corpus import SPLITS, read_corpus
    from mdclaims.model.evaluation import evaluate
    from mdclaims.model.persistence import load_model

    if split is not None and split not in SPLITS:
        raise UsageError(f"unknown split {split!r}; choose one of {', '.join(SPLITS)}")
    documents = [document for path in gold for document in read_corpus(path)]
    if split is not None:
        documents = [document for document in documents if document.split == split]
    if not documents:
        raise UsageError("no document to evaluate; check the files and --split")
    result = evaluate(
        documents,
        load_model(model, trust=trust_model).classifier,
        mode=(mode or Mode.balanced).value,
        end_to_end=end_to_end,
    )
    write(_evaluation_table(result))
    seen = sum(document.split in {"train", "dev"} for document in documents)
    if seen:
        told = f"{seen} of {len(documents)} documents are marked train or dev"
        write(f"\nnote: {told}; a model fitted on them looks better than it is\n")
    if json_file is not None:
        save(json_file, json.dumps(result.to_json(), indent=2) + "\n")


def _measure_case(case: Path, sheets: list[Path], json_file: Path | None) -> None:
    """Measure a case by the sheets of a sample."""
    import json

    try:
        from mdclaims.cases.measured import measure
    except ImportError as error:
        raise UsageError('measuring a case needs an extra; install it with: pip install "mdclaims[screen]"') from error
    result = measure(case, sheets)
    write("".join(f"{line}\n" for line in result.lines()))
    for note in result.notes():
        talk(f"mdclaims: note: {note}")
    talk(f"mdclaims: kept in {case / 'measured.json'}")
    if json_file is not None:
        save(json_file, json.dumps(result.to_json(), ensure_ascii=False, indent=1) + "\n")


def _evaluation_table(result: Evaluation) -> str:
    """Return an evaluation as a table for the terminal."""
    heads = ("label", "n", "precision", "recall", "F1", "average precision", "Brier skill", "slope", "cal. error")
    widths = (16, 6, 18, 18, 18, 19, 13, 7, 10)
    rows: list[tuple[str, ...]] = [heads]
    for row in result.labels:
        intervals = (row.precision, row.recall, row.f1, row.average_precision)
        rows.append(
            (
                row.label,
                str(row.support),
                *(_interval(entry, 2) for entry in intervals),
                f"{row.brier_skill:.2f}",
                f"{row.calibration_slope:.2f}",
                f"{row.calibration_error:.3f}",
            )
        )
    drawn = f"95 % bootstrap over {result.resampled}s"
    lines = [
        f"{result.documents} documents, {result.sites} sites, {result.sentences} sentences; mode {result.mode}; "
        f"intervals: {drawn if result.documents > 1 else 'none, a single document has no spread'}",
        "",
        *("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
        "",
        f"macro-F1 {_interval(result.macro_f1, 3)}",
        "",
        "F1 of readers without a model:",
    ]
    for baseline in result.baselines:
        per_label = ", ".join(f"{label} {f1:.2f}" for label, f1 in baseline.f1.items())
        lines.append(f"  {baseline.name:<15} macro {baseline.macro_f1:.3f}; {per_label}")
    if result.end_to_end is not None:
        found = dict(result.end_to_end)
        exact, average = found.pop("sentences"), found.pop("macro_f1")
        per_label = ", ".join(f"{label} {f1:.2f}" for label, f1 in found.items())
        lines += ["", f"end to end: {exact:.1%} of the sentences found exactly; macro-F1 {average:.3f}; {per_label}"]
    return "\n".join(lines) + "\n"


def _interval(entry: Interval, digits: int) -> str:
    """Return a figure with its interval, where it has one."""
    if math.isnan(entry.low):
        return f"{entry.value:.{digits}f}"
    return f"{entry.value:.{digits}f} ({entry.low:.{digits}f}-{entry.high:.{digits}f})"


@corpus_app.command("check")
def corpus_check_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    debug: DebugOption = False,
) -> None:
    """Find breaches of the format, duplicates and leaks between splits; exit code 1 if there are any."""
    from mdclaims.model.corpus import check_corpus

    problems = check_corpus(corpus)
    for problem in problems:
        typer.echo(problem)
    typer.echo(
        f"mdclaims: {len(problems)} {'problem' if len(problems) == 1 else 'problems'} found in {corpus}", err=True
    )
    raise typer.Exit(ExitCode.FINDINGS if problems else ExitCode.OK)


@corpus_app.command("agreement")
def corpus_agreement_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    first: Annotated[str, typer.Option("--first", help="Name of one annotator.")] = "writer",
    second: Annotated[str, typer.Option("--second", help="Name of the other annotator.")] = "reader",
    debug: DebugOption = False,
) -> None:
    """Print Cohen's kappa of two annotators for each label."""
    from mdclaims.model.agreement import agreement
    from mdclaims.model.corpus import read_corpus

    rows = agreement(read_corpus(corpus), first, second)
    typer.echo(f"{rows[0].sentences} sentences labelled by {first} and {second}")
    typer.echo(f"{'label':<16}{first:>10}{second:>10}{'both':>8}{'kappa':>8}")
    for row in rows:
        typer.echo(f"{row.label:<16}{row.first:>10}{row.second:>10}{row.both:>8}{row.kappa:>8.3f}")


@corpus_app.command("import")
def corpus_import_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="What the tool exported; several are put together by sentence."),
    ],
    format: Annotated[LabelFormat, typer.Option("--format", "-f", help="The tool.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.jsonl", help="The corpus file to write; it must not exist.")
    ],
    annotator: Annotated[
        str | None,
        typer.Option(
            "--annotator", metavar="NAME", help="Who judged, where a file does not say; else the file's name."
        ),
    ] = None,
    settle: Annotated[
        str | None,
        typer.Option("--settle", metavar="NAME", help="The annotator who decides where they are divided evenly."),
    ] = None,
    suggestions: Annotated[
        bool, typer.Option("--suggestions", help="Take the model's suggestions as one more annotator, mdclaims.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Bring labels back from an annotation tool as documents of the corpus, with every annotator's own kept."""
    from mdclaims.model.annotation_formats import import_labels

    if output.exists():
        raise UsageError(f"{output} is there already; name another file")
    result = import_labels(files, format.value, annotator=annotator, settle=settle, suggestions=suggestions)
    save(output, result.text)
    for line in result.lines():
        talk(f"mdclaims: {line}")
    talk(f"mdclaims: {number_of(range(result.sentences), 'sentence')} by {number_of(result.annotators, 'annotator')}")


@corpus_app.command("figures")
def corpus_figures_command(
    corpus: Annotated[Path, typer.Argument(metavar="CORPUS", help="Corpus folder or file.")] = Path("corpus/documents"),
    write: Annotated[
        Path | None, typer.Option("--write", metavar="FILE", help="Put them between the marks of this Markdown file.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Print the figures of the datasheet as Markdown."""
    from mdclaims.model.corpus import read_corpus
    from mdclaims.model.figures import corpus_figures, replace_figures

    figures = corpus_figures(read_corpus(corpus))
    if write is None:
        typer.echo(figures, nl=False)
    else:
        replace_figures(write, figures)
