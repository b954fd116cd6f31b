"""What a run is for and who watches it: its owner's words, its tasks, its rules of deciding."""

from collections.abc import Iterator

from modalloy.answer.precision import Precision
from modalloy.answer.promise import Promise, promises_of
from modalloy.auditing.about_file import KEYS
from modalloy.auditing.chapter import Chapter, Gap, Known, Lines
from modalloy.job import config
from modalloy.report.card import TASK_HEAD, task_rows

OWN = ("purpose", "users", "not_for", "contact")


def intended_use(known: Known) -> Chapter:
    """Its owner's words, and the questions that it answers."""
    found = Chapter("use", "Intended use")
    told(found, known, OWN)
    rows = [list(row) for row in task_rows(known.run)]
    found.tables.append(Lines("What it answers", TASK_HEAD, rows))
    return found


def human_oversight(known: Known) -> Chapter:
    """Who may overrule it, which rows it hands to people, and what comes back from them."""
    found, run = Chapter("oversight", "Human oversight"), known.run
    told(found, known, ("oversight",))
    promises = promises_of(run)
    for task, options in run.job.tasks.items():
        found.said += [f"{task}: {said}" for said in handed_over(options, promises.get(task))]
    asks = any(asks_people(o) for o in run.job.tasks.values())
    if not promises and not asks:
        what = "No task leaves a row to people: no sets, no abstention, no costs of asking"
        do = "calibrate in the job or modalloy calibrate; decide: {ask: COST} in a task"
        found.gaps.append(Gap(what, do))
    if known.live is None:
        what = "Nobody's judgement of its answers has been recorded: it was not served from here"
        found.gaps.append(Gap(what, "modalloy serve RUN keeps labels that people give"))
    return found


def told(found: Chapter, known: Known, keys: tuple[str, ...]) -> None:
    """Take its owner's words into a chapter, or note that they are missing."""
    for key in keys:
        if key in known.about:
            found.said.append(f"{key.replace('_', ' ').capitalize()}: {known.about[key]}")
        else:
            found.gaps.append(Gap(f"Nobody has said {KEYS[key]}", f"{key}: in --about FILE"))


def asks_people(options: config.TaskOptions) -> bool:
    """Whether a task's decisions may be to ask somebody."""
    decide = getattr(options, "decide", None)
    in_costs = decide is not None and isinstance(decide.costs, dict) and "ask" in decide.costs
    return decide is not None and (decide.ask is not None or in_costs)


def handed_over(options: config.TaskOptions, promise: Promise | None) -> Iterator[str]:
    """How a task decides, and which of its answers are left to people."""
    decide = getattr(options, "decide", None)
    if decide is not None:
        asked = "rows are handed to people" if asks_people(options) else "nobody is asked"
        yield f"decides by least expected cost of {decide.costs}; {asked}."
    if promise is not None:
        share = f"{100 * promise.coverage:g} %"
        if isinstance(promise, Precision):
            yield f"says which spans or boxes are sure, at a precision of {share}."
        else:
            yield f"answers sets or intervals that are to hold the truth in {share} of rows."
