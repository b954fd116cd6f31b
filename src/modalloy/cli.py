"""The command `modalloy`: parses words and calls one verb."""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from typer.core import TyperGroup

import modalloy
from modalloy.errors import JobError, ModalloyError
from modalloy.machine.limits import cores, processes_here, rest_soon
from modalloy.search.manner import Cost, Pruner, Sampler

if TYPE_CHECKING:
    from modalloy.judge.report import Report

REFUSED, STRANGE, INTERRUPTED = 2, 3, 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Verbs(TyperGroup):
    """Turns what went wrong into one sentence on stderr and an exit code; never a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb that was typed."""
        try:
            return super().invoke(ctx)
        except ModalloyError as error:
            for line in str(error).splitlines():
                typer.echo(f"error: {line}", err=True)
            raise typer.Exit(REFUSED) from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            where = f" under {error.filename}" if error.filename else ""
            typer.echo(f"error: the disk{where} is full; free some space.", err=True)
            raise typer.Exit(REFUSED) from error
        except KeyboardInterrupt as error:
            verb = ctx.invoked_subcommand or "modalloy"
            typer.echo(f"error: {verb} was interrupted.", err=True)
            raise typer.Exit(INTERRUPTED) from error


app = typer.Typer(
    cls=Verbs,
    help="One table in, one trained multimodal model out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help costs no import of rich
)

Table = Annotated[str, typer.Argument(help="Table file, folder of pictures, or sqlite:///...")]
JobFile = Annotated[Path, typer.Argument(metavar="JOB", help="Job file, as `init` prints it.")]
Sheet = Annotated[
    str | None, typer.Option("--sheet", metavar="NAME", help="Sheet of an Excel file; else first.")
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit code 3 where columns or cells are not as in training."),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that `train` wrote.")]


def _version(asked: bool) -> None:
    """Print the version and stop."""
    if asked:
        typer.echo(modalloy.__version__)
        raise typer.Exit


@app.callback()
def modalloy_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """One table in, one trained multimodal model out."""


@app.command()
def init(
    table: Table,
    target: Annotated[list[str], typer.Option("--target", "-t", help="Column to answer.")],
    sheet: Sheet = None,
    minutes: Annotated[
        float | None, typer.Option(help="What `train` may take in all, on this machine.")
    ] = None,
) -> None:
    """Print a job file for a table.

    Looks at every column, says why it takes it for what, and writes every default as a comment:
    `modalloy init parts.csv --target fault > job.yaml`.
    """
    typer.echo(modalloy.init(table, target=target, sheet=sheet, minutes=minutes), nl=False)


@app.command()
def check(job: JobFile) -> None:
    """Find what is wrong before training.

    Leaks across the split, unreadable files, constant columns, rare classes, missing cells; and
    how many minutes and how much memory the training will take. Exit code 1 if `train` refuses.
    """
    found = modalloy.check(job)
    typer.echo(found.text())
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def train(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="RUN", help="Folder to write.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it was stopped.")] = False,
) -> None:
    """Train all tasks of a job and write a run.

    A run is a folder: the job, the readers, the weights, the report as JSON and as one HTML page.
    """
    _take_cores()
    try:
        run = modalloy.train(job, out=out, resume=resume)
    except KeyboardInterrupt as error:
        typer.echo(f"error: train was interrupted{_goes_on(out)}.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    if int(os.environ.get("RANK", "0")) == 0:  # under torchrun, the first process speaks for all
        typer.echo(_report_of(run.path).text())
        typer.echo(f"\nThe run is {run.path}; open {run.path / 'report.html'} in a browser.")
        _tell_notes(_notes_in(run.notes.get("findings", ())))
    if run.notes["interrupted"]:
        typer.echo(
            "Training was interrupted; the run holds its best weights so far, "
            "and --resume goes on.",
            err=True,
        )
        raise typer.Exit(INTERRUPTED)


@app.command()
def tune(
    job: JobFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="STUDY", help="Folder to write.")],
    minutes: Annotated[
        float | None, typer.Option(help="Of everything, the last training by its estimate.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Of the study in all; else 20.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that search here.")] = 1,
    storage: Annotated[
        str | None, typer.Option(metavar="URL", help="Database for several machines.")
    ] = None,
    sampler: Annotated[
        Sampler | None, typer.Option(help="Who draws: tpe; nsga2 with --against.")
    ] = None,
    pruner: Annotated[Pruner, typer.Option(help="Who ends poor trials early.")] = "median",
    against: Annotated[
        Cost | None, typer.Option(help="Weigh the score against this cost too.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a study.")] = False,
) -> None:
    """Search the options of a job, then train the best one.

    Judged by validation rows alone. The folder holds the study, the best job, its run and a page.
    """
    _take_cores()
    try:
        found = modalloy.tune(
            job,
            out=out,
            minutes=minutes,
            trials=trials,
            workers=workers,
            storage=storage,
            sampler=sampler,
            pruner=pruner,
            against=against,
            resume=resume,
        )
    except KeyboardInterrupt as error:
        typer.echo("error: tune was interrupted; --resume goes on with the study.", err=True)
        raise typer.Exit(INTERRUPTED) from error
    typer.echo(found.text())
    typer.echo(f"\nThe best job is {out / 'best.yaml'}, its run {out / 'best'}.")
    typer.echo(f"What was tried is on {out / 'tune.html'}; open it in a browser.")


