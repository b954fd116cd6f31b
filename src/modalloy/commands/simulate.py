"""`modalloy simulate`: a plan of runs of a digital twin, and a row for each of them."""

from pathlib import Path
from typing import Annotated

import typer

import modalloy
from modalloy.commands.terminal import INTERRUPTED
from modalloy.errors import TwinError
from modalloy.twin.asked import RunPlan, Unseen

Twin = Annotated[str, typer.Argument(metavar="TWIN", help="Twin file, or bracket or weld.")]
Out = Annotated[Path, typer.Option("--out", "-o", metavar="ROWS.parquet", help="To write.")]
Runs = Annotated[int, typer.Option("--runs", help="How many; a factorial: at most.")]
Plan = Annotated[RunPlan, typer.Option("--plan", help="How runs are spread or chosen.")]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Another seed, other runs; else the twin's.")
]
Hidden = Annotated[
    Unseen, typer.Option("--hidden", help="Hidden parameters: drawn for each run, or usual.")
]
ShowHidden = Annotated[
    bool, typer.Option("--show-hidden", help="Write hidden parameters into the rows too.")
]
Fixed = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="The same in every run; repeatable."),
]
About = Annotated[
    list[str] | None,
    typer.Option("--about", metavar="OUTPUT", help="Active: what to learn; else all numbers."),
]
Minimise = Annotated[
    list[str] | None,
    typer.Option("--minimise", metavar="OUTPUT", help="Active: seek where it is small."),
]
Maximise = Annotated[
    list[str] | None,
    typer.Option("--maximise", metavar="OUTPUT", help="Active: seek where it is large."),
]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes; else one a core.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where it was stopped.")]
Plant = Annotated[
    str | None,
    typer.Option("--from", metavar="PLANT", help="Calibrate the twin to these rows first."),
]


def simulate(
    twin: Twin,
    out: Out,
    runs: Runs = 200,
    plan: Plan = "sobol",
    seed: Seed = None,
    hidden: Hidden = "drawn",
    show_hidden: ShowHidden = False,
    fixed: Fixed = None,
    about: About = None,
    minimise: Minimise = None,
    maximise: Maximise = None,
    workers: Workers = None,
    resume: Resume = False,
    plant: Plant = None,
) -> None:
    """Run a digital twin by a plan and write a row a run.

    A run that fails, hangs or tells nonsense is a row too, with the reason. Units and the plan lie
    beside the rows in ROWS.json, pictures, recordings and series in media/ROWS/.

    --from fits hidden parameters to a plant and writes the twin that it runs: ROWS.twin.yaml.
    """
    try:
        if plant is not None:
            fitted = modalloy.calibrate_twin(
                twin, plant, out=out.with_suffix(".twin.yaml"), workers=workers
            )
            typer.echo(f"{fitted.text()}\n")
            twin = str(fitted.path)
        found = modalloy.simulate(
            twin,
            out=out,
            runs=runs,
            plan=plan,
            seed=seed,
            hidden=hidden,
            show_hidden=show_hidden,
            fixed=settings(fixed or []),
            about=about or (),
            minimise=minimise or (),
            maximise=maximise or (),
            workers=workers,
            resume=resume,
        )
    except KeyboardInterrupt as error:
        typer.echo("error: simulate was interrupted; --resume goes on with it.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    typer.echo(found.in_words())
    typer.echo(f"\nThe rows are {found.path}; `modalloy init` writes a job for them.")


def settings(given: list[str]) -> dict[str, str]:
    """Values by name from `NAME=VALUE`, as they are written."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name or not value:
            raise TwinError(f"--set: write NAME=VALUE such as material=steel, not '{text}'.")
        if name in found:
            raise TwinError(f"--set: '{name}' is set twice.")
        found[name] = value
    return found
