"""The whole way of `adapt` without labels: a finished run and rows that nobody has answered; a run
that reads them as training read its own, or the run as it was where a canary set got worse.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.adaptation.blame import blamed
from modalloy.adaptation.canary import Canary, judge, open_canary
from modalloy.adaptation.figures import Answering, Pairs
from modalloy.adaptation.gate import beyond, gate
from modalloy.adaptation.norms import re_estimate
from modalloy.adaptation.old_rows import open_old
from modalloy.adaptation.page import write_page
from modalloy.adaptation.restandardise import Drift, Restandardised, restandardise, say_drift
from modalloy.adaptation.stand_ins import hide_channels
from modalloy.adaptation.tent import tent
from modalloy.answer.answers import View
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH
from modalloy.answer.predictor import Predictor
from modalloy.answer.promise import PART as PROMISES
from modalloy.answer.views import channel_names
from modalloy.blend.kept import PART as BLEND
from modalloy.blend.kept import blend_from_bytes
from modalloy.blend.mixture import NOTHING, Blend
from modalloy.checks.finding import counted, finding
from modalloy.errors import TableError
from modalloy.judge.compared import Compared, Pair
from modalloy.learn.epoch_order import epoch_order
from modalloy.learn.run_lock import claim
from modalloy.learn.unlike import drawn, view_rows
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.observing.kept import PART as WATCH
from modalloy.readers.category import CategoryReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.runs.adapters import adapters_of
from modalloy.runs.run import Run
from modalloy.runs.saving import derive_run
from modalloy.table.table import Table

LEAST = 20  # rows that say how a column is spread


class State(NamedTuple):
    """A run as it would be after some of the steps, and what these were."""

    steps: str
    readers: dict[str, Reader]
    hidden: frozenset[str]
    model: Model
    said: list[str]


class Reverted(NamedTuple):
    """The state that is kept, its figures on the canary set, and sentences on other states."""

    state: State
    figures: Pairs
    said: list[str]


def adapt_unlabelled(
    run: Run,
    table: Table,
    out: Path | None = None,
    *,
    use_tent: bool = False,
    canary: Table | None = None,
) -> Run:
    """A run like this one for rows without labels.

    Numbers and channels are standardised anew where they clearly drifted, those that went wrong are
    hidden, batch norms take the rows' figures; use_tent: then the entropy of classes is lowered.
    canary: labelled rows; the last steps are undone until none of its tasks is answered worse.

    Raises TableError where rows are too few or the canary has no label; RunError where the folder
    is used, or nothing has classes for Tent.
    """
    place = out or run.path.resolve().with_name(f"{run.path.resolve().name}-adapted")
    predictor = Predictor(run)
    loader, found = predictor.open(table)
    if loader.table.rows < LEAST:
        raise TableError(
            f"{table.source}: {loader.table.rows} rows say too little of how columns are spread; "
            f"adapting without labels needs at least {LEAST}."
        )
    watched = None if canary is None else open_canary(predictor, canary)
    with claim(place, resume=False):
        states = list(steps(predictor, loader, use_tent=use_tent))
        kept = revert(predictor, states, watched)
        unlike = shares_unlike(predictor, loader, kept.state)
        warned = [f"{f.where}: {f.what}" for f in found]
        said = [*kept.state.said, *kept.said, *untested(run, watched), *warned]
        if beside := adapters_of(run):
            said.append(f"adapters of the old weights are left behind: {', '.join(beside)}")
        rows = loader.table.rows if watched is None else len(watched.rows)
        which = "labelled rows of the canary set, by which steps were chosen"
        if watched is None:
            which = "rows without labels: no answer was judged"
        costs = {f"rows called unlike, % of {loader.table.rows}": unlike} if unlike else {}
        compared = Compared("adapt", rows, which, kept.figures, costs=costs, said=tuple(said))
        notes = {
            **run.notes,
            "hidden": sorted(kept.state.hidden),
            "adapted": note(kept.state, loader, watched, compared),
        }
        given: dict[str, Any] = {"job": run.job, "notes": notes, "stages": run.stages, "parts": {}}
        state = {"model": kept.state.model, "readers": kept.state.readers}
        # Cells are read otherwise from now on, so that what was kept to compare with means another.
        made = derive_run(run, place, "adapt", **given, **state, without=[WATCH])
        write_page(made)
        return made


def steps(predictor: Predictor, loader: Loader, *, use_tent: bool) -> Iterator[State]:
    """The run after each step, each beginning where the one before ended."""
    run = predictor.run
    yield State("nothing", dict(run.readers), run.hidden, predictor.model, [])
    every = np.arange(loader.table.rows)
    first = standardise(predictor, loader, found := restandardise(loader, every))
    first = hide_wrong(predictor, loader, first, found.drifts)
    yield first
    model = replace(run, readers=first.readers).model()
    now = reading(loader, first)
    order = epoch_order(every, BATCH, run.job.seed, 0, None)
    count = re_estimate(model, batches(now, order, model), but=predictor.blend.widths)
    if count:
        told = f"{count} batch norms take their figures from {len(every)} new rows"
        yield State("batch norms", first.readers, first.hidden, model, [*first.said, told])
    if use_tent:
        after = replace(run, readers=first.readers).model()
        after.load_state_dict(model.state_dict())
        entropies = tent(after, batches(now, order, after))
        said = [
            *first.said,
            f"Tent took the entropy of classes from {entropies[0]:.3f} to {entropies[-1]:.3f} nats",
        ]
        yield State("Tent", first.readers, first.hidden, after, said)


def standardise(predictor: Predictor, loader: Loader, found: Restandardised) -> State:
    """The run that reads anew what makes rows unlike those of training; all that clearly drifted
    where nobody knows what these were like."""
    run, likeness = predictor.run, predictor.likeness
    old = State("", dict(run.readers), run.hidden, predictor.model, [])

    def undone(drifts: Sequence[Drift]) -> State:
        return old._replace(readers=found.only(run.readers, {d.name for d in drifts}))

    def share(drifts: Sequence[Drift]) -> float:
        assert likeness is not None
        return float(likeness.judge(seen(predictor, loader, undone(drifts))).unlike_B.mean())

    clear = [d for d in found.drifts if d.strength]
    taken = clear if likeness is None else blamed(clear, share)
    said = [say_drift(d) for d in taken]
    if left := len(clear) - len(taken):
        said.append(
            f"{counted(left, 'sensor')} spread otherwise than in training, read as "
            "before: rows look no less like those of training for it"
        )
    return undone(taken)._replace(steps="standardising anew", said=said)


def hide_wrong(predictor: Predictor, loader: Loader, state: State, drifts: list[Drift]) -> State:
    """The state without the channels, then the columns, that have gone wrong."""
    dead = [d.name for d in drifts if d.dead]
    columns = [
        n
        for n, reader in state.readers.items()
        if n not in state.hidden and not isinstance(reader, CategoryReader)  # new names are no harm
    ]
    channels = {
        n: channel_names(r)
        for n, r in state.readers.items()
        if n in columns and isinstance(r, SeriesReader)
    }
    look = partial(gate, predictor.likeness, dead=dead, columns=columns)
    found = look(seen(predictor, loader, state), channels=channels)
    readers = without_channels(predictor, state.readers, found.channels)
    told = [*state.said, *(found.said[n] for n in found.channels)]
    state = state._replace(readers=readers, said=told)
    state = hide_widest(predictor, loader, state, drifts)
    gone = {*found.channels}
    left = {n: [c for c in own if c not in gone] for n, own in channels.items()}
    found = look(seen(predictor, loader, state), channels=left)
    hidden, told = state.hidden | {*found.columns}, [found.said[n] for n in found.columns]
    return state._replace(hidden=hidden, said=[*state.said, *told])


def hide_widest(predictor: Predictor, loader: Loader, state: State, drifts: list[Drift]) -> State:
    """The state without that drifted channel of each series gone wrong without which it is as in
    training, if there is one: noise shows in no figure of the channel once it is standardised."""
    clear = [d for d in drifts if d.clear and not d.dead]
    for name in beyond(predictor.likeness, seen(predictor, loader, state)):
        own = [d for d in clear if d.name.startswith(f"{name}[")]
        for drift in sorted(own, key=lambda d: -abs(np.log(d.gain))):
            readers = without_channels(predictor, state.readers, [drift.name])
            tried = state._replace(readers=readers)
            if name not in beyond(predictor.likeness, seen(predictor, loader, tried)):
                why = f"{drift.name} is hidden from now on: without it '{name}' is as in training"
                state = tried._replace(said=[*state.said, why])
                break
    return state


def without_channels(
    predictor: Predictor, readers: dict[str, Reader], channels: Sequence[str]
) -> dict[str, Reader]:
    """The readers without these channels of series, which others stand in for."""
    out = dict(readers)
    wrong = {
        name: [c for c, n in enumerate(channel_names(r)) if n in channels]
        for name, r in readers.items()
        if isinstance(r, SeriesReader)
    }
    if not any(wrong.values()):
        return out
    old = open_old(predictor, predictor.run.job)
    past, rows = (None, np.zeros(0, int)) if isinstance(old, str) else (old.loader, old.train)
    for name, own in wrong.items():
        reader = out[name]
        if own and isinstance(reader, SeriesReader) and len(own) < reader.channels:
            out[name] = hide_channels(reader, own, past, rows)
    return out


def reading(loader: Loader, state: State, *, targets: Any = None) -> Loader:
    """The rows of a loader as a state reads them."""
    own = loader.targets if targets is None else targets
    return Loader(loader.table, loader.job, state.readers, own, cache_gb=0.0, hidden=state.hidden)


def seen(predictor: Predictor, loader: Loader, state: State) -> View:
    """What the network makes of some rows, read as a state reads them."""
    model = replace(predictor.run, readers=state.readers).model()
    draw = np.random.default_rng(predictor.run.job.seed)
    rows = drawn(np.arange(loader.table.rows), draw)
    pooled = predictor.likeness.pooled if predictor.likeness else ()
    return view_rows(model, reading(loader, state), rows, pooled)


def batches(loader: Loader, order: list[np.ndarray], model: Model) -> Iterator[Batch]:
    """Rows in this order, where the model lies."""
    return (Batch.of(given, model.device) for given in loader.stream(order))


def blend_with(run: Run, readers: dict[str, Reader]) -> Blend:
    """The run's blend, whose methods read columns as they are read now."""
    return blend_from_bytes(run.part(BLEND), readers) if BLEND in run.sealed else NOTHING


