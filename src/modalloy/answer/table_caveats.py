"""What of a table is not as it was in training, in sentences."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from modalloy.answer.chances import at_least
from modalloy.answer.loader import Loader
from modalloy.cells.cells import Cells, empty
from modalloy.cells.numbers import to_numbers
from modalloy.checks.column_values import spread
from modalloy.checks.finding import Finding, finding, share, some
from modalloy.job import config
from modalloy.job.headings import match_headings, near_heading
from modalloy.job.inputs import heard, input_columns
from modalloy.job.job_file import named_columns
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from modalloy.readers.targets.target import names_of
from modalloy.table.table import Table
from modalloy.tasks.columns import number_columns
from modalloy.tasks.kit import kit_of

LOOKED_AT = 1_000  # training rows whose cells are counted
CHEAP = ("number", "category", "time", "vector")  # reading their cells opens no file
KINDS = ("missing", "unreadable", "unknown")
MUCH = 0.5  # share that is said where nobody knows what was usual in training
MORE = 0.1  # by how much a share must be larger than in training to be said
RARE, RARER = 1e-2, 1e-3  # chances below which it is no accident: of all cells, of some

Usual = Mapping[str, Mapping[str, int]]


def find_columns(
    job: config.Job, table: Table, *, answers: bool, decimal: str | None
) -> tuple[Table, list[Finding]]:
    """The table with its columns called and its numbers read as the run does, and what was found on
    the way.

    A column is found by its exact name, else by the one other name that differs in capitals, white
    space and invisible characters only. answers: targets and groups are looked for as well.
    decimal: the sign in the fractions of the training table; it holds unless all columns of numbers
    that show a sign show the other one.
    """
    wanted = {c: name for name, columns in input_columns(job).items() for c in columns}
    wanted = {c: n for c, n in wanted.items() if c not in heard(job)}
    wanted |= {audio: name for name, audio in heard(job).items() if audio not in wanted}
    if answers:
        wanted |= {c: c for c in answer_columns(job) if c not in wanted}
    named = {column for _, column in named_columns(job)}
    found = match_headings(wanted, table.columns, named)
    source = short(table)
    if found:
        table = table.renamed({held: column for column, held in found.items()})
    said = [
        finding("note", column, f"read from the column '{held}' of {source}, whose name differs in "
                "capitals, blanks or invisible characters only")
        for column, held in found.items()
    ]  # fmt: skip
    table = table.read_as(decimal, number_columns(job))
    if decimal not in (None, table.decimal):
        signs = {".": "point", ",": "comma"}
        what = (
            f"fractions are written with a {signs[table.decimal]}, those of training with a "
            f"{signs[str(decimal)]}; they are read as this table writes them"
        )
        said.append(finding("warning", source, what))
    free = [c for c in table.columns if c not in named and c not in wanted]
    for column, name in wanted.items():
        if column not in table.columns:
            said.append(absent(column, name, table, free))
    return table, said


def answer_columns(job: config.Job) -> Iterator[str]:
    """Columns that hold true answers, and the one that says which rows belong together."""
    for task in job.tasks.values():
        yield from task.answers_in.values()
    groups = (c for c, o in job.columns.items() if isinstance(o, config.Group))
    yield from [job.split.by] if job.split.by is not None else [*groups][:1]


def absent(column: str, name: str, table: Table, free: Sequence[str]) -> Finding:
    """What to say of a column that the table lacks."""
    what = f"absent in {short(table)}"
    what = f"{what}, so missing in all {table.rows} rows" if column == name else (
        f"its column '{column}' is {what}"
    )  # fmt: skip
    near = near_heading(column, free)
    if near is not None:
        what += f"; the table has '{near}': rename it to '{column}' if it means the same"
    elif free:
        what += f"; what the table has besides is {some(map(repr, free))}"
    return finding("warning", name, what)


def count_cells(loader: Loader, which: np.ndarray) -> dict[str, dict[str, int]]:
    """How many cells of each input are missing, unreadable and unknown in training rows.

    At most a thousand of the rows are looked at, evenly spread; `rows` says how many. No file is
    opened: of media and texts only empty cells are counted.
    """
    looked = spread(which, LOOKED_AT)
    found = {}
    for name, reader in loader.readers.items():
        cells = loader.cells(reader.columns, looked)
        found[name] = {"rows": len(looked)}
        if reader.kind in CHEAP:
            said = name_infinity(reader, reader.read(cells).status, cells)
            found[name] |= {k: len(of_kind(said, k)) for k in KINDS}
        else:
            blank = [all(map(empty, row)) for row in zip(*cells.columns.values(), strict=True)]
            found[name]["missing"] = sum(blank)
    return found


def statuses(loader: Loader, which: np.ndarray) -> dict[str, list[str]]:
    """Input that is read -> what each row's cell was worth; read the rows first."""
    found = {}
    for name, reader in loader.readers.items():
        if name in loader.hidden:
            continue
        noted = loader.status[name]
        said = [noted.get(int(r), "ok") for r in which]
        blank = [i for i, status in enumerate(said) if status == "missing"]
        if isinstance(reader, NumberReader) and blank:
            cells = loader.cells(reader.columns, which[blank])
            named = name_infinity(reader, ["missing"] * len(blank), cells)
            for i, status in zip(blank, named, strict=True):
                said[i] = status
        found[name] = said
    return found