@app.command()
def evaluate(
    run: RunFolder,
    table: Annotated[str | None, typer.Argument(help="Other rows; else the test rows.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Report page to write.")
    ] = None,
    sheet: Sheet = None,
    strict: Strict = False,
) -> None:
    """Score a run on its test rows or on another table.

    Figures with intervals, baselines, every subset of columns, slices, plots.
    """
    _take_cores()
    report = modalloy.evaluate(run, table, out=out, sheet=sheet)
    typer.echo(report.text())
    page = out or run / ("report.html" if table is None else "evaluated.html")
    typer.echo(f"\nThe report is {page}; open it in a browser.")
    _tell_notes(_notes_in(report.findings))
    _tell_caveats(report.caveats, strict=strict)


@app.command()
def predict(
    run: RunFolder,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Parquet or CSV to write; else printed."),
    ] = None,
    sheet: Sheet = None,
    strict: Strict = False,
) -> None:
    """Answer the rows of a table.

    With probabilities, and beside them the state of every cell that was read.
    """
    _take_cores()
    answers = modalloy.predict(run, table, out=out, sheet=sheet)
    said = f"{len(answers)} rows answered in {out}\n" if out else answers.to_csv(index=False)
    typer.echo(said, nl=False)
    _tell_notes(answers.attrs.get("notes", ()))
    _tell_caveats(answers.attrs.get("caveats", ()), strict=strict)


