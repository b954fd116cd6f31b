"""Golden rows: a few rows as readers made them, and what the network said of them when a bundle was
made. On a machine of another kind they tell whether it still decides alike.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from modalloy.answer.agreement.agreement import Compared, agreement_of, compare_task
from modalloy.answer.answers import Answers
from modalloy.answer.decoding.build import decode
from modalloy.answer.engine import Engine
from modalloy.answer.loader import Loader
from modalloy.readers.batch import ArrayBatch, Arrays

MOST = 64  # rows
LARGEST = 16 << 20  # bytes
SHARE = 0.995  # of rows that two ways to compute a network must decide alike
TIE = 1e-5  # a smaller margin is no decision: batches of another size round that much otherwise


class Golden(NamedTuple):
    """Rows as they go into a network. run, said: task -> what its head said of them in the run, and
    by the way of the bundle that is to be used first, which may be one of fewer bits.
    """

    given: ArrayBatch
    run: dict[str, Arrays]
    said: dict[str, Arrays]


class Packed(NamedTuple):
    """The part of a bundle that keeps golden rows, and how many there are; 0 for none."""

    rows: int
    data: bytes


class Verdict(NamedTuple):
    """How two ways to compute a network agree about one task's answers to some rows.

    compared: row by row, ties counted as alike. share: of the rows that are alike. worst: the
    largest margin of those that are not, 0 without one.
    """

    compared: Compared
    share: float
    worst: float
    bound: float

    @property
    def fine(self) -> bool:
        """Whether enough rows are alike, and no other one was certain."""
        return self.share >= SHARE and self.worst <= self.bound


def verdict(found: Compared, bound: float) -> Verdict:
    """The verdict on rows of which none may be decided otherwise with a margin above the bound."""
    same_B = found.same_B | (found.margin_B <= TIE)
    margin_B = np.where(same_B, 0.0, found.margin_B)
    share = float(same_B.mean()) if len(same_B) else 1.0
    return Verdict(Compared(same_B, margin_B), share, float(margin_B.max(initial=0.0)), bound)


def golden_of(
    engine: Engine, loader: Loader, which: np.ndarray, first: Engine | None = None
) -> Packed:
    """Golden rows: of these rows some spread evenly, as many as there is room for; none where one
    alone is too large. engine: of the run. first: the way of the bundle that is to be used first,
    the run's for None.
    """
    from safetensors.numpy import save

    count = min(MOST, len(which))
    while True:
        given = loader.batch(spread(which, count))
        run = said_of(engine, given)
        said = run if first is None else said_of(first, given)
        data = save(dict(as_arrays(engine, Golden(given, run, said))))
        if len(data) <= LARGEST or count == 1:
            return Packed(count, data) if len(data) <= LARGEST else Packed(0, b"")
        count = max(1, min(count - 1, int(count * LARGEST / len(data))))


def spread(which: np.ndarray, most: int) -> np.ndarray:
    """So many of these rows, spread evenly; all where they are fewer."""
    count = min(most, len(which))
    return which[np.linspace(0, len(which) - 1, count).astype(np.int64)]


def golden_from(data: bytes, engine: Engine) -> Golden | None:
    """The rows that were kept; None where one of them alone was too large."""
    from safetensors.numpy import load

    values: dict[str, Arrays] = {}
    present: Arrays = {}
    told: dict[str, dict[str, Arrays]] = {"run": {}, "said": {}}
    names, tasks = engine.inputs, list(engine.job.tasks)
    for key, x in load(data).items():
        kind, number, *rest = key.split("/", 2)
        if kind == "value":
            values.setdefault(names[int(number)], {})[rest[0]] = x
        elif kind == "present":
            present[names[int(number)]] = x
        else:
            told[kind].setdefault(tasks[int(number)], {})[rest[0]] = x
    if not told["said"]:
        return None
    rows = np.arange(len(present[names[0]]))
    given = ArrayBatch({n: values.get(n, {}) for n in present}, present, {}, rows)
    return Golden(given, told["run"], told["said"])


def as_arrays(engine: Engine, golden: Golden) -> Iterator[tuple[str, np.ndarray]]:
    """All of it by names that no column and no task can break."""
    for m, name in enumerate(engine.inputs):
        yield f"present/{m}", np.ascontiguousarray(golden.given.present[name])
        for key, x in golden.given.values[name].items():
            yield f"value/{m}/{key}", np.ascontiguousarray(x)
    for kind, told in (("run", golden.run), ("said", golden.said)):
        for t, task in enumerate(engine.job.tasks):
            for key, x in told[task].items():
                yield f"{kind}/{t}/{key}", np.ascontiguousarray(x)


def said_of(engine: Engine, given: ArrayBatch) -> dict[str, Arrays]:
    """What the network says of rows, task by task."""
    with engine.answering():
        return engine.decide(engine.encode(given, engine.inputs)).tasks


def strange(engine: Engine, golden: Golden, *, first: bool = True) -> list[str]:
    """Sentences on the tasks whose golden rows this engine decides otherwise; none where it decides
    as it was kept. first: as the way that was to be used first did, else as the run did.
    """
    kept = golden.said if first else golden.run
    before, after = (decoded(engine, s) for s in (kept, said_of(engine, golden.given)))
    found = []
    for task, options in engine.job.tasks.items():
        target = engine.targets[task]
        pair = compare_task(task, options, target, before[task], after[task])
        own = verdict(pair, agreement_of(options).bound)
        if not own.fine:
            count = int((~own.compared.same_B).sum())
            found.append(f"task '{task}' decides {count} of {len(golden.given)} rows otherwise")
    return found


def decoded(engine: Engine, said: Mapping[str, Arrays]) -> Answers:
    """Answers from what heads say."""
    return {n: decode(engine.job.tasks[n], engine.targets[n], out) for n, out in said.items()}
