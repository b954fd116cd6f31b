"""How sure a trained model answers, adjusted on rows that it never saw."""

import numpy as np

from modalloy.answer.answers import EVERYTHING
from modalloy.answer.blended import blended
from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.stage import Stage, fit_stage
from modalloy.blend.mixture import NOTHING, Blend
from modalloy.judge.figures import truth_of
from modalloy.model.model import Model
from modalloy.readers.targets.target import names_of


def fit_stages(
    model: Model, loader: Loader, which: np.ndarray, blend: Blend = NOTHING
) -> dict[str, Stage]:
    """A stage for each task that has one, fitted on the rows of the calibration part."""
    if not len(which):
        return {}
    answered = answer_rows(model, loader, which, heads=blend.heads, widths=blend.widths)
    answers = blended(blend, answered, loader, which)[EVERYTHING]
    truth = truth_of(loader, which)
    fitted = {
        name: fit_stage(
            names_of(loader.targets[name]), truth[name], answers[name], several=options.several
        )
        for name, options in model.job.tasks.items()
    }
    return {name: stage for name, stage in fitted.items() if stage is not None}