@app.command()
def calibrate(
    run: RunFolder,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-calibrated."),
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Share of sets and intervals that hold the truth.")
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Calibrate a run anew on labelled rows.

    For another line or another camera: how sure it is and what it promises change, weights do not.
    """
    from modalloy.learn.recalibrate import say_changes

    _take_cores()
    made = modalloy.calibrate(run, table, out=out, coverage=coverage, sheet=sheet)
    typer.echo(say_changes(made.notes))
    typer.echo(f"\nThe run is {made.path}; `modalloy evaluate {made.path}` writes its report.")
    _tell_caveats([f["text"] for f in made.notes["recalibrated"]["said"]], strict=False)


@app.command()
def adapt(
    run: RunFolder,
    table: Table,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="NEWRUN", help="Folder to write; RUN-adapted."),
    ] = None,
    method: Annotated[
        str, typer.Option(help="Which weights learn: head, last_n or full.")
    ] = "full",
    last_n: Annotated[
        int, typer.Option("--last-n", help="Blocks of each pretrained encoder, for last_n.")
    ] = 2,
    minutes: Annotated[float | None, typer.Option(help="Of the training.")] = None,
    window: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Rows count half for each 30d, say, that they are older."
        ),
    ] = None,
    replay: Annotated[
        float | None, typer.Option(help="Share of each step that old training rows have.")
    ] = None,
    without_labels: Annotated[
        bool, typer.Option("--without-labels", help="Rows have no answers; nothing is fitted.")
    ] = False,
    tent: Annotated[
        bool, typer.Option("--tent", help="Without labels: make the entropy of classes small.")
    ] = False,
    canary: Annotated[
        str | None,
        typer.Option(metavar="TABLE", help="Without labels: labelled rows; what harms is undone."),
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Fine-tune a run on new rows, or adapt it without labels.

    Figures before and after are of rows held back, and of the run's own test rows.
    """
    from modalloy.judge.compared import Compared

    _take_cores()
    made = modalloy.adapt(
        run,
        table,
        out=out,
        method=cast("Any", method),
        last_n=last_n,
        minutes=minutes,
        window=window,
        replay=replay,
        without_labels=without_labels,
        tent=tent,
        canary=canary,
        sheet=sheet,
    )
    typer.echo(Compared.from_dict(made.notes["adapted"]["compared"]).text())
    typer.echo(f"\nThe run is {made.path}; `modalloy evaluate {made.path}` writes its report.")


@app.command()
def explain(
    run: RunFolder,
    table: Table,
    row: Annotated[
        int | None, typer.Option("--row", help="Number of the row, from 0; else the whole table.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="One task; else all.")] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="Class to explain; else answer.")
    ] = None,
    item: Annotated[int, typer.Option("--item", help="Which span or box, from 0.")] = 0,
    actionable: Annotated[
        str, typer.Option("--actionable", metavar="COLUMNS", help="Numbers one can change: a,b.")
    ] = "",
    past: Annotated[int, typer.Option("--past", min=0, help="How many past rows.")] = 3,
    lines: Annotated[
        str, typer.Option("--lines", help="Multiples of shaft speed to mark: 3.58,5.42.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="HTML", help="Page to write.")
    ] = None,
    sheet: Sheet = None,
) -> None:
    """Say why a row is answered as it is.

    What each column adds, where in its cells, the nearest past rows, and what would change it;
    without --row which columns carry which class. The page is RUN/explain.html, JSON beside it.
    """
    _take_cores()
    page = out or run / "explain.html"
    found = modalloy.explain(
        run,
        table,
        row=row,
        task=task,
        label=label,
        item=item,
        actionable=[name.strip() for name in actionable.split(",") if name.strip()],
        past=past,
        lines=_numbers("--lines", lines),
        out=page,
        sheet=sheet,
    )
    typer.echo(found.text())
    typer.echo(f"\nThe page is {page}; open it in a browser.")


@app.command()
def doctor() -> None:
    """Say what is installed and works here, and what to do about the rest.

    Exit code 1 if something that every training needs is broken.
    """
    found = modalloy.doctor()
    found.print()
    raise typer.Exit(0 if found.ok else 1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write.")] = Path("demo"),
) -> None:
    """Train on 2,624 pictures of solar cells, in minutes.

    Needs `pip install 'modalloy[demo]'`; the pictures are CC BY-NC-SA 4.0.
    """
    _take_cores()
    modalloy.demo(out)


def _numbers(option: str, text: str) -> list[float]:
    """Numbers between commas; a sentence where one of them is none."""
    try:
        return [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise JobError(f"{option}: '{text}' is no list of numbers such as 3.58,5.42.") from error


def _goes_on(out: Path) -> str:
    """What to do after an interrupted training, by what it left behind."""
    if not (out / "run.json").is_file():
        begun = any(out.glob("checkpoints/*.safetensors"))
        return "; --resume goes on from the last checkpoint" if begun else ""
    if (out / "report.html").is_file():
        return ""
    return f"; the run is whole but for its report, which `modalloy evaluate {out}` writes"


def _notes_in(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Those of a report's findings that say how its table was read."""
    from modalloy.checks.finding import READING

    return [f["what"] for f in findings if f["where"] == READING]


def _tell_notes(notes: Iterable[str]) -> None:
    """Say what was taken for what when a table was read."""
    for note in notes:
        typer.echo(f"note: {note}.", err=True)


def _tell_caveats(caveats: Sequence[str], *, strict: bool) -> None:
    """Say what is not as it was in training; under `--strict` the exit code says it too."""
    for caveat in caveats:
        typer.echo(f"caveat: {caveat}.", err=True)
    if caveats and strict:
        raise typer.Exit(STRANGE)


def _take_cores() -> None:
    """Let torch use this process's share of the machine; who calls a verb in Python says it there.

    Under torchrun those of its processes that run here share it.
    """
    import torch

    torch.set_num_threads(max(1, cores() // processes_here()))


def _report_of(run: Path) -> "Report":
    """The figures that a run holds."""
    from modalloy.judge.report import Report

    return Report.load(run / "report.json")


def main() -> None:
    """The command `modalloy`."""
    rest_soon()
    app()
