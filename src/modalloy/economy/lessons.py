"""What every set of inputs would have answered for rows with a known truth: policies are learned
and judged on this table alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.answers import Answers, Hidden
from modalloy.answer.blended import blended
from modalloy.answer.buying import there_of
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.economy.wrong import Judge
from modalloy.judge.figures import truth_of
from modalloy.policy.rules import Rule
from modalloy.policy.seen import Features, Seen
from modalloy.readers.targets.target import names_of

MOST = 10  # inputs that are decided on: each further one would double the table
SOFT = 0.1  # of a larger loss beside a wrong decision, so that rare ones leave something to learn


@dataclass(frozen=True)
class Lessons:
    """N rows by S = 2^M sets of inputs; the bits of a set's number say which are bought.

    cost_M: of each input as a share of what all of them cost. x_SNF: `Features` of the answers.
    worse_SN: whether a decision of the row is wrong that would be right with every input, 0 or 1.
    loss_SN: how wrong the answers are, see `Judge.loss`. there_NM: which cells are there.
    """

    names: tuple[str, ...]
    cost_M: np.ndarray
    x_SNF: np.ndarray
    worse_SN: np.ndarray
    loss_SN: np.ndarray
    there_NM: np.ndarray

    def __len__(self) -> int:
        return self.there_NM.shape[0]

    @property
    def bits_M(self) -> np.ndarray:
        """The bit of each input."""
        return 1 << np.arange(len(self.names))

    @property
    def bought_SM(self) -> np.ndarray:
        """Which inputs each set holds, bool."""
        return (np.arange(1 << len(self.names))[:, None] & self.bits_M).astype(bool)

    @property
    def risk_SN(self) -> np.ndarray:
        """What policies are learned to keep low: worse decisions, and a little of larger losses."""
        return self.worse_SN + SOFT * np.maximum(self.loss_SN - self.loss_SN[-1], 0.0)

    def seen(self, set_N: np.ndarray, rows: np.ndarray | None = None) -> Seen:
        """What a rule sees of rows that have bought these sets."""
        rows = np.arange(len(self)) if rows is None else rows
        bought_NM = self.bought_SM[set_N]
        return Seen(bought_NM, self.there_NM[rows] & ~bought_NM, self.x_SNF[set_N, rows])

    def cost_of(self, set_N: np.ndarray) -> np.ndarray:
        """What these sets cost, as shares."""
        return self.bought_SM[set_N] @ self.cost_M

    def some(self, rows: np.ndarray) -> "Lessons":
        """The same of some rows."""
        parts = (self.x_SNF[:, rows], self.worse_SN[:, rows], self.loss_SN[:, rows])
        return Lessons(self.names, self.cost_M, *parts, self.there_NM[rows])


class Outcome(NamedTuple):
    """How rows ended by a rule, (N,): the set that each bought, its cost as a share, and whether a
    decision is worse for it; risk: with a little of larger losses."""

    set_N: np.ndarray
    cost_N: np.ndarray
    worse_N: np.ndarray
    risk_N: np.ndarray


def follow(rule: Rule, lessons: Lessons) -> Outcome:
    """Let every row buy by a rule, as `answer/buying.py` does with cells."""
    set_N = np.zeros(len(lessons), dtype=np.int64)
    for _ in range(len(lessons.names) + 1):
        seen = lessons.seen(set_N)
        wanted_NM = rule.wants(seen) & seen.open_BM
        if not wanted_NM.any():
            break
        set_N |= wanted_NM @ lessons.bits_M
    rows = np.arange(len(lessons))
    cost_N = lessons.cost_of(set_N)
    return Outcome(set_N, cost_N, lessons.worse_SN[set_N, rows], lessons.risk_SN[set_N, rows])


class Asked(NamedTuple):
    """Answers to rows by set of inputs, and what is true of them."""

    names: tuple[str, ...]
    answers: Sequence[Answers]  # by the number of the set, before stages
    truth: Mapping[str, Sequence[Any]]
    there_NM: np.ndarray

    def some(self, rows: np.ndarray) -> "Asked":
        """The same of some rows."""
        answers = [
            {t: {k: v[rows] for k, v in a.items()} for t, a in own.items()} for own in self.answers
        ]
        truth = {t: [known[i] for i in rows.tolist()] for t, known in self.truth.items()}
        return Asked(self.names, answers, truth, self.there_NM[rows])


def ask_subsets(
    predictor: Predictor,
    loader: Loader,
    which: np.ndarray,
    names: Sequence[str],
    *,
    tick: Callable[[int], None] = lambda n: None,
) -> Asked:
    """Answers with every set of these inputs; other inputs are always read. Encoders run once."""
    blend, sets = predictor.blend, 1 << len(names)
    hidden: list[Hidden] = [
        frozenset(n for m, n in enumerate(names) if not s >> m & 1) for s in range(sets)
    ]
    asked = {"hidden": hidden, "heads": blend.heads, "widths": blend.widths}
    answered = answer_rows(predictor.engine, loader, which, **asked, tick=tick)
    found = blended(blend, answered, loader, which)
    there_NM = np.stack([there_of(loader, n, which) for n in names], axis=1)
    truth = truth_of(loader, which)
    return Asked(tuple(names), [found[h] for h in hidden], truth, there_NM)


def judges_of(predictor: Predictor) -> dict[str, Judge]:
    """Who judges each task. JobError for a kind of task without a single answer a row."""
    run = predictor.run
    return {t: Judge(t, o, names_of(run.targets[t])) for t, o in run.job.tasks.items()}


def fit_features(judges: Mapping[str, Judge], asked: Asked) -> Features:
    """What rules see, and how far numbers may be off, by the rows that teach."""
    full = asked.answers[-1]
    for task, judge in judges.items():
        judge.learn_tolerance(full[task], asked.truth[task])
    return Features({task: judge.form(full[task]) for task, judge in judges.items()})


def lessons_of(
    asked: Asked, judges: Mapping[str, Judge], features: Features, cost_M: np.ndarray
) -> Lessons:
    """The table of what each set loses. cost_M: in any unit."""
    wrong_STN = np.array(
        [[j.wrong(a[t], asked.truth[t]) for t, j in judges.items()] for a in asked.answers]
    )
    loss_STN = np.array(
        [[j.loss(a[t], asked.truth[t]) for t, j in judges.items()] for a in asked.answers]
    )
    worse_SN = (wrong_STN & ~wrong_STN[-1]).any(1)
    total = float(np.sum(cost_M))
    share_M = np.asarray(cost_M, dtype=np.float64) / (total or 1.0)
    x_SNF = np.stack([features.of(a) for a in asked.answers])
    return Lessons(
        asked.names, share_M, x_SNF, worse_SN.astype(float), loss_STN.mean(1), asked.there_NM
    )
