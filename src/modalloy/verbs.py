"""The verbs: each takes a table, a job or a run and does one thing with it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modalloy.errors import JobError, TableError
from modalloy.job import config
from modalloy.job.inputs import heard
from modalloy.job.job_file import check_against, load_job
from modalloy.machine.imports import require
from modalloy.table.open_table import open_table
from modalloy.table.table import Table
from modalloy.tasks.columns import number_columns
from modalloy.tasks.custom import check_kits
from modalloy.tuning.manner import Cost, Manner, Pruner, Sampler

if TYPE_CHECKING:
    import pandas as pd

    from modalloy.adaptation.asked import Old
    from modalloy.answer.written import Written
    from modalloy.attribution.explanation import Explanation
    from modalloy.attribution.whole import Overview
    from modalloy.bundle.bundled import Bundle
    from modalloy.checks.check import Check
    from modalloy.deploy.contract import Profile
    from modalloy.deploy.export_run import Backend
    from modalloy.deploy.model_server import Server
    from modalloy.drawing.draw_run import Drawing
    from modalloy.judge.report import Report
    from modalloy.retrieval.conversation import Answered
    from modalloy.retrieval.found import Found
    from modalloy.retrieval.searcher import How
    from modalloy.runs.run import Run
    from modalloy.tuning.tune_run import Tuned
    from modalloy.watching.watched import Watched

JobSource = config.Job | Mapping[str, Any] | str | Path


def init(
    table: Any,
    *,
    target: list[str] | str,
    sheet: str | None = None,
    minutes: float | None = None,
) -> str:
    """A job file for a table: every column with its type and why, every default as a comment.

    table: whatever `open_table` opens. target: the columns to be answered. The text can be saved
    and given to `train` as it is. sheet: a sheet of an Excel file, the first one otherwise.
    minutes: that `train` may take on this machine in all; encoders are chosen by it.
    """
    from modalloy.infer.infer import infer, job_yaml

    if minutes is not None and not 0.0 < minutes < float("inf"):
        raise JobError(f"minutes: {minutes:g} is no time to train in; give more than 0.")

    targets = [target] if isinstance(target, str) else list(target)
    opened = open_table(table, sheet=sheet)
    return job_yaml(infer(opened, targets, minutes=minutes), opened.source)


def check(job: JobSource, *, table: Any = None) -> "Check":
    """What is wrong with a job's table before training, and how long training will take here."""
    from modalloy.checks.check import check as look
    from modalloy.runs.start import check_start
    from modalloy.table.split import split_job

    job, opened = prepare(job, table)
    parts = split_job(opened, job)
    return check_start(look(job, opened, parts), job, opened, parts)


def train(
    job: JobSource,
    *,
    out: str | Path,
    resume: bool = False,
    table: Any = None,
    quiet: bool = False,
) -> "Run":
    """Train the model of a job and write a run directory with its report.

    out: the run directory; one that holds a finished run is refused. resume: go on with an
    interrupted training. table: a pandas frame, arrow table or path instead of the one that the job
    names; the run then names it.

    Raises JobError, TableError, LeakError with what to do; RunError when `out` is in use.
    """
    from modalloy.learn.train_run import train_run

    job, opened = prepare(job, table)
    return train_run(job, opened, Path(out), resume=resume, quiet=quiet)


def pretrain(
    job: JobSource,
    *,
    out: str | Path,
    resume: bool = False,
    table: Any = None,
    unlabelled: Sequence[Any] = (),
    quiet: bool = False,
) -> "Run":
    """Learn from rows without labels and write a run to start a training from.

    Learned from are the training rows of the job's table, labelled or not, and all rows of further
    tables: those that the job names under `pretrain.unlabelled`, and `unlabelled`, paths or frames.
    Targets may be absent. out: the run directory; `train: {start: RUN}` takes over what fits.
    resume: go on where it was stopped. table: instead of the one that the job names.

    Raises JobError, TableError with what to do; RunError when `out` is in use.
    """
    from modalloy.learn.pretrain_run import pretrain_run

    loaded, opened = prepare(job, table, targets=False)
    numbers = number_columns(loaded)
    named = [*loaded.pretrain.unlabelled, *unlabelled]
    others = (open_table(other).read_as(opened.decimal, numbers) for other in named)
    tables = [spoken(loaded, other) for other in others]
    return pretrain_run(loaded, [opened, *tables], Path(out), resume=resume, quiet=quiet)


