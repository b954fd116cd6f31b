"""A served model refreshed: labelled rows are parted, learned from, and what came of it is tried
beside the old model before it may answer. Each state is one record; killed anywhere, it goes on.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modalloy.answer.predictor import Predictor
from modalloy.bundle.bundled import is_bundle
from modalloy.deployment.deployment import SWAPPED, SWITCHES, Deployment
from modalloy.deployment.history import Record
from modalloy.deployment.log_query import Which
from modalloy.deployment.row_log import RowLog
from modalloy.errors import RunError, TableError
from modalloy.job import config
from modalloy.machine.files import locked
from modalloy.table.open_table import open_table
from modalloy.watching.labelled import JUDGE, LEARN, Labelled, labelled_rows, part
from modalloy.watching.lacking import lacks, lacks_others
from modalloy.watching.paired import paired_test
from modalloy.watching.plan import plan_of
from modalloy.watching.shadow import shadow
from modalloy.watching.states import (
    ASKED,
    JUDGED,
    LEARNED,
    PARTED,
    REJECTED,
    SHADOWED,
    WAITING,
    Cycle,
    last_cycle,
    sides,
)
from modalloy.watching.worth_labelling import worth_labelling

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from modalloy.runs.run import Run

SHADOWING = 500  # newest logged rows that both models answer
LOCK, MAKING = "refresh.lock", "making"
UNDER_WAY = (
    "{path}: another refresh is under way; wait for it, or look at `modalloy watch RUN --status`."
)
Told = Callable[[str], None]
Facts = dict[str, Any]


def refresh(deployment: Deployment, why: str, *, told: Told = lambda state: None) -> Record:
    """Go through a refresh, or to the end of one that was interrupted; its last record.

    why: what it was asked for by. told: hears the name of each state before its record is written,
    and again when it is. RunError where another refresh is under way, or a bundle answers.
    """
    with locked(deployment.path / LOCK, UNDER_WAY.format(path=deployment.path)):
        refuse_bundle(deployment)
        cycle = last_cycle(deployment.history())
        if cycle is None or cycle.done:
            remove_rejected(deployment)
            note(deployment, told, ASKED, **asking(deployment, why))
        desk = Desk.open(deployment, told)
        try:
            now = current(deployment)
            while not now.done:
                try:
                    step(desk, now)
                except TableError as error:  # rows or labels that no later try can read either
                    note(deployment, told, REJECTED, why=str(error))
                now = current(deployment)
        finally:
            desk.log.close()
        return now.records[-1]


class Desk(NamedTuple):
    """What every step of a refresh works with. before: the model that answered when it began."""

    deployment: Deployment
    log: RowLog
    plan: config.Refresh
    before: Predictor
    told: Told

    @classmethod
    def open(cls, deployment: Deployment, told: Told) -> "Desk":
        """For the refresh that has begun."""
        facts = current(deployment).records[0].facts
        version = deployment.version(facts["version"])
        version.check()
        plan = config.Refresh.model_validate(facts["plan"])
        return cls(deployment, RowLog(deployment.path), plan, Predictor(version.path), told)

    def embedded(self, frame: "pd.DataFrame") -> "dict[str, np.ndarray]":
        """What encoders make of logged rows, (B, D) by input."""
        return self.before.embed(open_table(frame, folder=self.log.folder)).columns


def current(deployment: Deployment) -> Cycle:
    """The refresh that has begun."""
    found = last_cycle(deployment.history())
    assert found is not None, "it was asked for"
    return found


def step(desk: Desk, cycle: Cycle) -> None:
    """The next state after the last one of a refresh."""
    match cycle.records[-1].state:
        case "asked":
            do_part(desk, cycle)
        case "parted":
            do_learn(desk, cycle)
        case "learned":
            do_shadow(desk, cycle)
        case "shadowed":
            do_judge(desk, cycle)
        case _:
            do_decide(desk, cycle)


def note(deployment: Deployment, told: Told, state: str, **facts: Any) -> None:
    """Write a state down."""
    told(state)
    deployment.record(state, **facts)
    told(state)


def remove_rejected(deployment: Deployment) -> None:
    """Remove the runs that earlier refreshes made and that never answered; their records stay."""
    answered = {r.facts["to"] for r in deployment.history() if r.state in SWITCHES}
    rooms = deployment.room(0).parent.resolve()
    for version in deployment.versions():
        if version.number not in answered and version.path.parent == rooms:
            shutil.rmtree(version.path, ignore_errors=True)


def refuse_bundle(deployment: Deployment) -> None:
    """RunError where a bundle answers: nothing can learn on from it."""
    path = deployment.current().path
    if is_bundle(path):
        raise RunError(
            f"{path}: is a bundle, which learns nothing more; serve the run that it was exported "
            "from to refresh it."
        )


def asking(deployment: Deployment, why: str) -> Facts:
    """What a refresh begins with: which version, plan and labels count, whatever comes later."""
    log = RowLog(deployment.path)
    try:
        upto = log.last_label()
    finally:
        log.close()
    plan = plan_of(deployment).model_dump()
    return {"why": why, "version": deployment.current().number, "labels": upto, "plan": plan}


def do_part(desk: Desk, cycle: Cycle) -> None:
    """Which rows are learned from and which judge; or how many labels are lacking."""
    rows = counting_rows(desk, cycle)
    known = sides(desk.deployment.history())
    new = part(rows, known)
    side = [(known | new)[u] for u in rows.unit]
    counts = {s: side.count(s) for s in (LEARN, JUDGE)}
    judges = [s for s, own in zip(rows.source, side, strict=True) if own == JUDGE]
    most, others = lacks_others(judges, desk.plan)
    lacking = max(lacks(counts, desk.plan), others)
    facts = {**counts, "said": rows.said}
    if lacking:
        facts |= {"more": lacking, "others": others, "most": most}
        asked = worth_labelling(desk.log, lacking, desk.embedded)
        note(desk.deployment, desk.told, WAITING, **facts, ask=asked)
        return
    ids = {
        s: [i for i, own in zip(rows.ids, side, strict=True) if own == s] for s in (LEARN, JUDGE)
    }
    room = desk.deployment.next_number()
    note(desk.deployment, desk.told, PARTED, **{**facts, **ids}, units=new, room=room)


def counting_rows(desk: Desk, cycle: Cycle) -> Labelled:
    """Labelled rows as they were when the refresh was asked for."""
    asked = cycle.records[0]
    given = (desk.log, desk.before, desk.plan, asked.facts["labels"])
    return labelled_rows(*given, now=asked.at)


def rows_of(desk: Desk, cycle: Cycle, side: str) -> Labelled:
    """The rows that were parted to a side."""
    parted = cycle.last(PARTED)
    assert parted is not None, "rows are parted before anything else"
    rows, wanted = counting_rows(desk, cycle), set(parted.facts[side])
    return rows.take([i for i, name in enumerate(rows.ids) if name in wanted])


def do_learn(desk: Desk, cycle: Cycle) -> None:
    """The challenger: a run that has learned on from the rows of one side, beside old ones."""
    deployment, parted = desk.deployment, cycle.last(PARTED)
    assert parted is not None, "rows are parted before anything is learned"
    place = deployment.room(parted.facts["room"])
    if not (place / "run.json").is_file():
        try:
            adapted(desk, rows_of(desk, cycle, LEARN), place)
        except (RunError, TableError) as error:
            if isinstance(error.__cause__, OSError):  # a full disk says nothing of the rows
                raise
            note(deployment, desk.told, REJECTED, why=f"nothing was learned: {error}")
            return
    added = deployment.add(place, origin=f"refreshed from version {desk_version(cycle)}")
    held = desk.plan.old == "kept" and old_rows(added.path)
    facts = {"version": added.number, "digest": added.digest, "old": held}
    note(deployment, desk.told, LEARNED, **facts)


def desk_version(cycle: Cycle) -> int:
    """The version that a refresh began from."""
    return cycle.records[0].facts["version"]


def adapted(desk: Desk, rows: Labelled, place: Path) -> "Run":
    """The run that has learned, in its place whole or not at all."""
    import torch

    from modalloy.adaptation.adapt_run import adapt_run
    from modalloy.adaptation.asked import Asked

    making = desk.deployment.path / MAKING / place.name
    shutil.rmtree(making, ignore_errors=True)  # what a killed refresh has left
    making.parent.mkdir(exist_ok=True)
    table = open_table(rows.frame, folder=desk.log.folder)
    time = "log.at" if "log.at" in rows.frame else "at"
    asked = Asked(window=desk.plan.window, time=time, old=desk.plan.old)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(desk.before.run.job.seed)  # killed and begun again, the same is learned
        made = adapt_run(desk.before.run, table, making, asked, quiet=True)
    making.rename(place)
    shutil.rmtree(making.parent, ignore_errors=True)
    return made


def old_rows(path: Path) -> bool:
    """Whether the run's own old test rows have judged what was learned."""
    from modalloy.adaptation.figures import OLD
    from modalloy.runs.run import load_run

    run = load_run(path)
    return any(
        OLD.format(task) in run.notes["adapted"]["compared"]["tasks"] for task in run.targets
    )


