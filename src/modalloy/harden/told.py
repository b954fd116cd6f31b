"""What hardening has changed, in one table and in sentences; whether a task may be called robust."""

from collections.abc import Iterator, Sequence

from modalloy.answer.answers import Answer
from modalloy.checks.finding import Finding, Level
from modalloy.harden.judged import Judged
from modalloy.harden.learn_on import Hardened
from modalloy.harden.rows import Rows
from modalloy.job import config
from modalloy.judge.compared import Compared, Pair, compare
from modalloy.judge.metrics.score import primary
from modalloy.judge.slices import Groups, group_labels
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of
from modalloy.runs.run import Run

WORST = "worst of all attacks"
LONG = 3.0  # times the training, beyond which it is said that hardening was slow


def compare_judged(
    model: Model,
    rows: Rows,
    run: Run,
    went: Hardened,
    before: Judged | None,
    after: Judged | None,
    said: Sequence[Finding],
) -> Compared:
    """The one table: clean, each attack, the worst of all, each column lying; and seconds."""
    tasks: dict[str, dict[str, Pair]] = {}
    which = rows.parts.test
    if before is not None and after is not None:
        groups = group_labels(rows.loader, which)
        for name in model.job.tasks:
            given = (model, rows, name, groups)
            tasks[f"{name}, clean"] = pair_of(*given, before.clean[name], after.clean[name])
            tasks |= attacked_pairs(name, before, after)
            for column, lies in after.lies.items():
                for lie, answers in lies.items():
                    old = before.lies[column][lie][name]
                    tasks[f"{name}, {column} is {lie}"] = pair_of(*given, old, answers[name])
    taken = run.notes["seconds"].get("training")
    costs = {"Seconds of training, of hardening": Pair(taken, went.seconds)} if taken else {}
    units = {t: str(getattr(model.job.tasks[t.split(", ")[0]], "unit", "") or "") for t in tasks}
    sentences = [f"{f.what}." for f in said if f.where == "robust"]
    return Compared("harden", len(which), "test rows", tasks, units, costs, sentences)


def pair_of(
    model: Model, rows: Rows, task: str, groups: Groups | None, before: Answer, after: Answer
) -> dict[str, Pair]:
    """A task's own figure by two networks, with a paired interval."""
    target = rows.loader.targets[task]
    truth = target.truth(rows.loader.cells(target.columns, rows.parts.test))
    options = model.job.tasks[task]
    return compare(options, truth, before, after, names_of(target), groups=groups)


def attacked_pairs(task: str, before: Judged, after: Judged) -> dict[str, dict[str, Pair]]:
    """A task's figures under each attack of the suite, and under the worst of all a row."""
    old, new = before.suite.tasks[task], after.suite.tasks[task]
    found = {
        f"{task}, {attack}": {new.figure: Pair(old.attacks[attack], value)}
        for attack, value in new.attacks.items()
        if attack in old.attacks
    }
    return {**found, f"{task}, {WORST}": {new.figure: Pair(old.worst, new.worst)}}


def said_of(
    run: Run, job: config.Job, went: Hardened, before: Judged | None, after: Judged | None
) -> Iterator[tuple[Level, str, str]]:
    """What is to be known of a hardening: level, where, a sentence without its full stop."""
    if went.interrupted:
        yield "warning", "harden", f"interrupted after {went.epochs} of {went.planned} epochs"
    share = went.chosen.share
    if share == 0.0:
        yield "warning", "harden", KEPT.format(points=job.harden.clean_loss)
    elif share < 1.0:
        yield "note", "harden", f"{MIXED}: {100 * share:.0f} % of the way from the old to the new"
    taken = run.notes["seconds"].get("training")
    if taken and went.seconds > LONG * taken:
        times = went.seconds / taken
        yield "note", "harden", f"hardening took {times:.1f} times as long as the training"
    if after is None or before is None:
        yield "warning", "robust", "no test row was there, so nobody knows how far answers hold"
        return
    for name in job.tasks:
        yield verdict(name, before, after)


KEPT = (
    "no weights between the old and the new ones answered clean validation rows within "
    "{points:g} points of the old ones, so the old weights are kept: allow a greater clean_loss, "
    "or smaller budgets"
)
MIXED = "weights were chosen by validation rows between the old ones and what was learned"


def verdict(task: str, before: Judged, after: Judged) -> tuple[Level, str, str]:
    """Whether the answers of a task may be called robust, and how far."""
    old, new = before.suite.tasks[task], after.suite.tasks[task]
    failed = failed_checks(after, task)
    if failed:
        return "warning", "robust", f"{task}: {NOT_ROBUST} {'; '.join(failed)}"
    figure = new.figure.replace("_", " ")
    gained = new.worst > old.worst if new.figure == "accuracy" else new.worst < old.worst
    if not gained:
        return "warning", "robust", f"{task}: {NO_GAIN.format(figure, old.worst, new.worst)}"
    return "note", "robust", f"{task}: {ROBUST.format(figure, new.worst, old.worst)}"


ROBUST = "robust within these budgets as far as these attacks show: {} {:.3f}, and {:.3f} before"
NO_GAIN = "hardening gained nothing under the worst of all attacks: {} {:.3f} before, {:.3f} now"
NOT_ROBUST = "not to be called robust, because a check of the attacks failed:"


def failed_checks(judged: Judged, task: str) -> list[str]:
    """Checks against gradient masking that a task failed, in words."""
    return [c.what for c in getattr(judged.suite.tasks[task], "checks", ()) if not c.ok]

