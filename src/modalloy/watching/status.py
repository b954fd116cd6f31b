"""The history of a served model in plain words: what happened when, and which version answers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from modalloy.deployment.deployment import MADE, ROLLED_BACK, SWAPPED, Deployment
from modalloy.deployment.history import Record
from modalloy.watching.states import (
    ASKED,
    DRIFT,
    JUDGED,
    KEPT,
    LEARNED,
    PARTED,
    REJECTED,
    SHADOWED,
    WAITING,
    last_cycle,
    rolled_back_since,
)


def status(deployment: Deployment) -> list[str]:
    """Lines for a terminal, oldest first; the last ones say what is so now."""
    history = deployment.history()
    found = [f"{day(r.at)}  {in_words(r)}" for r in history]
    current = deployment.current()
    found.append(f"Version {current.number} answers: {current.path} ({current.origin}).")
    if said := ended(history):
        found.append(said)
    return found


def ended(history: Sequence[Record]) -> str:
    """How the last refresh ended; empty where there was none."""
    cycle = last_cycle(history)
    if cycle is None:
        return ""
    last = cycle.records[-1]
    match last.state:
        case "swapped" if (back := rolled_back_since(history)) is not None:
            return f"The last refresh was taken, and rolled back: {stop(back.facts['why'])}"
        case "swapped":
            return f"The last refresh was taken: {stop(last.facts['why'])}"
        case "rejected":
            return f"The last refresh was not taken: {stop(last.facts['why'])}"
        case "waiting for labels":
            return f"The last refresh waits for labels: {last.facts['more']} more rows."
    return (
        f"The last refresh was interrupted after '{last.state}'; `modalloy watch RUN --refresh` "
        "goes on from there."
    )


def in_words(record: Record) -> str:
    """One record as a sentence."""
    facts = record.facts
    match record.state:
        case state if state == ASKED:
            return f"refresh asked for: {facts['why']}; version {facts['version']} answers."
        case state if state == WAITING:
            others = f", {facts['others']} of them by others than '{facts['most']}'"
            by = others if facts["others"] else ""
            return (
                f"waiting for labels: {facts['more']} more rows{by} (there are {facts['learn']} to "
                f"learn from and {facts['judge']} to judge by)."
            )
        case state if state == PARTED:
            rows = f"{len(facts['learn'])} labelled rows to learn from, {len(facts['judge'])}"
            said = "".join(f"; {s}" for s in facts["said"])
            return f"parted: {rows} to judge by{said}."
        case state if state == LEARNED:
            return f"learned: version {facts['version']}, which answers nothing yet."
        case state if state == SHADOWED:
            return f"shadowed: {otherwise(facts)}."
        case state if state == JUDGED:
            told = "better" if facts["passed"] else "not good enough"
            return f"judged on {facts['rows']} rows: {told}; {stop(facts['why'])}"
        case state if state == REJECTED:
            return f"rejected: {stop(facts['why'])}"
    return switched(record)


def switched(record: Record) -> str:
    """A record of who answers, or of what was seen, as a sentence."""
    facts = record.facts
    match record.state:
        case state if state == MADE:
            return f"made: version 1 answers ({facts['why']})."
        case state if state == SWAPPED:
            return f"swapped: version {facts['to']} answers instead of {facts['from']}."
        case state if state == ROLLED_BACK:
            why = stop(facts["why"])
            return f"rolled back to version {facts['to']} from {facts['from']}: {why}"
        case state if state == KEPT:
            return f"kept: version {facts['version']} stays; {stop(facts['why'])}"
        case state if state == DRIFT:
            return f"drift: {stop(facts['said'])}"
    return f"{record.state}."


def otherwise(facts: Mapping[str, Any]) -> str:
    """How many logged rows two models decide otherwise."""
    told = [f"{task} {own['rows']}" for task, own in facts["otherwise"].items()]
    return f"of {facts['rows']} logged rows decided otherwise: {', '.join(told) or 'none'}"


def stop(sentence: str) -> str:
    """A sentence with one full stop."""
    return sentence.rstrip(".") + "."


def day(at: float) -> str:
    """A moment as people write it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