def tune(
    job: JobSource,
    *,
    out: str | Path,
    minutes: float | None = None,
    trials: int | None = None,
    workers: int = 1,
    storage: str | None = None,
    sampler: Sampler | None = None,
    pruner: Pruner = "median",
    against: Cost | None = None,
    resume: bool = False,
    table: Any = None,
    quiet: bool = False,
) -> "Tuned":
    """Search the options of a job by its validation rows, then train the best one.

    out: the study's directory; `best.yaml` and the run `best` are in it, and `tune.html` says what
    was found. minutes: of everything, the last training by its estimate. trials: of the study in
    all; 20 where neither is said. workers: processes here. storage: URL of a database that Optuna
    knows, for several machines. sampler: `tpe`, or `nsga2` with `against`, unless one is named.
    against: weigh the score against `latency` or `size`. resume: go on with a study.

    Raises what `train` raises; RunError for another job's study and a storage that is not there.
    """
    require("optuna", "tune", "a search")
    from modalloy.tuning.tune_run import Asked, tune_run

    job, opened = prepare(job, table)
    drawn = sampler or ("nsga2" if against else "tpe")
    asked = Asked(minutes, trials, workers, storage, Manner(drawn, pruner, against))
    return tune_run(job, opened, Path(out), asked, resume=resume, quiet=quiet)


def evaluate(
    run: "Run | str | Path",
    table: Any = None,
    *,
    out: str | Path | None = None,
    sheet: str | None = None,
    strict: bool = False,
    adapter: str | None = None,
    device: str = "auto",
    trust: str | Path | None = None,
    quiet: bool = False,
) -> "Report":
    """Score a run: on its own test rows, or on all rows of another table; or a bundle on a table.

    out: write the report there (`.html` or `.htm`, with `.json` beside it); without it, and without
    a table, the run's own report is written anew. RunError for another ending or where its folder
    is absent, and for a bundle without a table. sheet: the sheet of an Excel table, the first
    otherwise. strict: where the report has `caveats`, TableError names them, after the report is
    written. adapter: one of the run's, or `none`; what it was made to answer with otherwise.
    device, trust: as for `predict`. Of a run that was pretrained with `contrast` it is told how
    well its columns find one another, and classes by their names.
    """
    from modalloy.report.page import check_page
    from modalloy.report.rescore import evaluate_run
    from modalloy.report.retrieved import evaluate_space
    from modalloy.runs.run import PRETRAINED

    if out is not None:
        check_page(Path(out))
    loaded = opened_run(run, adapter, pretrained=True, trust=trust)
    if sheet is not None:
        if table is None:
            raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
        table = open_table(table, sheet=sheet)
    if loaded.kind == PRETRAINED:
        return evaluate_space(loaded, table, Path(out) if out else None)
    place = Path(out) if out else None
    report = evaluate_run(loaded, table, place, device=device, quiet=quiet)
    if strict:
        refuse_caveats(report.caveats)
    return report


def predict(
    run: "Run | str | Path",
    table: Any,
    *,
    out: str | Path | None = None,
    rows: slice | None = None,
    sheet: str | None = None,
    strict: bool = False,
    adapter: str | None = None,
    device: str = "auto",
    trust: str | Path | None = None,
    quiet: bool = False,
) -> "pd.DataFrame":
    """Answers for every row of a table, with probabilities and the status of every input cell.

    run: a run, or a bundle that `export` wrote.

    A column that the table lacks counts as missing everywhere; that, and cells that are missing,
    unreadable or unknown more often than in training, is said in `attrs["caveats"]`, a sentence
    each. strict: TableError names them instead, after the answers are written. out: also write them
    (`.parquet` or `.csv`). Columns: `row` (`row.number` where a task is called `row`); `TASK` and,
    for classes, `TASK.probability` and `TASK.p[CLASS]`; for numbers with quantiles
    `TASK.q[0.1]`...; for tags lists of words' tags; for boxes lists; for texts
    `TASK.confidence`; `text.COLUMN`, what was heard in recordings; where the run is calibrated
    `TASK.set` and `TASK.abstain` of classes, `TASK.low` and `TASK.high` of numbers, `TASK.sure` of
    tags and boxes; `status.COLUMN`. sheet: the sheet of an Excel table, the first otherwise.
    adapter: one of the run's, or `none`; what it was made to answer with otherwise. device: `cpu`,
    `gpu`, `npu`, or `auto` for the fastest that is here; BundleError for one that is not. trust: a
    file with the public key that a bundle must be signed with.
    """
    from modalloy.answer.answer_file import check_place, write_frame
    from modalloy.answer.predictor import Predictor

    loaded = opened_run(run, adapter, trust=trust)
    if out is not None:
        check_place(Path(out))
    opened = open_table(table, sheet=sheet)
    frame = Predictor(loaded, device=device).frame(opened, part=rows, quiet=quiet)
    if out is not None:
        write_frame(frame, Path(out))
    if strict:
        refuse_caveats(frame.attrs["caveats"])
    return frame


