"""The search for designs, state after state: plan, simulate, ingest, train, calibrate, propose,
verify, then infill or accept.

Every state writes a record, and what it did follows from the records before it, the runs and the
seed alone: a search that was killed goes on as though it had not been.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

import numpy as np

from modalloy.designing.accepted import accepted, best_of
from modalloy.designing.choose import Kind
from modalloy.designing.experiments import Experiments
from modalloy.designing.learned import Learned, learn
from modalloy.designing.problem import Problem, Rows, best_row
from modalloy.designing.propose import Proposals
from modalloy.designing.records import Record, Records, State
from modalloy.designing.running import Runner, refuse_silent
from modalloy.designing.study import Study
from modalloy.designing.surrogates.over_hidden import Unseen
from modalloy.designing.trust_region import TrustRegion
from modalloy.errors import DesignError
from modalloy.twin.fingerprint import fingerprint
from modalloy.twin.plans import plan
from modalloy.twin.runs import Outcome
from modalloy.twin.variables import Categorical, Linked, Ordinal

ROUNDS = 1000  # seeds of a search's rounds are apart by so many
REFIT = 5  # rounds between two fits of the surrogate's parameters, after the first two
APART = 7_919  # what is added to the seed of a plan beside a run
GAINED = 1e-3  # share of the objective, from which a design is better


class Loop:
    """u_ND, y_NO: designs that were run, and what became of them, in the order of their runs. h_NH:
    what was hidden in each run."""

    def __init__(self, study: Study, records: Records, runner: Runner | Experiments) -> None:
        """Takes up what records and runs hold; DesignError where experiments have changed since."""
        self.study, self.records, self.runner = study, records, runner
        self.asked = study.asked
        self.u_ND = np.zeros((0, study.space.size))
        self.y_NO = np.zeros((0, len(study.outputs)))
        self.h_NH = np.zeros((0, len(study.twin.hidden)))
        self.outcomes: list[Outcome] = []
        self.score_N: list[float] = []
        self.region: TrustRegion | None = None
        self._learned: Learned | None = None
        first = records.last("plan")
        if first is not None and first.facts["tried"] != self.tried():
            raise DesignError(
                f"{records.folder.parent}: the rows of experiments have changed since this search "
                "began; begin anew in another folder."
            )
        for record in records.all:
            if record.state in ("simulate", "verify"):
                self.take(self.pending(record.number))
                earlier = records.all[: record.number]
                self.judged(record.facts.get("scores", ()), fewer=fewer(earlier))

    def states(self) -> Iterator[Record]:
        """Go on until nothing is left to do; each state's record as it is written."""
        while states := self.records.next():
            state = self.chosen(states)
            yield self.records.write(state, self.facts(state))

    def chosen(self, states: Sequence[State]) -> State:
        """The state that comes now."""
        if len(states) == 1:
            return states[0]
        last = self.records.last()
        assert last is not None
        if last.state == "propose":
            return "accept" if isinstance(self.runner, Experiments) else "verify"
        return "accept" if self.final() else "infill"

    def facts(self, state: State) -> dict[str, Any]:
        """Do what a state is for; what its record says."""
        match state:
            case "plan":
                return self.plan()
            case "simulate":
                return self.simulate()
            case "ingest":
                return self.ingest()
            case "train":
                return self.train()
            case "calibrate":
                return {**self.learned().calibrated(), "certified": certified(self.records)}
            case "propose":
                return self.propose()
            case "verify":
                return self.verify()
            case "infill":
                return self.infill()
            case "accept":
                return accepted(self.study, self.records, self.u_ND, self.y_NO, self.outcomes)
            case _:
                assert_never(state)

    def plan(self) -> dict[str, Any]:
        """What is asked, and how the first designs are spread."""
        study, asked = self.study, self.asked
        return {
            "twin": study.twin.name,
            "fingerprint": fingerprint(study.twin),
            "asked": asked.model_dump(mode="json"),
            "objectives": [
                {**o._asdict(), "unit": study.units[o.output]} for o in study.problem.objectives
            ],
            "constraints": [
                {
                    "output": c.output,
                    "low": None if np.isinf(c.low) else c.low,
                    "high": None if np.isinf(c.high) else c.high,
                    "unit": c.unit,
                    "text": c.text,
                }
                for c in study.problem.constraints
            ],
            "variables": {
                n: bounds(v) for n, v in study.twin.variables.items() if not isinstance(v, Linked)
            },
            "runs": asked.first,
            "untried": asked.untried,
            "kind": asked.plan,
            "tried": self.tried(),
            **({} if study.run is None else {"run": study.run.facts()}),
        }

    def tried(self) -> str | None:
        """Which experiments stand in place of runs; None where runs are made."""
        return self.runner.digest() if isinstance(self.runner, Experiments) else None

    def planned(self) -> np.ndarray:
        """u_ND of the first designs."""
        if isinstance(self.runner, Experiments):
            return self.runner.u_ND
        kind, seed = self.asked.plan, self.asked.seed
        if self.study.run is not None:
            seed += APART  # rows that a run has learned from were planned with the seed, mostly
        return self.study.problem.repair(
            plan(self.study.space, self.asked.first, kind=kind, seed=seed)
        )

    def simulate(self) -> dict[str, Any]:
        """Run the first designs."""
        start = time.perf_counter()
        outcomes = self.take(self.planned())
        self.judged(())
        return ran(0, outcomes, time.perf_counter() - start)

    def ingest(self) -> dict[str, Any]:
        """What the rows hold so far."""
        kept_N = self.study.problem.kept(self.y_NO)
        failed = sum(o.status != "ok" for o in self.outcomes)
        return {
            "rows": len(self.y_NO),
            "failed": failed,
            "feasible": int(kept_N.sum()),
            "best": best_of(self.study, self.u_ND, self.y_NO),
            "passed": self.runner.passed if isinstance(self.runner, Experiments) else 0,
        }

    def train(self) -> dict[str, Any]:
        """Fit what stands in for the simulator."""
        refuse_silent(self.outcomes)
        start = time.perf_counter()
        last, rows = self.records.last("train"), len(self.y_NO)
        if last is not None and not due(self.round()):
            rows = int(last.facts["fitted"])
        self._learned = self.learn(rows, self.kind())
        facts = self._learned.trained()
        return {**facts, "fitted": rows, "seconds": time.perf_counter() - start}

    def propose(self) -> dict[str, Any]:
        """Designs for the next round, or the last ones, which have to keep their promise."""
        spare = self.left() - self.asked.proposals
        final = spare < 1 or not self.study.problem.objectives
        final = final or isinstance(self.runner, Experiments)
        count = self.asked.proposals if final else min(self.asked.batch, spare)
        _, told = self.proposals(count, final=final)
        if not final and not told["u"]:  # nothing new is left to run, as where levels are few
            final, count = True, self.asked.proposals
            _, told = self.proposals(count, final=True)
        return {"round": self.round(), "final": final, "wanted": count, **told}

    def proposals(self, count: int, *, final: bool) -> tuple[Proposals, dict[str, Any]]:
        """What is proposed now; the same each time it is asked."""
        seed = self.asked.seed * ROUNDS + self.round()
        return self.learned().propose(count, final=final, region=self.region, seed=seed)

    def verify(self) -> dict[str, Any]:
        """Run what was proposed."""
        first, start = len(self.outcomes), time.perf_counter()
        learned = self.learned()
        u_ND = self.pending(len(self.records.all))
        said = learned.chosen.surrogate.predict(u_ND)
        outcomes = self.take(u_ND)
        y_NO = self.y_NO[first:]
        score_N = learned.scores(said, y_NO) if learned.margin else np.full(len(y_NO), np.nan)
        known = [float(s) if np.isfinite(s) else None for s in score_N]
        self.judged(known, fewer=fewer(self.records.all))
        return {
            **ran(first, outcomes, time.perf_counter() - start),
            "outputs": [outputs_of(self.study, y_O) for y_O in y_NO],
            "status": [o.status for o in outcomes],
            "feasible": self.study.problem.kept(y_NO).tolist(),
            "scores": known,
        }

    def infill(self) -> dict[str, Any]:
        """What was verified is learned from in the next round."""
        asked = self.records.last("propose")
        assert asked is not None
        return {
            "added": len(asked.facts["u"]),
            "left": self.left(),
            "best": best_of(self.study, self.u_ND, self.y_NO),
        }

    def take(self, u_ND: np.ndarray) -> list[Outcome]:
        """Run designs, and keep what became of them."""
        designs, first = self.study.designs(u_ND), len(self.outcomes)
        outcomes = self.runner.run(first, designs)
        self.u_ND = np.concatenate([self.u_ND, self.study.problem.repair(u_ND)])
        self.y_NO = np.concatenate([self.y_NO, self.study.values(designs, outcomes)])
        if isinstance(self.runner, Runner):
            unseen = [self.runner.task(first + i, {}).values for i in range(len(designs))]
            self.h_NH = np.concatenate([self.h_NH, self.study.hidden_shares(unseen)])
        self.outcomes += outcomes
        return outcomes

    def pending(self, number: int) -> np.ndarray:
        """u_ND of the designs that a record of runs is about."""
        if number < len(self.records.all) and self.records.all[number].state == "simulate":
            return self.planned()
        u = self.records.all[number - 1].facts["u"]
        return np.array(u, dtype=np.float64).reshape(-1, self.study.space.size)

    def learned(self) -> Learned:
        """What was learned from all rows when the latest record of `train` was written."""
        if self._learned is None:
            last = self.records.last("train")
            assert last is not None
            self._learned = self.learn(int(last.facts["fitted"]), last.facts["surrogate"])
        return self._learned

    def learn(self, fitted: int, kind: Kind | None) -> Learned:
        """Learn from all rows, parameters of the surrogate from the first so many."""
        rows, unseen = Rows(self.u_ND, self.y_NO), None
        if self.study.drawn and isinstance(self.runner, Runner):
            unseen = Unseen(self.h_NH, self.study.hidden_points())
        score_N = np.array(self.score_N)
        return learn(self.study, rows, score_N, kind=kind, fitted=fitted, unseen=unseen)

    def kind(self) -> Kind | None:
        """What is fitted to stand in for the simulator: what is asked, else what the first rows
        chose; None where a run stands in."""
        if self.study.run is not None:
            return None
        if self.asked.surrogate != "auto":
            return self.asked.surrogate
        last = self.records.last("train")
        return None if last is None else last.facts["surrogate"]

    def judged(self, scores: Sequence[float | None], *, fewer: bool = False) -> None:
        """Keep how kindly the latest runs were foretold, and move the region to the best design.

        fewer: fewer designs were found in the region than were asked; it begins anew, too.
        """
        known = [np.nan if s is None else s for s in scores]
        self.score_N += known or [np.nan] * (len(self.y_NO) - len(self.score_N))
        if not self.study.problem.objectives:
            return
        now, before = Rows(self.u_ND, self.y_NO), len(self.y_NO) - len(known)
        best = best_row(self.study.problem, now)
        if best is None:
            return
        if self.region is None or not known:
            self.region = TrustRegion(now.u_ND[best])
            return
        old = Rows(now.u_ND[:before], now.y_NO[:before])
        self.region = self.region.after(
            now.u_ND[best], better=better(self.study.problem, old, now, best)
        )
        if self.region.exhausted or fewer:
            self.region = TrustRegion(now.u_ND[best])

    def left(self) -> int:
        """Runs of the budget that are left."""
        return self.asked.budget - len(self.outcomes)

    def round(self) -> int:
        """How many times was proposed and learned from."""
        return len(self.records.of("infill"))

    def final(self) -> bool:
        """Whether what was proposed last was the last of it."""
        last = self.records.last("propose")
        return last is not None and bool(last.facts["final"])


