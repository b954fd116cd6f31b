"""Fits and restores the readers of a job, and reads all tabular columns together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, assert_never

import numpy as np

from modalloy.cells.cells import Cells
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.readers.audio import AudioReader
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.target_means import LearnedAnswers
from modalloy.readers.targets.target import TargetReader
from modalloy.readers.text import TextReader, TokensReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import VectorReader
from modalloy.tasks.kit import kit_of, part

Loaded = TypeVar("Loaded", Reader, TargetReader)
CellsOf = Callable[[tuple[str, ...]], Cells]
TABULAR = ("number", "category", "time")
READERS: tuple[type[Reader], ...] = (
    NumberReader, CategoryReader, TimeReader, VectorReader, TextReader, TokensReader, ImageReader,
    AudioReader, SeriesReader,
)  # fmt: skip


class TableRead(NamedTuple):
    """What tabular columns say together, in the order number, category, time.

    values: `number` (B, Nn) float32, `category` (B, Nc) int64, `time` (B, Nt, F) float32, each only
        where there is such a column. present: (B, Nn + Nc + Nt) bool. status: a list of B for each
        column.
    """

    values: dict[str, np.ndarray]
    present: np.ndarray
    status: list[list[str]]


def fit_readers(
    job: config.Job, cells_of: CellsOf, answers: LearnedAnswers | None = None
) -> dict[str, Reader]:
    """A reader for each input column: number, category and time first, then media as in the job.

    cells_of: training cells of some columns. answers: of the same rows, for the statistics of
    categories. Raises TableError where a column holds nothing to learn from, JobError where a
    pretrained package is absent.
    """
    fitted = {
        name: reader
        for name, options in job.columns.items()
        if (reader := fit_reader(name, options, cells_of, answers)) is not None
    }
    return in_order(fitted)


def fit_reader(
    name: str,
    options: config.Column,
    cells_of: CellsOf,
    answers: LearnedAnswers | None = None,
) -> Reader | None:
    """The reader of one column, None for a column that is no input."""
    match options:
        case config.Number():
            return NumberReader.fit(name, options, cells_of((name,)))
        case config.Category():
            return CategoryReader.fit(name, options, cells_of((name,)), answers)
        case config.Time():
            since = () if options.since is None else (options.since,)
            return TimeReader.fit(name, options, cells_of((name, *since)))
        case config.Vector():
            return VectorReader.fit(name, options, cells_of((name,)))
        case config.Tokens():  # before Text, of which it is a kind
            return TokensReader.fit(name, options, cells_of((name,)))
        case config.Text():
            return TextReader.fit(name, options, cells_of((name,)))
        case config.Image():
            return ImageReader.fit(name, options, cells_of((name,)))
        case config.Audio():
            return AudioReader.fit(name, options, cells_of((name,)))
        case config.Series():
            columns = SeriesReader.blank(name, options).columns
            return SeriesReader.fit(name, options, cells_of(columns))
        case config.Group() | config.Ignore():
            return None
        case _:
            assert_never(options)


def fit_targets(job: config.Job, cells_of: CellsOf) -> dict[str, TargetReader]:
    """A target reader for each task. Raises TableError where there is nothing to learn."""
    return {name: fit_target(name, options, cells_of) for name, options in job.tasks.items()}


def fit_target(name: str, options: config.TaskOptions, cells_of: CellsOf) -> TargetReader:
    """The target reader of one task."""
    kind = target_of(options)
    return kind.fit(name, options, cells_of(kind.blank(name, options).columns))


def target_of(options: config.TaskOptions) -> type[TargetReader]:
    """The kind of target reader that a task has."""
    return part(kit_of(options).target)


def to_state(readers: Mapping[str, Reader | TargetReader]) -> dict[str, dict[str, Any]]:
    """Fitted readers of columns or of targets as JSON."""
    return {name: {"kind": r.kind, **r.state()} for name, r in readers.items()}


def from_state(state: Mapping[str, Mapping[str, Any]]) -> dict[str, Reader]:
    """The readers whose `to_state` this is. Raises RunError for what this version does not know."""
    return in_order({name: _load(name, s, READERS) for name, s in state.items()})


def targets_from_state(
    state: Mapping[str, Mapping[str, Any]], job: config.Job
) -> dict[str, TargetReader]:
    """The target readers whose `to_state` this is. Raises RunError as `from_state` does."""
    return {name: _load(name, s, (target_of(job.tasks[name]),)) for name, s in state.items()}


def in_order(readers: Mapping[str, Reader]) -> dict[str, Reader]:
    """Number, category and time columns first, in this order; then the others as they were."""
    rank = {kind: i for i, kind in enumerate(TABULAR)}
    return dict(sorted(readers.items(), key=lambda item: rank.get(item[1].kind, len(TABULAR))))


def read_table(readers: Sequence[Reader], cells: Cells) -> TableRead:
    """Read number, category and time columns together; other readers are not looked at."""
    tabular = list(in_order({r.name: r for r in readers if r.kind in TABULAR}).values())
    reads = [r.read(cells) for r in tabular]
    values = {}
    for kind in TABULAR:
        columns = [
            read.values["x"] for r, read in zip(tabular, reads, strict=True) if r.kind == kind
        ]
        if columns:
            values[kind] = np.stack(_same_width(columns), axis=1)
    present = np.stack([r.present for r in reads], axis=1) if reads else np.zeros((len(cells), 0))
    return TableRead(values, present.astype(bool), [r.status for r in reads])


def _same_width(columns: list[np.ndarray]) -> list[np.ndarray]:
    """Zeros behind times of which less is seen than of others."""
    if columns[0].ndim == 1:
        return columns
    width = max(x.shape[1] for x in columns)
    return [np.pad(x, ((0, 0), (0, width - x.shape[1]))) for x in columns]


def _load(name: str, state: Mapping[str, Any], kinds: Sequence[type[Loaded]]) -> Loaded:
    fields = dict(state)
    kind = fields.pop("kind", None)
    for one in kinds:
        if one.kind == kind:
            try:
                return one.from_state(fields)
            except TypeError as error:
                raise RunError(f"schema of '{name}' ({kind}) does not fit: {error}") from error
    raise RunError(f"schema of '{name}' has the kind {kind!r}, which this version does not know")