def predict_into(
    run: "Run | str | Path",
    table: Any,
    out: str | Path,
    *,
    rows: slice | None = None,
    sheet: str | None = None,
    adapter: str | None = None,
    device: str = "auto",
    trust: str | Path | None = None,
    quiet: bool = False,
) -> "Written":
    """The answers of `predict` straight into a file, however large the table is.

    As many rows as fit some megabytes are in memory together. Arguments as for `predict`; what is
    said of the table comes back in place of the answers.
    """
    from modalloy.answer.answer_file import check_place
    from modalloy.answer.predictor import Predictor
    from modalloy.answer.written import write_answers

    loaded = opened_run(run, adapter, trust=trust)
    check_place(Path(out))
    opened = open_table(table, sheet=sheet)
    predictor = Predictor(loaded, device=device)
    return write_answers(predictor, opened, Path(out), part=rows, quiet=quiet)


def calibrate(
    run: "Run | str | Path",
    table: Any,
    *,
    out: str | Path | None = None,
    coverage: float | None = None,
    sheet: str | None = None,
) -> "Run":
    """A run like this one, calibrated anew on the labelled rows of a table; no weight changes.

    How sure answers are, sets, intervals and thresholds are fitted on these rows alone. out: its
    directory, `RUN-calibrated` otherwise. coverage: asked for from now on, the job's otherwise.
    `notes["recalibrated"]` holds figures before and after. TableError where rows with an answer are
    too few, with how many are needed; RunError where the directory holds a run. sheet: the sheet of
    an Excel table, the first otherwise.
    """
    from modalloy.learn.recalibrate import recalibrate
    from modalloy.runs.run import Run, load_run

    loaded = run if isinstance(run, Run) else load_run(run)
    opened = open_table(table, sheet=sheet)
    return recalibrate(loaded, opened, Path(out) if out else None, coverage=coverage)


