"""Loading and saving job files; all faults come in one error, with file and line."""

import codecs
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.config import Job
from modalloy.job.faults import Fault, as_json, quoted, validate
from modalloy.job.headings import near_heading
from modalloy.job.options import did_you_mean
from modalloy.job.page import Page
from modalloy.job.rules import broken_rules
from modalloy.machine.encodings import GB18030, read_as
from modalloy.machine.files import write_safely

FRAME = "<frame>"  # stands for a table that was handed over in memory
LARGEST_BYTES = 1_000_000
EXCEL = (".xlsx", ".xlsm")
TABLES = (
    ".csv", ".tsv", ".parquet", ".feather", ".xlsx", ".xls", ".gz", ".jsonl", ".ndjson", ".db",
    ".sqlite",
)  # fmt: skip

Source = str | Path | Mapping[str, Any] | Job


class Columned(Protocol):
    """What `check_against` needs to know of a table."""

    source: str

    @property
    def columns(self) -> list[str]:
        """Names of its columns."""


def load_job(source: Source, *, table: Any = None) -> Job:
    """Read and validate a job: a path, YAML text (anything with a line break), or a dictionary.

    table: replaces the job's own, as a path, an open table or a frame in memory, which the job then
        calls `FRAME`; the job's sheet goes with its table unless the new one is an Excel file too.
    The job's tables and `train.start` come out absolute; relative ones start at the job file's
    folder.
    Raises JobError with one line a fault: `job.yaml:7: columns.photo.encoder: ...`.
    """
    if isinstance(source, Job):
        return source if table is None else source.model_copy(update=_named(table, source.sheet))
    page, name, folder = _open(source)
    data = page.data
    if table is not None and isinstance(data, dict):
        named = _named(table, data.get("sheet"))
        data = {k: v for k, v in (data | named).items() if k != "sheet" or v is not None}
    job, faults = _judge(data, page)
    if job is None:
        raise JobError(told(faults, page, name))
    return _rooted(job, folder)


def _rooted(job: Job, folder: Path) -> Job:
    """The job with its paths from the root."""
    table, train, further = absolute(job.table, folder), job.train, job.pretrain.unlabelled
    if train.start is not None:
        train = train.model_copy(update={"start": Path(os.path.abspath(folder / train.start))})
    listed = (further,) if isinstance(further, str) else further
    unlabelled = tuple(absolute(other, folder) for other in listed)
    pretrain = job.pretrain.model_copy(update={"unlabelled": unlabelled})
    return job.model_copy(update={"table": table, "train": train, "pretrain": pretrain})


def _judge(data: Any, page: Page) -> tuple[Job | None, list[Fault]]:
    """The job, or everything that is wrong with it."""
    if data is None:
        return None, page.faults or [Fault((), "is empty; `modalloy init TABLE` writes a job.")]
    found = validate(data)
    faults = {} if isinstance(found, Job) else {fault.path: fault for fault in found}
    for fault in broken_rules(data):
        faults.setdefault(fault.path, fault)
    everything = page.faults + list(faults.values())
    if everything or not isinstance(found, Job):
        return None, everything
    return found, []


def check_against(job: Job, table: Columned, *, source: Source | None = None) -> None:
    """Raise JobError naming every column of the job that the table lacks.

    source: what `load_job` was given; its lines then stand in the message.
    """
    faults, named = [], list(named_columns(job))
    free = [c for c in table.columns if c not in {column for _, column in named}]
    for path, column in named:
        if column not in table.columns:
            near = near_heading(column, free)
            hint = f"Did you mean '{near}'?" if near else f"It has {_some(table.columns)}."
            faults.append(
                Fault(path, f"{_short(table.source)} has no column {quoted(column)}. {hint}")
            )
    refuse(faults, job if source is None else source)


def refuse(faults: Sequence[Fault], source: Source) -> None:
    """Raise JobError with these faults of a job, if there are any, each with its line."""
    if faults:
        page, name, _ = _open(source)
        raise JobError(told(faults, page, name))


