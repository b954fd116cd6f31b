"""`modalloy design`: designs of a twin, or of a run, that keep what is asked of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import modalloy
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError

if TYPE_CHECKING:
    from modalloy.designing.changes import Change

Source = Annotated[
    str,
    typer.Argument(
        metavar="DESIGN|TWIN|RUN",
        help="A design file, a twin's file, bracket or weld, or a trained run.",
    ),
]
Minimise = Annotated[
    list[str] | None, typer.Option("--minimise", metavar="OUTPUT", help="Should be small.")
]
Maximise = Annotated[
    list[str] | None, typer.Option("--maximise", metavar="OUTPUT", help="Should be large.")
]
SuchThat = Annotated[
    list[str] | None,
    typer.Option("--st", metavar="CONSTRAINT", help="Must be kept: 'deflection <= 0.6 mm'."),
]
Setting = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A variable that stays.")
]
Confidence = Annotated[
    float | None, typer.Option(help="How probable it must be that a design keeps everything; .95.")
]
Budget = Annotated[int | None, typer.Option(help="Runs of the simulator in all; 400.")]
Planned = Annotated[int | None, typer.Option(help="First designs; three tenths of the budget.")]
Batch = Annotated[int | None, typer.Option(help="Designs proposed at once; 20.")]
Count = Annotated[
    int | None, typer.Option("--proposals", "-n", help="Designs proposed in the end; 20.")
]
Hidden = Annotated[str | None, typer.Option(help="Hidden parameters: drawn (usual) or default.")]
FromRows = Annotated[
    str | None, typer.Option("--rows", metavar="TABLE", help="Experiments in place of runs.")
]
Kind = Annotated[
    str | None, typer.Option("--surrogate", help="'gaussian process' or 'deep ensemble'; auto.")
]
Seed = Annotated[int | None, typer.Option(help="Of all that is random; 0.")]
Out = Annotated[Path | None, typer.Option("--out", "-o", metavar="STUDY", help="Folder to write.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where it was killed.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that simulate; every core.")]
Near = Annotated[
    list[str] | None,
    typer.Option("--near", metavar="NAME=VALUE", help="A design, of which little should change."),
]
ByRun = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="A trained run of the twin's rows: stands in for the simulator; of a STUDY, its rows "
        "are looked in by --image or --text.",
    ),
]
Image = Annotated[Path | None, typer.Option("--image", help="A drawing of what is wished.")]
Text = Annotated[str | None, typer.Option("--text", help="What is wished, in words.")]
Only = Annotated[
    list[str] | None, typer.Option("--only", metavar="NAME", help="The variables that may change.")
]


def design(
    source: Source,
    out: Out = None,
    minimise: Minimise = None,
    maximise: Maximise = None,
    such_that: SuchThat = None,
    confidence: Confidence = None,
    setting: Setting = None,
    budget: Budget = None,
    planned: Planned = None,
    batch: Batch = None,
    proposals: Count = None,
    hidden: Hidden = None,
    rows: FromRows = None,
    surrogate: Kind = None,
    seed: Seed = None,
    resume: Resume = False,
    workers: Workers = None,
    near: Near = None,
    run: ByRun = None,
    image: Image = None,
    text: Text = None,
    only: Only = None,
) -> None:
    """Seek designs of a twin that keep what is asked, and verify each by a run.

    Learns a stand-in for the simulator, proposes designs with a margin that keeps its promise, runs
    them, and learns from what became of them until the budget ends. The page is STUDY/design.html.
    Of a trained RUN alone nothing is run: STUDY/proposals.csv holds the designs to try next.

    With --near, or --run with --image or --text, DESIGN is a finished STUDY: the nearest certified
    designs, and what of the given one would have to change.
    """
    take_cores()
    if near or image is not None or text is not None:
        like = {"run": run, "image": image, "text": text, "only": only or ()}
        return typer.echo(told_near(source, near, like))
    if only:
        raise JobError("design: --only asks about a finished study; give --near or --image too.")
    if out is None:
        raise JobError("design: give a folder to write, as in -o study.")
    asked: dict[str, Any] = {
        "minimise": minimise,
        "maximise": maximise,
        "such_that": such_that,
        "confidence": confidence,
        "set": settings(setting, "--set") if setting else None,
        "budget": budget,
        "planned": planned,
        "batch": batch,
        "proposals": proposals,
        "hidden": hidden,
        "rows": rows,
        "run": run,
        "surrogate": surrogate,
        "seed": seed,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    made = modalloy.design(source, out=out, resume=resume, workers=workers, **changes)
    typer.echo(f"{made.text()}\n\nThe page is {made.page}.")


def settings(given: list[str], option: str) -> dict[str, float | str]:
    """Values by variable from `NAME=VALUE`: numbers where they can be read as such."""
    found: dict[str, float | str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise JobError(f"{option}: write NAME=VALUE such as material=steel, not '{text}'.")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def told_near(study: str, near: list[str] | None, like: Mapping[str, Any]) -> str:
    """What of a design would have to change, in words."""
    values = settings(near, "--near") if near else None
    return told(modalloy.nearest_designs(study, values, **like))


def told(found: "list[Change]") -> str:
    """Nearest designs in words."""
    if not found:
        return "No certified design was found near that one."
    lines = []
    for change in found:
        what = ", ".join(f"{n} {shown(a)} -> {shown(b)}" for n, (a, b) in change.changed.items())
        said = ", ".join(f"{n} {y:.4g}" for n, y in change.predicted.items())
        lines.append(f"{what or 'nothing has to change'} ({said} foretold)")
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A value of a variable."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