def economize(
    run: "Run | str | Path",
    table: Any = None,
    *,
    out: str | Path | None = None,
    alpha: float | None = None,
    sure: float | None = None,
    costs: Mapping[str, float] | None = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Run":
    """A run like this one that reads, row by row, only the columns that the answer needs.

    Several arms learn what to buy - a static subset, a confidence cascade, a value network, a
    Gumbel gate, and two kinds of reinforcement learning - and the cheapest is taken of which rows
    kept apart certify that, with probability `sure` (0.9), at most a share `alpha` (0.02) of the
    decisions becomes wrong. `predict` then skips decoding and encoding, and counts what was saved.

    table: labelled rows that the model has not learned from, half to learn from and half to certify
    by; else validation and calibration rows of the run's own table. out: its directory,
    `RUN-economized` otherwise. costs: of a cell, input -> cost; milliseconds are measured without.
    sheet: the sheet of an Excel table, the first otherwise. `notes["economized"]` holds figures
    before and after, `economize.html` shows every arm.

    Raises RunError for a run with a single input and where the directory holds a run; JobError for
    costs that lack a column and for tasks without one answer a row; TableError where rows are too
    few, with how many are needed.
    """
    from modalloy.economy.economize_run import economize as run_economize
    from modalloy.runs.run import Run, load_run

    loaded = run if isinstance(run, Run) else load_run(run)
    if sheet is not None and table is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    opened = None if table is None else open_table(table, sheet=sheet)
    place = Path(out) if out else None
    asked = {"alpha": alpha, "sure": sure, "costs": costs}
    return run_economize(loaded, opened, place, **asked, quiet=quiet)


def harden(
    run: "Run | str | Path",
    table: Any = None,
    *,
    out: str | Path | None = None,
    training: str | None = None,
    budgets: Mapping[str, str | float] | None = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Run":
    """A run like this one whose network has learned on under attack, and how far it holds now.

    table: rows to learn from, split as the job says; the run's own for None. out: its directory,
    `RUN-hardened` otherwise. training: `fgsm_rs`, `pgd`, `trades`, `freelb` or `corruptions`;
    budgets: how far an attacker may move columns, `{"photo": "8/255", "load": "0.1 sd"}`; both in
    place of what the job's `harden` section says. sheet: the sheet of an Excel table.

    `notes["hardened"]` holds the figures of test rows before and after; `robustness.html` shows
    them. JobError for a budget of no column or without a unit; TableError where no row is left to
    learn from; RunError where the run's own table is gone or changed, or the directory is used.
    """
    from modalloy.hardening.harden_run import harden_run
    from modalloy.runs.run import Run, load_run

    loaded = run if isinstance(run, Run) else load_run(run)
    if sheet is not None and table is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    opened = None if table is None else open_table(table, sheet=sheet)
    place = Path(out) if out else None
    return harden_run(loaded, opened, place, training=training, budgets=budgets, quiet=quiet)


def compress(
    run: "Run | str | Path",
    *,
    out: str | Path,
    table: Any = None,
    profile: "Profile" = "latency",
    max_loss: float = 0.5,
    minutes: float | None = None,
    sign: str | Path | None = None,
    adapter: str | None = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Bundle":
    """The fastest bundle of a run that keeps a promise about its answers on this machine.

    Each encoder is tried with every engine and number type that is here; each way is built apart
    with limits of time and memory, timed in turn with the run itself, and judged on held-back
    labelled rows. What is slower, hangs or breaks answers is left out with the reason; where
    nothing passes, float32 does. `NAME.compress.html` and `.json` beside the bundle show every
    candidate.

    out: a name that ends in .zip, or a folder. table: labelled rows that the model has not learned
    from, the run's validation rows for None. profile: `latency` (one row), `throughput` (16 rows),
    `size` or `exact` (99.5 % of decisions stay the same). max_loss: points that a task may lose
    otherwise, at the worse end of its 95 % interval, and no fewer than so few rows can rule out.
    minutes: after which nothing new begins; with them smaller networks and compiled ones are tried,
    too. sign: a file with an Ed25519 private key. adapter: one of the run's, or `none`. sheet: the
    sheet of an Excel table.

    Raises JobError for a profile, loss or time that there is none of, and where no engine is
    installed; RunError where no rows are left to guard by; TableError where a given table has none;
    BundleError where something else lies at `out`, for a run with a policy of `economize`, and
    where a bundle in float32 would not decide as the run does.
    """
    from modalloy.deploy.compress_run import compress_run, refuse_options

    if sheet is not None and table is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    asked: dict[str, Any] = {"profile": profile, "max_loss": max_loss, "minutes": minutes}
    asked["sign"] = None if sign is None else Path(sign)
    refuse_options(Path(out), **asked)
    loaded = opened_run(run, adapter)
    opened = None if table is None else open_table(table, sheet=sheet)
    return compress_run(loaded, opened, Path(out), **asked, quiet=quiet)


def export(
    run: "Run | str | Path",
    out: str | Path,
    *,
    backend: "Backend" = "onnx",
    sign: str | Path | None = None,
    server: "Server | None" = None,
    table: Any = None,
    adapter: str | None = None,
    sheet: str | None = None,
    without_rows: bool = False,
    quiet: bool = False,
) -> "Bundle":
    """A bundle of a run: one file that answers without torch as the run does, or nothing at all.

    Before it is written, its graphs answer the run's validation rows beside the run itself: where
    they decide otherwise in more than one of 200 rows, or in any row that the run was not torn
    about, BundleError names a page with these rows, and nothing is written.

    out: a name that ends in .zip, or a folder. backend: `onnx`; `openvino` adds OpenVINO's own
    form, to be used first; `torch` keeps the network itself, which needs torch to answer. sign: a
    file with an Ed25519 private key (PEM). server: write beside the bundle a folder with its graphs
    that OpenVINO Model Server (`openvino`) or `triton` loads. table: rows to try the graphs on, the
    run's own for None. adapter: one of the run's, or `none`. sheet: the sheet of an Excel table.
    without_rows: no rows of the table go along, so that nothing tells on another machine whether
    the bundle answers as here; it says so wherever it is opened.

    Raises JobError for an unknown backend and where its packages are not installed; RunError for a
    pretrained run, one whose table is gone, and for an operation that a backend cannot do;
    BundleError where something else lies at `out`.
    """
    from modalloy.deploy.export_run import export_run, refuse_options

    if sheet is not None and table is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    key = None if sign is None else Path(sign)
    refuse_options(Path(out), backend, server, key)
    loaded = opened_run(run, adapter)
    opened = None if table is None else open_table(table, sheet=sheet)
    asked = {"backend": backend, "sign": key, "server": server}
    return export_run(
        loaded, Path(out), **asked, table=opened, without_rows=without_rows, quiet=quiet
    )


def serve(
    run: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    live: str | Path | None = None,
    keep_rows: bool = True,
    audit_cells: bool = False,
    limits: Mapping[str, float] | None = None,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
    trust: str | Path | None = None,
    follow: str | Path | None = None,
    mqtt: str | None = None,
    mqtt_password: str | Path | None = None,
    tell: Callable[[str], None] = lambda line: None,
) -> None:
    """Answer rows over HTTP by a run or bundle until the process is told to end.

    host: an address that other machines reach needs a token first (`modalloy serve RUN --token`).
    port: 0 for any that is free. live: the deployment's folder, `RUN.live` beside the run for None:
    which version answers, rows and labels, tokens, the audit log. keep_rows: rows, answers and
    labels are kept there. audit_cells: cells stand in the audit log. limits: fields of
    `serving.limits.Limits`, such as `{"rows": 100, "deadline_s": 5}`. certificate, key: PEM files
    to answer by HTTPS. trust: the key that bundles must be signed with. follow: a folder whose
    files are rows, too: their answers go into `answers` in it, each once whatever ends the process.
    mqtt: address of a topic whose messages are rows, `mqtt://host/topic`, answered on
    `TOPIC/answers`; mqtt_password: a file with the password. tell: is told where the service
    answers, and which followed files cannot be read.

    Raises JobError where the extra `serve` is not installed, for an open address without a token
    and for limits that make no sense; RunError where the address is taken, the deployment is served
    already or is of another model.
    """
    require("fastapi", "serve", "serve")
    require("uvicorn", "serve", "serve")
    from modalloy.serving.limits import limits_of
    from modalloy.serving.serve_run import serve_run
    from modalloy.serving.sources import Sources

    serve_run(
        Path(run),
        None if live is None else Path(live),
        host=host,
        port=port,
        limits=limits_of(limits or {}),
        keep_rows=keep_rows,
        audit_cells=audit_cells,
        certificate=None if certificate is None else Path(certificate),
        key=None if key is None else Path(key),
        trust=None if trust is None else Path(trust),
        sources=Sources(
            None if follow is None else Path(follow),
            mqtt,
            None if mqtt_password is None else Path(mqtt_password),
        ),
        tell=tell,
    )


def adapt(
    run: "Run | str | Path",
    table: Any,
    *,
    out: str | Path | None = None,
    method: config.Adapts = "rslora",
    name: str | None = None,
    rank: int | None = None,
    budget_kb: float | None = None,
    last_n: int = 2,
    minutes: float | None = None,
    window: str | None = None,
    time: str | None = None,
    replay: float | None = None,
    old: "Old" = "kept",
    without_labels: bool = False,
    tent: bool = False,
    canary: Any = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Run":
    """A run like this one that has learned from the rows of a table.

    Of labelled rows some are held back by the job's split rules: `notes["adapted"]["compared"]` has
    the figures before and after on them, and on the run's own test rows. out: its directory,
    `RUN-adapted` otherwise. method: which weights learn: `head`, `last_n` blocks of each encoder,
    `full`, or small parts beside the layers (`rslora` and its kin, see docs/adapters.md). name:
    keep what was learned as an adapter of this name beside the old weights; else it is merged into
    them. rank: of these parts. budget_kb: of the adapter's file. minutes: of the training. window:
    `30d` lets a row count half as much for each thirty days that it is older, replays old training
    rows, and refuses to lose more than a point on old test rows. time: the column that it goes by,
    the job's otherwise. replay: share of each step that old rows have. old: `outdated` where the
    world has changed so that old rows would teach the wrong thing: beside a window none is replayed
    then, and losing on them refuses nothing.

    without_labels: no row needs an answer. Numbers and channels of sensors are standardised anew
    where they drifted, those that went wrong are hidden, batch norms take the rows' figures. tent:
    then norms learn to make the entropy of classes small. canary: a table of labelled rows; steps
    that make its answers worse are undone. sheet: the sheet of an Excel table, the first otherwise.

    Raises TableError where rows are too few, hold a class that the run never knew, or none is as
    new as the window, and for a canary without labels; RunError where the directory holds a run,
    the old would be forgotten, or options do not go together.
    """
    from modalloy.adaptation.adapt_run import adapt_run
    from modalloy.adaptation.asked import Asked, refuse_mixed
    from modalloy.adaptation.unlabelled_run import adapt_unlabelled
    from modalloy.runs.run import Run, load_run

    given = (method, name, rank, budget_kb, last_n, minutes, window, time, replay)
    asked = Asked(*given, old=old)
    refuse_mixed(asked, without_labels=without_labels, tent=tent, canary=canary is not None)
    loaded = run if isinstance(run, Run) else load_run(run)
    opened = open_table(table, sheet=sheet)
    place = Path(out) if out else None
    if not without_labels:
        return adapt_run(loaded, opened, place, asked, quiet=quiet)
    watched = None if canary is None else open_table(canary)
    return adapt_unlabelled(loaded, opened, place, use_tent=tent, canary=watched)


def explain(
    run: "Run | str | Path",
    table: Any,
    *,
    row: int | None = None,
    task: str | None = None,
    label: str | None = None,
    item: int = 0,
    actionable: Sequence[str] = (),
    past: int = 3,
    lines: Sequence[float] = (),
    out: str | Path | None = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Explanation | Overview":
    """Why a run answers a row of a table as it does, or without `row` what its answers hang on.

    A row: what each column adds to the answer (Shapley values), where in its cells (integrated
    gradients of the network), the nearest rows that were learned from, and which change of numbers
    would change the answer. A table: the columns' part for at most 100 of its rows.

    row: its number, from 0. task: one task, all for None. label: the class to explain, the answered
    one for None. item: which span or box of the answer, from 0. actionable: number columns that one
    can change. past: how many past rows. lines: multiples of the shaft's speed that spectra are
    marked at, such as those of a bearing. out: write the page (`.html`), with `.json` beside it.
    Both results have `text()`, `as_dict()` and `html()`, which a notebook shows.

    Raises TableError for a row that the table lacks, JobError for a task, class or column that the
    run lacks and where the extra `explain` is not installed.
    """
    from modalloy.answer.predictor import Predictor
    from modalloy.attribution.explain_row import chosen_tasks, columns_bought, explain_row
    from modalloy.attribution.whole import drawn_rows, explain_table
    from modalloy.report.page import check_page
    from modalloy.runs.run import Run, load_run

    loaded = run if isinstance(run, Run) else load_run(run)
    if out is not None:
        check_page(Path(out))
    tasks, predictor = chosen_tasks(loaded, task), Predictor(loaded)
    opened = open_table(table, sheet=sheet)
    part = drawn_rows(opened.rows) if row is None else slice(row, row + 1)
    loader, _ = predictor.open(opened, part=part, quiet=quiet)
    if row is not None and predictor.plan is not None:
        bought = columns_bought(predictor, loader, row)
        loader, _ = predictor.open(opened, inputs=bought, part=part, quiet=quiet)
    if row is None:
        found = explain_table(predictor, loader, tasks, quiet=quiet)
    else:
        asked = {"tasks": tasks, "label": label, "item": item, "actionable": actionable}
        found = explain_row(predictor, loader, row, **asked, past=past, lines=lines)
    if out is not None:
        found.save(Path(out))
    return found


def draw(
    run: "Run | str | Path",
    *,
    like: Any = None,
    complete: float | None = None,
    column: str | None = None,
    rows: int = 12,
    each: int = 4,
    temperature: float = 1.0,
    seed: int = 0,
    out: str | Path | None = None,
    sheet: str | None = None,
) -> "Drawing":
    """Cells as a run expects them that was pretrained with `pretrain: {autoregress: {}}`.

    like: a table whose first rows' other columns steer what is drawn; drawn from nothing without.
    complete: only this last share of each cell is drawn, after what comes before it. column: which,
    the first that the run draws for None. rows, each: how many rows, and draws of each.
    temperature: 1 draws as was learned, less keeps to what is likelier. seed: which with the number
    of a row is all that chance depends on. out: write the contact sheet (`.png`). sheet: the sheet
    of an Excel table. The result has `samples` and `expected` as arrays, and `save`.

    Raises RunError for a run that never learned to draw, JobError for a column that it does not
    draw and for shares and counts that make no sense, TableError for a table without a column of
    the run, or without a cell to complete.
    """
    from modalloy.drawing.draw_run import Asked, check_sheet, draw_run
    from modalloy.runs.run import Run, load_run

    if out is not None:
        check_sheet(Path(out))
    if sheet is not None and like is None:
        raise TableError(f"sheet '{sheet}': name the Excel file that it is in.")
    loaded = run if isinstance(run, Run) else load_run(run, pretrained=True)
    opened = None if like is None else open_table(like, sheet=sheet)
    asked = Asked(column, complete, rows, each, temperature, seed)
    found = draw_run(loaded, opened, asked)
    if out is not None:
        found.save(Path(out))
    return found


def search(
    run: "Run | str | Path",
    table: Any = None,
    *,
    text: str | None = None,
    image: str | Path | bytes | None = None,
    audio: str | Path | bytes | None = None,
    row: int | None = None,
    like: Any = None,
    answer: str | None = None,
    where: str | Sequence[str] = (),
    top: int = 10,
    column: str | None = None,
    against: str | None = None,
    index: "How" = "exact",
    folder: str | Path | None = None,
    rebuild: bool = False,
    shorten: float | None = None,
    follow: str | Path | None = None,
    out: str | Path | None = None,
    sheet: str | None = None,
    quiet: bool = False,
) -> "Found | Answered":
    """The rows of a table nearest to a text, a picture, a recording, a row, or each row of a table.

    table: to search in, the run's own for None; its vectors are kept as an index beside the run.
    row: number in that table. like: a table, each row of which is a query. answer: a question, to
    be answered from rows that are near enough, with their numbers. where: conditions such as
    `line=3` or `load=2..5`. top: how many rows. column: that reads the query, where several could.
    against: the column to compare with, whole rows for None. index: `usearch` asks a graph instead
    of every row. folder: of the index; rebuild: build it anew. shorten: the share of the nearest
    rows that shorter vectors have to keep, see `Searcher`. follow: a file that keeps a dialogue,
    whose filters stay from turn to turn. out: write the page there (`.html`), with `.json` beside.

    Any column finds any other in a run that was pretrained with `contrast`; in any other run a
    column finds itself alone, and whole rows whole rows. `Searcher` asks one index many times.
    Raises TableError for no query or an empty one, one that the run cannot read or compare, and a
    condition on no column; RunError for an index or a dialogue of another run.
    """
    from modalloy.report.page import check_page
    from modalloy.retrieval.conversation import Conversation
    from modalloy.retrieval.searcher import Searcher

    if out is not None:
        check_page(Path(out))
    asked = {"text": text, "image": image, "audio": audio, "row": row, "like": like}
    refuse_two_queries(asked, answer, index)
    given = {"sheet": sheet, "folder": folder, "rebuild": rebuild, "how": index, "quiet": quiet}
    talk = Conversation(Searcher(run, table, shorten=shorten, **given))
    if follow is not None and Path(follow).exists():
        talk.resume(Path(follow))
    if answer is not None:
        found: Found | Answered = talk.ask(answer, where=where, column=column, top=top)
    else:
        found = talk.search(**asked, where=where, column=column, against=against, top=top)
    if follow is not None:
        talk.save(Path(follow))
    if out is not None:
        found.save(Path(out))
    return found


def refuse_two_queries(asked: Mapping[str, Any], answer: str | None, index: str) -> None:
    """TableError where a question and another query are given, or an index of no known kind."""
    others = [kind for kind, given in asked.items() if given is not None]
    if answer is not None and others:
        raise TableError(f"search: answer is a query of its own; leave {others[0]} out.")
    if answer is not None and not answer.strip():
        raise TableError("search: the question is empty; give words to look for.")
    if index not in ("exact", "usearch"):
        raise TableError(f"search: index '{index}' is none; it is exact or usearch.")


def opened_run(
    run: "Run | str | Path",
    adapter: str | None,
    *,
    pretrained: bool = False,
    trust: str | Path | None = None,
) -> "Run":
    """A run or bundle as it is handed over, or read; with the adapter that is asked for.

    pretrained: a run that answers nothing will do too. trust: the key that a bundle is signed with.
    """
    from modalloy.bundle.bundled import load_any
    from modalloy.runs.adapters import with_adapter
    from modalloy.runs.run import Run

    if isinstance(run, Run):
        return run if adapter is None else with_adapter(run, adapter)
    key = None if trust is None else Path(trust)
    return load_any(run, adapter=adapter, trust=key, pretrained=pretrained)


def watch(
    run: "Run | str | Path",
    table: Any,
    *,
    out: str | Path | None = None,
    time: str | None = None,
    rows: int = 2000,
    beside: "Run | str | Path | None" = None,
    usual: Any = None,
    sheet: str | None = None,
    adapter: str | None = None,
    device: str = "auto",
    trust: str | Path | None = None,
) -> "Watched":
    """Whether rows are still like those that a run or bundle learned from, and still answered well.

    Every number, name, missing share and channel, what encoders make of media columns, and what is
    answered is tested against what the run keeps of its rows (`watch.safetensors`), else against
    its own table. Where nothing has drifted, any alarm at all is raised in at most 5 % of windows.
    Accuracy is estimated without labels; the true one stands beside it where labels are.

    table: whatever `open_table` opens. out: the page, with a `.json` beside it; `RUN/watched.html`
    for None, of a bundle beside it. time: the column that orders rows; the job's for None. rows:
    that are looked at, evenly spread. Other arguments as for `predict`.

    beside: another run of the same numbers by other columns. Where the answers of both part as they
    never did on rows that neither learned from, one of them is no longer right; no label is needed.
    At most one alarm in 1,000 clean rows is false. usual: a table of such rows, in place of those
    that the run held back from its own.

    Raises TableError for a table without a row, without any of the run's columns or without the
    column of times; RunError where a run keeps nothing and its table is gone, and for a run beside
    it that answers no number of its.
    """
    from modalloy.answer.predictor import Predictor
    from modalloy.report.page import check_page
    from modalloy.watching.watch_run import place_of, watch_run

    if rows < 1:
        raise TableError(f"rows: {rows} rows cannot be looked at; give at least 1.")
    loaded = opened_run(run, adapter, trust=trust)
    page = place_of(loaded.path, loaded) if out is None else Path(out)
    check_page(page)
    if usual is not None and beside is None:
        raise TableError("usual: are rows to compare two runs on; name the other with beside.")
    opened = open_table(table, sheet=sheet)
    other = None if beside is None else Predictor(opened_run(beside, None), device=device)
    given = {"beside": other, "usual": None if usual is None else open_table(usual)}
    predictor = Predictor(loaded, device=device)
    return watch_run(predictor, opened, time=time, most=rows, out=page, **given)


def refuse_caveats(caveats: Sequence[str]) -> None:
    """Raise TableError with everything that is not as it was in training."""
    if caveats:
        raise TableError("\n".join(f"{caveat}." for caveat in caveats))


def demo(out: str | Path = "demo", *, quiet: bool = False) -> "Run":
    """The product on real input: solar-cell inspection on 2,624 electroluminescence pictures."""
    from modalloy.demonstration import run_demo

    return run_demo(Path(out), quiet=quiet)


def prepare(job: JobSource, table: Any, *, targets: bool = True) -> tuple[config.Job, Table]:
    """The job and its open table, checked against each other; without targets these may lack."""
    source = None if isinstance(job, config.Job) else job
    loaded = load_job(job, table=table)
    opened = open_table(loaded.table if table is None else table, sheet=loaded.sheet)
    check_kits(loaded, source=source)
    wanted = loaded if targets else loaded.model_copy(update={"tasks": {}})
    check_against(wanted, opened, source=source)
    return loaded, spoken(loaded, opened.read_as(None, number_columns(loaded)))


def spoken(job: config.Job, table: Table) -> Table:
    """The table with what is said in its recordings, where a job asks for that."""
    if not heard(job):
        return table
    from modalloy.speech.heard import with_heard

    return with_heard(table, job, quiet=False)
