"""What hardening has changed, in one table and in sentences, and whether that is robust."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modalloy.answer.answers import Answer, Answers
from modalloy.attacks.budget import Budget
from modalloy.checks.finding import Finding, Level
from modalloy.hardening.judged import Judged, gain_interval
from modalloy.hardening.learn_on import Hardened
from modalloy.hardening.rows import Rows
from modalloy.judge.compared import Compared, Pair, compare
from modalloy.judge.slices import group_labels
from modalloy.judge.wording import say
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import Run

BLENDED = "beside the old blend"
SECONDS = "Seconds of training, of hardening"
NAMES = {"clean": "rows to attack, clean", "worst": "worst of all attacks"}
LONG = 3.0  # times the training, beyond which it is said that hardening was slow


@dataclass(frozen=True)
class Outcome:
    """All that a hardening of a run came to.

    before, after: what was found of its network; None without test rows. whole: what the old run
    answered to the test rows, where more than its network had a say.
    """

    run: Run
    model: Model
    rows: Rows
    budgets: list[Budget]
    went: Hardened
    before: Judged | None
    after: Judged | None
    whole: Answers

    def pair(self, task: str, before: Answer, after: Answer) -> dict[str, Pair]:
        """A task's own figure of two answers to the test rows, with a paired interval."""
        target, which = self.rows.loader.targets[task], self.rows.parts.test
        truth = target.truth(self.rows.loader.cells(target.columns, which))
        options, groups = self.model.job.tasks[task], group_labels(self.rows.loader, which)
        return compare(options, truth, before, after, names_of(target), groups=groups)


def compare_judged(outcome: Outcome, said: Sequence[Finding]) -> Compared:
    """The one table: clean rows, each attack, the worst of all, one column at a time; seconds.

    said: sentences, of which those on robustness stand below it.
    """
    tasks: dict[str, dict[str, Pair]] = {}
    units: dict[str, str] = {}
    rows, before, after = outcome.rows, outcome.before, outcome.after
    if before is not None and after is not None:
        for name in after.suite.tasks:
            own = {f"{name}, clean": outcome.pair(name, before.clean[name], after.clean[name])}
            if name in outcome.whole:
                old = outcome.whole[name]
                own[f"{name}, clean, {BLENDED}"] = outcome.pair(name, old, after.clean[name])
            unit = getattr(outcome.model.job.tasks[name], "unit", None)
            units |= dict.fromkeys(own, str(unit or ""))
            own |= attacked_pairs(name, before, after, attacked_labels(rows, name, after))
            units |= dict.fromkeys(own.keys() - units.keys(), after.suite.tasks[name].unit)
            tasks |= own
    taken = outcome.run.notes["seconds"].get("training")
    costs = {SECONDS: Pair(taken, outcome.went.seconds)} if taken else {}
    sentences = [f"{f.what}." for f in said if f.where == "robust"]
    on = "test rows" if after is None else f"test rows, {len(after.rows)} of them attacked"
    return Compared("harden", len(rows.parts.test), on, tasks, units, costs, sentences)


def attacked_labels(rows: Rows, task: str, judged: Judged) -> list[str] | None:
    """The group of each attacked row with a known answer; None where rows stand alone."""
    groups = group_labels(rows.loader, rows.parts.test)
    if groups is None:
        return None
    target, which = rows.loader.targets[task], judged.rows
    known_N = target.read(rows.loader.cells(target.columns, which))["known"]
    of = dict(zip(rows.parts.test.tolist(), groups.labels, strict=True))
    return [of[row] for row, known in zip(which.tolist(), known_N, strict=True) if known]


def attacked_pairs(
    task: str, before: Judged, after: Judged, groups: Sequence[str] | None
) -> dict[str, dict[str, Pair]]:
    """A task's figures of the rows that are attacked: as they are, under each attack of the suite,
    under the worst of all a row, and with one column attacked or lying.
    """
    old, new = before.suite.tasks[task], after.suite.tasks[task]
    suites = (before.suite, after.suite)
    found = {}
    values = {"clean": new.clean, **new.attacks, "worst": new.worst}
    earlier = {"clean": old.clean, **old.attacks, "worst": old.worst}
    for attack, value in values.items():
        ends = gain_interval(suites, task, attack, groups)
        found[f"{task}, {NAMES.get(attack, attack)}"] = {
            new.figure: Pair(earlier[attack], value, ends)
        }
    for column, value in new.columns.items():
        ends = gain_interval(suites, task, f"{column} alone", groups)
        pair = Pair(old.columns[column], value, ends)
        found[f"{task}, {column} alone attacked"] = {new.figure: pair}
    for column, value in new.lying.items():
        found[f"{task}, {column} lying"] = {new.figure: Pair(old.lying[column], value)}
    return found


def said_of(outcome: Outcome) -> Iterator[tuple[Level, str, str]]:
    """What is to be known of a hardening: level, where, a sentence without its full stop."""
    job, went, before, after = outcome.model.job, outcome.went, outcome.before, outcome.after
    if went.interrupted:
        yield "warning", "harden", f"interrupted after {went.epochs} of {went.planned} epochs"
    share = went.chosen.share
    if share == 0.0:
        least = went.chosen.tried[0][1] - job.harden.clean_loss / 100
        dear = all(clean < least for _, clean, _ in went.chosen.tried[1:])
        yield "warning", "harden", KEPT.format(points=job.harden.clean_loss) if dear else HELD
    elif share < 1.0:
        yield "note", "harden", f"{MIXED}: {100 * share:.0f} % of the way from the old to the new"
    taken = outcome.run.notes["seconds"].get("training")
    if taken and went.seconds > LONG * taken:
        times = went.seconds / taken
        yield "note", "harden", f"hardening took {times:.1f} times as long as the training"
    if after is None or before is None:
        yield "warning", "robust", "no test row was there, so nobody knows how far answers hold"
        return
    for name in job.tasks:
        if name in after.suite.tasks:
            yield verdict(name, before, after)
        else:
            yield "warning", "robust", f"{name}: {UNKNOWN}"


UNKNOWN = "no test row that was attacked has an answer, so nobody knows how far answers hold"
KEPT = (
    "no weights between the old and the new ones answered clean validation rows within "
    "{points:g} points of the old ones, so the old weights are kept: allow a greater clean_loss, "
    "or smaller budgets"
)
HELD = (
    "none of the weights that were learned answered attacked validation rows better than the old "
    "ones, which are kept"
)
MIXED = "weights were chosen by validation rows between the old ones and what was learned"


def verdict(task: str, before: Judged, after: Judged) -> tuple[Level, str, str]:
    """Whether the answers of a task may be called robust, and how far: as the suite says, and only
    where hardening gained something under the worst of all attacks.
    """
    old, new = before.suite.tasks[task], after.suite.tasks[task]
    why = " ".join(new.said).rstrip(".")
    gained = new.worst > old.worst if new.figure == "accuracy" else new.worst < old.worst
    if not gained:
        both = (say(new.figure, value, new.unit) for value in (old.worst, new.worst))
        told = NO_GAIN.format(*both)
        return "warning", "robust", f"{task}: {told}; {why}"
    return ("note" if new.robust else "warning"), "robust", why


NO_GAIN = "hardening gained nothing under the worst of all attacks, {} before and {} now"