def named_columns(job: Job) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every table column that the job names, with the path to the place that names it."""
    for way in ("column", "by", "time"):
        column = getattr(job.split, way)
        if column is not None:
            yield ("split", way), column
    for name, options in job.columns.items():
        if isinstance(options, config.Series):
            yield from _columns_of_series(name, options)
        elif isinstance(options, config.Text) and options.from_audio is not None:
            yield ("columns", name, "from_audio"), options.from_audio
        else:
            yield ("columns", name), name
        if isinstance(options, config.Time) and options.since is not None:
            yield ("columns", name, "since"), options.since
    for name, task in job.tasks.items():
        told = {**task.answers_in, **task.looks_up}
        yield from ((("tasks", name, *key.split(".")), column) for key, column in told.items())
    yield from ((("calibrate", "by"), column) for column in job.calibrate.by)


def _columns_of_series(name: str, options: config.Series) -> Iterator[tuple[tuple[str, ...], str]]:
    """Channels, shaft speed, and what orders the history."""
    path = ("columns", name)
    if options.channels:
        yield from (((*path, "from"), channel) for channel in options.channels)
    else:
        yield path, name
    if isinstance(options.rpm, str):
        yield (*path, "rpm"), options.rpm
    if options.history is not None:
        yield from (((*path, "history", "by"), column) for column in options.history.by)
        yield (*path, "history", "order"), options.history.order


def save_job(job: Job, path: str | Path) -> None:
    """Write a job with every option spelled out, so that later defaults do not change it."""
    write_safely(Path(path), job_text(job).encode())


def job_text(job: Job) -> str:
    """The YAML of a job; `load_job` makes the same job of it."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    data = job_data(job)
    # Line ends of other alphabets (U+0085, U+2028) only survive as escapes.
    yaml.allow_unicode = json.dumps(data, ensure_ascii=False).isprintable()
    text = io.StringIO()
    yaml.dump(data, text)
    return text.getvalue()


def job_data(job: Job) -> dict[str, Any]:
    """A job as plain data, with every option spelled out."""
    unsaid = None if job.tune else {"tune"}
    return job.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=unsaid)


def _open(source: Source) -> tuple[Page, str, Path]:
    """What the source holds, the name that faults give it, and where relative paths start."""
    from modalloy.job.lined_yaml import read_page  # bundles hold no YAML

    if isinstance(source, Mapping | Job):
        plain = source if isinstance(source, Mapping) else {}
        return Page(json.loads(as_json(dict(plain)))), "job", Path()
    if isinstance(source, str) and "\n" in source:
        return read_page(source), "job", Path()
    path = Path(source)
    return read_page(_text(path)), str(path), path.parent


def _text(path: Path) -> str:
    """The text of a job file, or a sentence."""
    if path.is_dir():
        raise JobError(f"{path}: is a folder; give the job file itself.")
    if path.suffix.lower() in TABLES:
        raise JobError(
            f"{path}: is a table, not a job; `modalloy init {path} --target Y` writes a job for it."
        )
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise JobError(f"{path}: is too large for a job file; it should fit one page.")
        return decoded(path.read_bytes())
    except FileNotFoundError:
        beside = [p.name for p in path.parent.glob("*.y*ml")]
        raise JobError(f"{path}: no such file.{did_you_mean(path.name, beside)}") from None
    except UnicodeDecodeError as error:
        raise JobError(f"{path}: is not text in UTF-8 (byte {error.start}).") from error
    except OSError as error:
        raise JobError(f"{path}: cannot be read ({error.strerror}).") from error


def decoded(data: bytes) -> str:
    """Text in UTF-8, or as shells of Windows write what `init` prints: UTF-16, GB18030 in China."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        chinese = read_as(data, ended=True, least=1) == GB18030
        encoding = GB18030 if chinese else "utf-8-sig"
    return io.StringIO(data.decode(encoding), newline=None).read()


def told(faults: Iterable[Fault], page: Page, name: str) -> str:
    """All faults, one a line, in the order of the page."""
    lines = [(page.line(fault.path), fault) for fault in faults]
    lines.sort(key=lambda pair: pair[0] or 0)
    return "\n".join(f"{name}:{line}: {f}" if line else f"{name}: {f}" for line, f in lines)


def _named(table: Any, sheet: Any) -> dict[str, Any]:
    """How a job names a table that was given beside it; sheet: the one that the job names."""
    source = getattr(table, "source", None)  # of an open table; a frame may have such a column
    if isinstance(source, str):
        return {"table": absolute(source, Path()), "sheet": table.sheet}
    if not isinstance(table, str | os.PathLike):
        return {"table": FRAME, "sheet": None}
    path = os.fspath(table)
    kept = sheet if path.lower().endswith(EXCEL) else None
    return {"table": absolute(path, Path()), "sheet": kept}


def absolute(table: str, folder: Path) -> str:
    """The table's path from the root; `sqlite:///file.db?query` keeps its query."""
    if table == FRAME:
        return table
    if table.startswith("sqlite:///"):
        file, mark, query = table.removeprefix("sqlite:///").partition("?")
        return f"sqlite:///{os.path.abspath(folder / file)}{mark}{query}"
    return os.path.abspath(folder / table)


def _some(names: list[str], most: int = 12) -> str:
    """The first names of a list."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _short(source: str) -> str:
    """The last part of a path, as people call a table."""
    return Path(source).name if "?" not in source else source
