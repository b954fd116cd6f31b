"""What a fine-tuning looked at and did: its table of figures, in sentences, and for notes."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from modalloy.adaptation.ageing import Ages
from modalloy.adaptation.asked import Asked
from modalloy.adaptation.figures import OLD, Answering, Pairs, compare_answers, points_lost, worst
from modalloy.adaptation.keeping import Kept
from modalloy.adaptation.new_rows import OWN, NewRows
from modalloy.adaptation.old_rows import OldRows
from modalloy.answer.predictor import Predictor
from modalloy.checks.finding import counted, finding
from modalloy.errors import RunError
from modalloy.job import config
from modalloy.judge.compared import Compared, Pair
from modalloy.learn.progress import Progress
from modalloy.model.model import Model
from modalloy.runs.adapters import adapters_of


class World(NamedTuple):
    """What an adapting looks at: the run as it was, new rows, and old ones or why not."""

    predictor: Predictor
    new: NewRows
    old: OldRows | None
    unseen: str
    ages: Ages | None


class Learned(NamedTuple):
    """The model that has learned, how, and how far it went from the old weights."""

    model: Model
    progress: Progress
    kept: Kept | None
    numbers: int  # weights that learned
    ranks: dict[str, Any]  # what stands beside layers, by layer and column
    adapter: bytes | None  # what was learned, as its own file


def compare_both(
    world: World, both: tuple[Answering, Answering], learned: Learned, asked: Asked, seconds: float
) -> tuple[Compared, dict[str, float]]:
    """Figures on rows that neither run has learned from, and points lost on old test rows."""
    new, old = world.new, world.old
    test = new.parts.test
    was, now = (a.answers(new.loader, test) for a in both)
    figures: Pairs = compare_answers(new.loader, test, was, now)
    which, lost = "new rows held back from both", {}
    if old is not None and len(old.test):
        was, now = (a.answers(old.loader, old.test) for a in both)
        figures |= compare_answers(old.loader, old.test, was, now, OLD)
        lost = points_lost(old.loader, old.test, was, now)
        which += f", and {len(old.test)} old test rows"
    job = world.predictor.run.job
    units = {name.format(t): unit_of(o) for t, o in job.tasks.items() for name in ("{}", OLD)}
    costs = {
        "weights that learned": Pair(None, float(learned.numbers)),
        "seconds": Pair(None, seconds),
    }
    if learned.adapter is not None:
        costs["file of the adapter, KB"] = Pair(None, len(learned.adapter) / 1000)
    return Compared("adapt", len(test), which, figures, units, costs), lost


def unit_of(options: config.TaskOptions) -> str:
    """The unit of a task's numbers."""
    return getattr(options, "unit", None) or ""


def refuse_forgetting(world: World, lost: Mapping[str, float], asked: Asked) -> None:
    """RunError where, beside a window, old test rows are answered worse than is allowed."""
    task, points = worst(lost)
    if asked.keeps and points > asked.lost:
        assert world.old is not None
        raise RunError(
            f"{world.predictor.run.path}: nothing was written. {task}: the {len(world.old.test)} "
            f"old test rows would be answered {points:.1f} points worse, and {asked.lost:g} are "
            "allowed, though other old rows had not shown it. Replay more old rows (--replay), or "
            "say that they no longer hold (--old outdated)."
        )


def told(world: World, learned: Learned, asked: Asked) -> list[str]:
    """What was done, and what to know of it."""
    new, old, run = world.new, world.old, world.predictor.run
    parts = new.parts
    by = "" if new.by == OWN else f"; parted by {new.by}"
    beside = adapters_of(run)
    said = [
        f"{len(parts.train)} new rows were learned from, {len(parts.validation)} said when to "
        f"stop, {len(parts.test)} were held back{by}"
    ]
    if beside and asked.name is None:
        said.append(f"adapters of the old weights are left behind: {', '.join(beside)}")
    if new.seen:
        said.append(f"{counted(new.seen, 'row')} that the model has learned from were left out")
    if learned.progress.best_epoch < 0 and learned.kept is None:
        said.append("new validation rows are answered no better than before: no weight was changed")
    if world.ages is not None:
        ages = world.ages
        said.append(
            f"a row counts half as much for each {asked.window} that it is older by "
            f"'{ages.column}': they weigh as much as {ages.counts:.0f} rows of one age"
        )
    said += told_of_old(old, asked)
    if old is not None and old.learned and learned.kept is not None:
        said.append(
            "the run had learned from the old rows that judge, so that more seems lost than is"
        )
    if columns := learned.ranks.get("columns"):
        shares = (f"{name} {found['numbers']} numbers" for name, found in columns.items())
        said.append(f"what learned beside layers, by column: {', '.join(shares)}")
    if learned.kept is not None:
        kept = learned.kept
        said.append(
            f"{100 * kept.share:g} % of the way from the old weights to the learned ones: there "
            f"old rows that judge lose {max(0.0, kept.lost):.1f} points, new ones gain "
            f"{kept.gained:.1f}"
        )
    if old is None:
        said.append(f"what was forgotten of the old rows is not known: {world.unseen}")
    elif not len(old.test):
        said.append("what was forgotten of the old rows is not known: the run kept no test rows")
    elif run.notes.get("adapted") is not None:
        said.append(
            "old test rows are those of the first training; earlier adaptings' are not here"
        )
    return said


def told_of_old(old: OldRows | None, asked: Asked) -> list[str]:
    """What part old rows had in it."""
    if asked.old == "outdated":
        return [
            "old rows are given up as outdated: none was learned from again, and what is lost on "
            "them was no reason to stop"
        ]
    if old is None or not asked.replayed:
        return []
    return [f"{100 * asked.replayed:g} % of each step were {len(old.train)} old rows"]


def note(world: World, learned: Learned, asked: Asked, compared: Compared) -> dict[str, Any]:
    """What the new run's notes say of it."""
    parts = world.new.parts
    found = {
        "method": asked.method,
        "window": asked.window,
        "replay": asked.replayed,
        "old": asked.old,
        "rows": {n: len(getattr(parts, n)) for n in ("train", "validation", "test")},
        "by": world.new.by,
        "weights": learned.numbers,
        "name": asked.name,
        "ranks": learned.ranks,
        "share": None if learned.kept is None else learned.kept.share,
        "curves": learned.progress.curves,
        "compared": compared.as_dict(),
        "found": [f.as_dict() for f in world.new.found],
    }
    return found | {"said": [finding("note", "adapt", s).as_dict() for s in compared.said]}
