"""What of a run still holds once its weights have changed: its blend, what answers promise, and
which rows are unlike any that it learned from; and what has to be fitted anew or let go.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from modalloy.adaptation.figures import of_one
from modalloy.adaptation.new_rows import NewRows
from modalloy.adaptation.old_rows import OldRows
from modalloy.answer.answers import View
from modalloy.answer.loader import Loader
from modalloy.answer.promise import PART as PROMISES
from modalloy.answer.promise import promises_to_bytes
from modalloy.answer.views import together
from modalloy.blend.kept import PART as BLEND
from modalloy.blend.kept import blend_to_bytes
from modalloy.blend.mixture import NOTHING, Blend
from modalloy.classical.rows import belonging
from modalloy.job import config
from modalloy.judge.figures import truth_of
from modalloy.judge.metrics.score import tally
from modalloy.learn.calibrate import (
    Calibration,
    HeldBack,
    answer_kept,
    fit_calibration,
    known_rows,
)
from modalloy.learn.unlike import LookedBack, drawn, pretrained_inputs, view_rows
from modalloy.learn.watched import fit_reference
from modalloy.model.model import Model
from modalloy.observing.kept import PART as WATCH
from modalloy.observing.kept import reference_to_bytes
from modalloy.observing.reference import Reference
from modalloy.readers.targets.target import names_of
from modalloy.unlike.fitting import fit_likeness
from modalloy.unlike.kept import PART as UNLIKE
from modalloy.unlike.kept import likeness_to_bytes
from modalloy.unlike.likeness import Likeness

OURS = (BLEND, PROMISES, UNLIKE, WATCH)  # parts that are fitted to weights


class Still(NamedTuple):
    """What a changed model is saved with, and sentences on what became of it."""

    blend: Blend
    calibration: Calibration
    likeness: Likeness | None
    reference: Reference | None
    said: list[str]

    def parts(self) -> dict[str, bytes]:
        """As a run holds them; what there is none of is left out."""
        found = {BLEND: blend_to_bytes(self.blend)} if self.blend.tasks else {}
        promises = self.calibration.promises
        found |= {PROMISES: promises_to_bytes(promises)} if promises else {}
        found |= {UNLIKE: likeness_to_bytes(self.likeness)} if self.likeness else {}
        return found | ({WATCH: reference_to_bytes(self.reference)} if self.reference else {})


def fit_again(
    model: Model,
    blend: Blend,
    new: NewRows,
    old: OldRows | None,
    *,
    changed: Sequence[str],
    calibrated: bool,
) -> Still:
    """All of it for a model whose weights have changed, fitted on new validation rows.

    blend: the run's own. changed: inputs whose encoders changed before their pooled vectors.
    calibrated: whether the run promised anything or had stages.
    """
    kept, said = choose_blend(model, blend, new, changed)
    held = answer_kept(model, new.loader, new.parts.validation, kept)
    asked = model.job.calibrate
    found = Calibration("given", {}, {}, [])
    if asked.use != "never":
        known = {t: known_rows(new.loader, t, h, asked.by) for t, h in held.items()}
        known = {t: k for t, k in known.items() if any(a is not None for a in k.truth)}
        found = fit_calibration(model.job, new.loader.targets, known, source="given")
        said += found.said
    gone = calibrated and not (found.stages or found.promises)
    if gone:
        said.append("what answers promised was let go: it was fitted to the old weights")
    elif found.promises:
        rows = len(new.parts.validation)
        said.append(f"what answers promise was fitted anew on {rows} new rows, and holds for such")
    if model.job.unlike.use == "never":
        return Still(kept, found, None, None, said)
    backs = look_again(model, new, old, said)
    likeness = likeness_again(model.job, backs)
    # Other rows are compared with the new ones alone: it is these that were adapted to.
    backed = HeldBack("given", held)
    reference = fit_reference(model.job, *backs[0], likeness, backed, found)
    return Still(kept, found, likeness, reference, said)


def choose_blend(
    model: Model, blend: Blend, new: NewRows, changed: Sequence[str]
) -> tuple[Blend, list[str]]:
    """Task by task the old blend around the new network or the network alone, whichever answers new
    validation rows better: classical methods were fitted to the old rows.
    """
    tasks, said = dict(blend.tasks), []
    for task, mixture in blend.tasks.items():
        if moved := sorted({i for _, m in mixture.methods for i in m.frozen} & {*changed}):
            del tasks[task]
            said.append(
                f"{task}: the network answers alone, since classical methods beside it look at "
                f"what the encoder of '{moved[0]}' said before"
            )
    usable = Blend(tasks, blend.widths if tasks else {})
    if not tasks:
        return NOTHING, said
    rows = new.parts.validation
    truths = truth_of(new.loader, rows)
    both = [answer_kept(model, new.loader, rows, b) for b in (usable, NOTHING)]
    for task in list(tasks):
        options, names = model.job.tasks[task], names_of(new.loader.targets[task])
        metric = of_one(options)
        mixed, alone = (
            tally(options, truths[task], a[task].answer, names).score().get(metric, np.nan)
            for a in both
        )
        if alone > mixed:
            del tasks[task]
            said.append(
                f"{task}: the network answers alone from now on; with the classical methods of the "
                "old rows, new validation rows are answered worse"
            )
        else:
            said.append(
                f"{task}: classical methods fitted on the old rows keep their say; new validation "
                "rows are answered no worse with them"
            )
    wanted = {i for m in tasks.values() for _, method in m.methods for i in method.frozen}
    return Blend(tasks, {i: w for i, w in blend.widths.items() if i in wanted}), said


def look_again(
    model: Model, new: NewRows, old: OldRows | None, said: list[str]
) -> list[tuple[Loader, LookedBack]]:
    """What the new weights make of new rows, and of old ones where they can be looked at."""
    draw, found = np.random.default_rng(model.job.seed), []
    used = [(new.loader, new.parts.train, new.parts.validation)]
    if old is not None:
        used.append((old.loader, old.train, old.judge))
    else:
        said.append("rows like the old ones alone count as unlike: the old table is not there")
    pooled = pretrained_inputs(model)
    for loader, train, held in used:
        rows, judges = drawn(train, draw), drawn(held, draw)
        views = [view_rows(model, loader, r, pooled) for r in (rows, judges)]
        found.append((loader, LookedBack(pooled, rows, views[0], judges, views[1])))
    return found


def likeness_again(job: config.Job, backs: Sequence[tuple[Loader, LookedBack]]) -> Likeness | None:
    """Which rows are like those learned from, by the new weights: old rows are, and new ones."""
    groups = [belonging(job, loader.cells, back.rows) for loader, back in backs]
    labels = None
    if all(g is not None for g in groups):
        labels = [f"{at}/{g}" for at, own in enumerate(groups) for g in own or ()]
    pooled = backs[0][1].pooled
    given = {"share": job.unlike.share, "groups": labels, "pooled": pooled}
    references = joined([back.train for _, back in backs])
    judges = joined([back.held for _, back in backs if back.held is not None])
    return fit_likeness(references, judges, **given)


def joined(views: Sequence[View]) -> View:
    """Several views as one."""
    return together(views, np.arange(sum(map(len, views))))


def changed_inputs(model: Model, blend: Blend, before: Model) -> list[str]:
    """Inputs of a blend's pooled vectors whose trunks are not the same in both models."""
    return [
        i
        for i in blend.widths
        if any(
            not same(a, b)
            for a, b in zip(
                model.encoder(i).state_dict().items(),
                before.encoder(i).state_dict().items(),
                strict=True,
            )
            if a[0].startswith("trunk.")
        )
    ]


def same(a, b) -> bool:
    """Whether two named weights are equal."""
    return bool((a[1] == b[1]).all())