def challenger(desk: Desk, cycle: Cycle) -> Predictor:
    """The model that has learned, checked to be the one that did."""
    learned = cycle.last(LEARNED)
    assert learned is not None, "it is tried after it has learned"
    version = desk.deployment.version(learned.facts["version"])
    version.check()
    if version.digest != learned.facts["digest"]:
        raise RunError(f"{version.path}: is not the model that has learned; restore it.")
    return Predictor(version.path)


def do_shadow(desk: Desk, cycle: Cycle) -> None:
    """Both models answer the newest logged rows."""
    frame = desk.log.frame(Which(until=cycle.records[0].at, newest=SHADOWING))
    ids = frame[frame.attrs["logged"]["row_id"]].tolist()
    found = shadow(desk.before, challenger(desk, cycle), frame, ids, desk.log.folder)
    note(desk.deployment, desk.told, SHADOWED, **found)


def do_judge(desk: Desk, cycle: Cycle) -> None:
    """Both models answer the labelled rows of the other side."""
    rows = rows_of(desk, cycle, JUDGE)
    table = open_table(rows.frame, folder=desk.log.folder)
    learned = cycle.last(LEARNED)
    assert learned is not None, "it is judged after it has learned"
    given = (desk.before, challenger(desk, cycle), table, rows.source, rows.unit, desk.plan)
    verdict = paired_test(*given, anchored=learned.facts["old"])
    note(desk.deployment, desk.told, JUDGED, **verdict.as_dict())


def do_decide(desk: Desk, cycle: Cycle) -> None:
    """Let the challenger answer, or say why not."""
    judged, learned = cycle.last(JUDGED), cycle.last(LEARNED)
    assert judged is not None, "nothing is decided before it"
    assert learned is not None, "nothing is judged before it"
    now, began = desk.deployment.current().number, desk_version(cycle)
    number, why = learned.facts["version"], judged.facts["why"]
    if not judged.facts["passed"]:
        note(desk.deployment, desk.told, REJECTED, why=why)
    elif now != began:
        why = f"version {now} answers by now, and it was judged beside version {began}"
        note(desk.deployment, desk.told, REJECTED, why=why)
    else:
        desk.told(SWAPPED)
        desk.deployment.swap(number, why, answering=began)
        desk.told(SWAPPED)