def certified(records: Records) -> int:
    """How many verified proposals the margin had certified, as it certifies the last ones."""
    count = 0
    for proposed, verified in zip(records.of("propose"), records.of("verify"), strict=False):
        told = zip(proposed.facts["certified"], verified.facts["scores"], strict=True)
        count += sum(sure and score is not None for sure, score in told)
    return count


def fewer(records: Sequence[Record]) -> bool:
    """Whether the last of some records found fewer designs to propose than were asked."""
    facts = records[-1].facts if records else {}
    return len(facts.get("u", ())) < facts.get("wanted", 0)


def due(round_: int) -> bool:
    """Whether the surrogate's parameters are fitted anew in a round; else it is given new rows."""
    return round_ < 2 or round_ % REFIT == REFIT - 1


def better(problem: Problem, old: Rows, now: Rows, best: int) -> bool:
    """Whether the best row is better than the best one before."""
    before = best_row(problem, old)
    if before is None or best == before:
        return before is None
    kept_N = problem.kept(now.y_NO[[before, best]])
    if kept_N[0] != kept_N[1]:
        return bool(kept_N[1])
    f_N = problem.sought(now.y_NO[[before, best]])[:, 0]
    return bool(f_N[0] - f_N[1] > GAINED * abs(f_N[0])) or not kept_N[0]


def ran(first: int, outcomes: Sequence[Outcome], seconds: float) -> dict[str, Any]:
    """Which runs, and how they ended."""
    return {
        "runs": [first, first + len(outcomes) - 1],
        "status": dict(Counter(o.status for o in outcomes)),
        "seconds": seconds,
    }


def outputs_of(study: Study, y_O: np.ndarray) -> dict[str, float] | None:
    """A run's outputs by name; None where it failed."""
    if not np.isfinite(y_O).all():
        return None
    return dict(zip(study.outputs, y_O.tolist(), strict=True))


def bounds(variable: Any) -> dict[str, Any]:
    """What a variable may be, for the page."""
    match variable:
        case Categorical():
            return {"unit": None, "choices": list(variable.choices)}
        case Ordinal():
            return {"unit": variable.unit, "choices": list(variable.levels)}
        case _:
            return {"unit": variable.unit, "low": variable.low, "high": variable.high}
