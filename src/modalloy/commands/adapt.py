"""`modalloy adapt`: fine-tunes a run, or adapts it without labels, and tells what has changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

import modalloy
from modalloy.commands.arguments import RunFolder, Sheet
from modalloy.commands.terminal import take_cores

if TYPE_CHECKING:
    from modalloy.runs.run import Run


NewRows = Annotated[
    str | None, typer.Argument(help="Table file, folder of pictures, or sqlite:///...")
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-adapted.")
]
HowToLearn = Annotated[
    str,
    typer.Option(help="Which weights learn: head, last_n, full, or beside layers lora and kin."),
]
Name = Annotated[
    str | None, typer.Option(help="Keep it as an adapter of this name; else it is merged.")
]
Rank = Annotated[int | None, typer.Option(help="Of what learns beside layers.")]
BudgetKb = Annotated[
    float | None, typer.Option("--budget-kb", help="Of the adapter's file; shares ranks out.")
]
LastN = Annotated[int, typer.Option("--last-n", help="Blocks of each encoder, for last_n.")]
Minutes = Annotated[float | None, typer.Option(help="Of the training.")]
Window = Annotated[
    str | None,
    typer.Option(metavar="AGE", help="A row counts half for each 30d, say, that it is older."),
]
TimeColumn = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Times of a window; else the job's.")
]
Replay = Annotated[
    float | None, typer.Option(help="Share of each step that old training rows have.")
]
OldRows = Annotated[
    str, typer.Option(metavar="KEPT", help="Of a window: kept, or outdated, which gives them up.")
]
WithoutLabels = Annotated[
    bool, typer.Option("--without-labels", help="Rows have no answers; nothing is fitted.")
]
Tent = Annotated[
    bool, typer.Option("--tent", help="Without labels: make the entropy of classes small.")
]
Canary = Annotated[
    str | None,
    typer.Option(metavar="TABLE", help="Without labels: labelled rows; what harms is undone."),
]
Listed = Annotated[bool, typer.Option("--list", help="Say which adapters the run holds, and stop.")]


def adapt(
    run: RunFolder,
    table: NewRows = None,
    out: Out = None,
    method: HowToLearn = "rslora",
    name: Name = None,
    rank: Rank = None,
    budget_kb: BudgetKb = None,
    last_n: LastN = 2,
    minutes: Minutes = None,
    window: Window = None,
    time: TimeColumn = None,
    replay: Replay = None,
    old: OldRows = "kept",
    without_labels: WithoutLabels = False,
    tent: Tent = False,
    canary: Canary = None,
    listed: Listed = False,
    sheet: Sheet = None,
) -> None:
    """Fine-tune a run on new rows, or adapt it without labels.

    Figures before and after are of rows held back, and of the run's own test rows.
    """
    from modalloy.adaptation.page import PAGE
    from modalloy.judge.compared import Compared

    if listed:
        typer.echo(say_adapters(modalloy.load_run(run)))
        return
    if table is None:
        raise typer.BadParameter(
            "name the table of new rows, or ask for --list", param_hint="TABLE"
        )
    take_cores()
    made = modalloy.adapt(
        run,
        table,
        out=out,
        method=cast("Any", method),
        name=name,
        rank=rank,
        budget_kb=budget_kb,
        last_n=last_n,
        minutes=minutes,
        window=window,
        time=time,
        replay=replay,
        old=cast("Any", old),
        without_labels=without_labels,
        tent=tent,
        canary=canary,
        sheet=sheet,
    )
    typer.echo(Compared.from_dict(made.notes["adapted"]["compared"]).text())
    typer.echo(f"\nThe run is {made.path}; `modalloy evaluate {made.path}` writes its report.")
    typer.echo(f"What was learned, and where, is on {made.path / PAGE}; open it in a browser.")


def say_adapters(run: "Run") -> str:
    """The adapters of a run, a line each; the one that it answers with is marked."""
    from modalloy.runs.adapters import told_adapters

    lines = [
        f"{a['name']:<16} {a['method']:<10} {a['kb']:>8.1f} KB  "
        + (f"{a['rows']} rows" if a["rows"] is not None else "")
        + ("  (usual)" if a["usual"] else "")
        for a in told_adapters(run)
    ]
    return "\n".join(line.rstrip() for line in lines) or f"{run.path} holds no adapter."