def name_infinity(reader: Reader, said: Sequence[str], cells: Cells) -> list[str]:
    """The same statuses, but infinity, which counts as missing, is named."""
    if not isinstance(reader, NumberReader):
        return list(said)
    return [
        f"unreadable: {x} is no finite number" if np.isinf(x) else status
        for status, x in zip(said, to_numbers(cells[reader.name], cells.decimal), strict=True)
    ]


def table_caveats(
    loader: Loader, which: np.ndarray, truth: Mapping[str, Sequence[Any]], usual: Usual
) -> list[Finding]:
    """What is said of the cells and the true answers of rows that were read."""
    return [*cell_caveats(loader, statuses(loader, which), usual), *truth_caveats(loader, truth)]


def cell_caveats(loader: Loader, said: Mapping[str, Sequence[str]], usual: Usual) -> list[Finding]:
    """What is said of cells that are missing, unreadable or unknown more often than in training.

    said: input -> the status of each row's cell; an input whose columns are absent is passed over.
    usual: what `count_cells` counted; where a run of an older version kept nothing, half of the
    cells must be so.
    """
    return counted_caveats(loader, {name: Odd.of(some) for name, some in said.items()}, usual)


@dataclass(frozen=True)
class Odd:
    """How many cells of an input are not in order. rows: all that were looked at. counts: by kind.
    examples: the first of each kind, without the kind's name.
    """

    rows: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Sequence[str]) -> Self:
        """Counted from the statuses of an input's cells."""
        kinds = {kind: of_kind(said, kind) for kind in KINDS}
        found = {kind: odd for kind, odd in kinds.items() if odd}
        counts = {kind: len(odd) for kind, odd in found.items()}
        return cls(len(said), counts, {kind: odd[0] for kind, odd in found.items()})

    def and_then(self, later: "Odd") -> "Odd":
        """Of these rows and the ones after them."""
        counts = {k: self.counts.get(k, 0) + later.counts.get(k, 0) for k in KINDS}
        return Odd(self.rows + later.rows, counts, {**later.examples, **self.examples})


def counted_caveats(loader: Loader, counted: Mapping[str, Odd], usual: Usual) -> list[Finding]:
    """As `cell_caveats`, from counts by input."""
    found, have = [], set(loader.table.columns)
    for name, columns in input_columns(loader.job).items():
        if name in loader.hidden or not have.intersection(columns):
            continue
        odd, before = counted[name], usual.get(name)
        for kind in KINDS:
            count = odd.counts.get(kind, 0)
            if count and unusual(kind, count, odd.rows, before):
                what = say_cells(kind, count, odd.examples[kind], odd.rows)
                found.append(finding("warning", name, what + say_usual(kind, before)))
    return found


def unusual(kind: str, odd: int, rows: int, usual: Mapping[str, int] | None) -> bool:
    """Whether so many cells of so many are more than training rows let one expect."""
    if usual is None or kind not in usual:
        return kind == "unreadable" or (rows > 2 and odd / rows >= MUCH)
    before = usual[kind] / max(1, usual["rows"])
    if odd / rows <= before:
        return False
    if kind == "unreadable" and not before:
        return True
    expected = (usual[kind] + 1) / (usual["rows"] + 2)  # Laplace's rule of succession
    chance = at_least(odd, rows, expected)
    if odd == rows:
        return chance < RARE
    return odd / rows - before >= MORE and chance < RARER


def of_kind(said: Sequence[str], kind: str) -> list[str]:
    """The statuses of one kind, without its name."""
    return [s.removeprefix(kind).removeprefix(": ") for s in said if s.startswith(kind)]


def say_cells(kind: str, odd: int, example: str, rows: int) -> str:
    """How many cells are so, with an example."""
    of = f"{odd} of {rows} cells"
    if kind == "missing":
        return f"{of} are empty"
    if kind == "unknown":
        return f"{of} are names that training never saw (e.g. '{example}')"
    return f"{of} cannot be read (e.g. {example.rstrip('.')})"


def say_usual(kind: str, usual: Mapping[str, int] | None) -> str:
    """What share of the training cells was so; nothing where the run does not know."""
    if usual is None or kind not in usual:
        return ""
    if not usual[kind]:
        return "; in training none was"
    return f"; in training {share(usual[kind], usual['rows'])} were"


def truth_caveats(loader: Loader, truth: Mapping[str, Sequence[Any]]) -> list[Finding]:
    """What is said of true answers that no answer can agree with."""
    found = []
    for name, target in loader.targets.items():
        names = names_of(target)
        if names is None or not kit_of(loader.job.tasks[name]).whole_row:
            continue
        known = [t if isinstance(t, list) else [t] for t in truth[name] if t is not None]
        odd = [n for labels in known for n in labels if n not in set(names)]
        wrong = sum(any(n not in set(names) for n in labels) for labels in known)
        if wrong:
            what = f"{wrong} of {len(known)} true answers are names that training never saw"
            what += f" (e.g. '{odd[0]}'), which no answer can be"
            found.append(finding("warning", target.column, what))
    return found


def short(table: Table) -> str:
    """A table as people call it."""
    return table.source if "?" in table.source else Path(table.source).name


def sentence(caveat: Finding) -> str:
    """A caveat with its place."""
    return f"{caveat.where}: {caveat.what}"