def revert(predictor: Predictor, states: list[State], canary: Canary | None) -> Reverted:
    """The last state by which no task of the canary set is answered worse than before."""
    if canary is None:
        return Reverted(states[-1], {}, [])
    run, said = predictor.run, []
    figures: Pairs = {}
    for state in reversed(states):
        loader = reading(canary.loader, state)
        model = replace(run, readers=state.readers).model()
        model.load_state_dict(state.model.state_dict())
        now = Answering(model, blend_with(run, state.readers), run.stages)
        lost, told, figures = judge(canary, now, loader)
        if lost <= 0.0 or state is states[0]:
            return Reverted(state, figures, said)
        said.append(
            f"{state.steps}: undone, since {len(canary.rows)} rows of the canary set are answered "
            f"worse with it ({told}, the same rows by both)"
        )
    return Reverted(states[0], figures, said)


def shares_unlike(predictor: Predictor, loader: Loader, state: State) -> Pair | None:
    """Per cent of the rows that are unlike those of training, before and after; None where nobody
    knows what these were like."""
    if predictor.likeness is None:
        return None
    before = State("", dict(predictor.run.readers), predictor.run.hidden, predictor.model, [])
    was, now = (
        100.0 * float(predictor.likeness.judge(seen(predictor, loader, s)).unlike_B.mean())
        for s in (before, state)
    )
    return Pair(was, now)


def untested(run: Run, canary: Canary | None) -> list[str]:
    """What nobody has looked at."""
    said = []
    if canary is None:
        said.append(
            "no labelled row has said whether answers got better: give a canary set (--canary), "
            "and steps that make it worse are undone"
        )
    if run.stages or PROMISES in run.sealed:
        said.append(
            "what answers promise was fitted before and is kept: nothing here says that it holds; "
            "`modalloy calibrate` does, with labelled rows"
        )
    return said


def note(state: State, loader: Loader, canary: Canary | None, compared: Compared) -> dict[str, Any]:
    """What the new run's notes say of it."""
    return {
        "method": "without labels",
        "rows": {
            "unlabelled": loader.table.rows,
            "canary": 0 if canary is None else len(canary.rows),
        },
        "steps": state.steps,
        "compared": compared.as_dict(),
        "said": [finding("note", "adapt", s).as_dict() for s in compared.said],
    }
