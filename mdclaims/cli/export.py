"""``export``: a case's sentences for use elsewhere: a letter, a blind sample, sentences for annotation tools."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mdclaims.cli.app import app
from mdclaims.cli.options import DebugOption, LabelFormat, LabelOrder, ModelOption, TrustOption, cores, today
from mdclaims.cli.output import MOST_TOLD, number_of, talk
from mdclaims.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mdclaims.cases.letter import LetterResult


@app.command("export")
def export_command(
    case: Annotated[Path, typer.Argument(metavar="CASE", help="The folder that screen wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="What to write; it must not exist.")],
    letter: Annotated[
        str | None,
        typer.Option("--letter", metavar="SITE", help="A letter (.docx) with the upheld findings of this site."),
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(
            "--sample", metavar="N", help="A blind sheet (.xlsx) of N random sentences, to measure the model."
        ),
    ] = None,
    labels: Annotated[
        LabelFormat | None, typer.Option("--labels", help="Sentences for this annotation tool, in its own format.")
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option("--template", metavar="FILE.docx", help="--letter: your own letter with placeholders."),
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="--letter: take open high findings too, and mark every page as a draft.")
    ] = False,
    timezone: Annotated[
        str | None,
        typer.Option(
            "--timezone", metavar="NAME", help="--letter: local time, Europe/London say; else this machine's."
        ),
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="--letter: its date, by default today.")
    ] = None,
    campaign: Annotated[
        str | None,
        typer.Option(
            "--campaign", metavar="FILE", help="--letter: one that asks for wording on people, which is left out else."
        ),
    ] = None,
    digest: Annotated[
        str | None,
        typer.Option("--digest", metavar="HEX", help="--letter: the manifest's SHA-256 that screen printed."),
    ] = None,
    inputs: Annotated[
        list[Path] | None,
        typer.Option(
            "--inputs",
            metavar="DIR",
            help="Look here for what was screened, by default in this folder; can be repeated.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="--sample: another number draws another sample.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="--labels: how many sentences, by default 200.")
    ] = None,
    order: Annotated[
        LabelOrder | None,
        typer.Option("--order", help="--labels: those the model is least sure of (default), or least alike."),
    ] = None,
    suggest: Annotated[
        bool, typer.Option("--suggest", help="--labels: put the findings in as suggestions; annotators lean to them.")
    ] = False,
    model: ModelOption = None,
    trust_model: TrustOption = False,
    debug: DebugOption = False,
) -> None:
    """Export a case: a letter to one site, a blind sample to measure it by, or sentences for annotators.

    Exit codes: 0 written, 1 exhibits did not hold and were left out, 2 wrong usage, 3 the case cannot be read.
    """
    if trust_model and model is None:
        raise UsageError("--trust-model needs --model DIR; the shipped model needs no trust")
    chosen = _one_of({"--letter": letter is not None, "--sample": sample is not None, "--labels": labels is not None})
    _only_with(
        chosen,
        {
            "--template": ("--letter", template is not None),
            "--draft": ("--letter", draft),
            "--timezone": ("--letter", timezone is not None),
            "--date": ("--letter", day is not None),
            "--campaign": ("--letter", campaign is not None),
            "--digest": ("--letter", digest is not None),
            "--seed": ("--sample", seed is not None),
            "--limit": ("--labels", limit is not None),
            "--order": ("--labels", order is not None),
            "--suggest": ("--labels", suggest),
            "--model": ("--labels", model is not None),
        },
    )
    folders = tuple(inputs or [Path()])
    if sample is not None:
        _export_sample(case, output, sample, seed or 0, folders)
    elif labels is not None:
        _export_labels(
            case,
            output,
            format=labels.value,
            order=(order or LabelOrder.uncertain).value,
            limit=200 if limit is None else limit,
            suggest=suggest,
            model=model,
            trust_model=trust_model,
            folders=folders,
        )
    if letter is not None:
        try:
            from mdclaims.cases.campaign import read_campaign
            from mdclaims.cases.letter import LetterOptions, write_letter
        except ImportError as error:
            raise UsageError(
                'letters need two extras; install them with: pip install "mdclaims[screen,word]"'
            ) from error
        options = LetterOptions(
            site=letter,
            template=template,
            draft=draft,
            timezone=timezone,
            day=_day(day),
            digest=digest,
            campaign=None if campaign is None else read_campaign(campaign),
            folders=folders,
        )
        result = write_letter(case, output, options)
        _tell_letter(result, output)
        raise typer.Exit(ExitCode.FINDINGS if result.left_out else ExitCode.OK)


def _export_sample(case: Path, output: Path, size: int, seed: int, folders: tuple[Path, ...]) -> None:
    """Write a blind sample."""
    try:
        from mdclaims.cases.sample import SampleOptions, write_sample
    except ImportError as error:
        raise UsageError('samples need an extra; install it with: pip install "mdclaims[screen]"') from error
    drawn = write_sample(case, output, SampleOptions(size, seed, folders, workers=cores()))
    for line in drawn.notes():
        talk(f"mdclaims: {line}")
    found = sum(bool(row.found) for row in drawn.rows)
    talk(
        f"mdclaims: wrote {output}: {number_of(drawn.rows, 'sentence')}, {found:,} with findings, "
        f"of {drawn.covered[1]:,} on {drawn.covered[0]:,} pages; fill it, then: "
        f"mdclaims evaluate {output} --case {case}"
    )


def _export_labels(case: Path, output: Path, **how: Any) -> None:
    """Write sentences for an annotation tool."""
    try:
        from mdclaims.cases.exchange import ExchangeOptions, export_labels
    except ImportError as error:
        raise UsageError('exporting a case needs an extra; install it with: pip install "mdclaims[screen]"') from error
    result = export_labels(case, output, ExchangeOptions(**how, workers=cores()))
    for page, reason in list(result.unread.items())[:MOST_TOLD]:
        talk(f"mdclaims: page {page} was passed over: {reason}")
    talk(f"mdclaims: wrote {output}: {number_of(range(result.items), 'sentence')}")


def _one_of(given: Mapping[str, bool]) -> str:
    """Return which of the options that say what to export was given: just one may be."""
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) != 1:
        said = f"not {' and '.join(chosen)} at once" if chosen else "to say what to write"
        raise UsageError(f"export takes one of {', '.join(given)}, {said}; see mdclaims export --help")
    return chosen[0]


def _only_with(chosen: str, options: Mapping[str, tuple[str, bool]]) -> None:
    """Refuse options that mean nothing for what is exported."""
    for name, (belongs_to, is_given) in options.items():
        if is_given and belongs_to != chosen:
            raise UsageError(f"{name} goes with {belongs_to}, not with {chosen}")


def _day(text: str | None) -> date:
    if text is None:
        return today()
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--date takes a day such as 2026-10-31, not {text!r}") from error


def _tell_letter(result: LetterResult, output: Path) -> None:
    """Write what was left out and what is to be done by hand, and last what was written."""
    for line in [*result.left_out, *result.notes][:MOST_TOLD]:
        talk(f"mdclaims: {line}")
    told = len(result.left_out) + len(result.notes)
    if told > MOST_TOLD:
        talk(f"mdclaims: and {told - MOST_TOLD:,} more; Schedule 2 names what was left out")
    talk(f"mdclaims: wrote {output}: {number_of(range(result.exhibits), 'exhibit')}")
