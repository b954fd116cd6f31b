"""`modalloy design`: designs of a twin that keep what is asked of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

import modalloy
from modalloy.commands.terminal import take_cores
from modalloy.errors import JobError

Source = Annotated[
    str,
    typer.Argument(metavar="DESIGN|TWIN", help="A design file, a twin's file, bracket or weld."),
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
Kind = Annotated[
    str | None, typer.Option("--surrogate", help="'gaussian process' or 'deep ensemble'; auto.")
]
Seed = Annotated[int | None, typer.Option(help="Of all that is random; 0.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="STUDY", help="Folder to write.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where it was killed.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes that simulate; every core.")]


def design(
    source: Source,
    out: Out,
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
    surrogate: Kind = None,
    seed: Seed = None,
    resume: Resume = False,
    workers: Workers = None,
) -> None:
    """Seek designs of a twin that keep what is asked, and verify each by a run.

    Learns a stand-in for the simulator, proposes designs with a margin that keeps its promise, runs
    them, and learns from what became of them until the budget ends. The page is STUDY/design.html.
    """
    take_cores()
    asked: dict[str, Any] = {
        "minimise": minimise,
        "maximise": maximise,
        "such_that": such_that,
        "confidence": confidence,
        "set": settings(setting) if setting else None,
        "budget": budget,
        "planned": planned,
        "batch": batch,
        "proposals": proposals,
        "hidden": hidden,
        "surrogate": surrogate,
        "seed": seed,
    }
    changes = {name: value for name, value in asked.items() if value is not None}
    made = modalloy.design(source, out=out, resume=resume, workers=workers, **changes)
    typer.echo(made.text())
    typer.echo(f"\nThe page is {made.page}.")


def settings(given: list[str]) -> dict[str, float | str]:
    """Values by variable from `NAME=VALUE`: numbers where they can be read as such."""
    found: dict[str, float | str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise JobError(f"--set: write NAME=VALUE such as material=steel, not '{text}'.")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found
