"""What a run knows of its rows: what it keeps, else what its own table still shows."""

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.answer.network import answer_rows
from modalloy.answer.predictor import Predictor
from modalloy.errors import ModalloyError, RunError
from modalloy.judge.figures import truth_of
from modalloy.observing.kept import reference_of
from modalloy.observing.look import look, some_of
from modalloy.observing.reference import Reference, refer_to
from modalloy.observing.said import say_answers
from modalloy.observing.seen import Seen
from modalloy.readers.category import CategoryReader
from modalloy.report.rescore import own_rows

MOST = 1000  # rows of each kind that are looked at anew
DESCRIBED = 600


def known_rows(predictor: Predictor) -> tuple[Reference, str]:
    """What to compare rows with, and where it comes from, in words.

    RunError where a run keeps nothing and its own table is gone or changed.
    """
    kept = reference_of(predictor.run)
    if kept is not None:
        return kept, "what the run kept of its rows when it was trained"
    try:
        return looked_up(predictor), f"rows of {predictor.run.job.table}, looked at anew"
    except ModalloyError as error:
        why = str(error).removeprefix(f"{predictor.run.path}: ").rstrip(".")
        raise RunError(
            f"{predictor.run.path}: keeps nothing of its rows that others could be compared with "
            f"(`unlike: {{use: never}}`, or made by an older version), and its own table does not "
            f"help: {why}. Train it again, or put the table back."
        ) from error


def looked_up(predictor: Predictor) -> Reference:
    """The same from the table that a run was trained on."""
    loader, _, extras = own_rows(predictor)
    assert extras.parts is not None, "own rows come in parts"
    parts, refit = extras.parts, bool(predictor.run.notes.get("refit"))
    held = np.concatenate([parts.calibration, parts.validation[: 0 if refit else None]])
    learned = np.concatenate([parts.train, parts.validation[: None if refit else 0]])
    draw = np.random.default_rng(predictor.run.job.seed)
    learned, held = (np.sort(r[some_of(len(r), MOST, draw)]) for r in (learned, held))
    train = seen_of(predictor, loader, learned, draw)
    other = seen_of(predictor, loader, held, draw) if len(held) else train.some(np.arange(0))
    said = {}
    if len(held):
        answers, truths = predictor.say(loader, held).answers, truth_of(loader, held)
        said = say_answers(predictor.run.job.tasks, predictor.run.targets, answers, truths)
    sizes = {r.name: len(r.names) + 1 for r in loader.tabular if isinstance(r, CategoryReader)}
    given = {"sizes": sizes, "frozen": frozenset(pooled_of(predictor)), "draw": draw}
    return refer_to(train, other, said, **given)


def seen_of(
    predictor: Predictor, loader: Loader, rows: np.ndarray, draw: np.random.Generator
) -> Seen:
    """What is watched of rows but for their answers."""
    given = {"tasks": lambda hidden: (), "viewed": pooled_of(predictor)}
    view = answer_rows(predictor.engine, loader, rows, **given).view
    assert view is not None, "it was asked for"
    return look(loader, rows, view, some_of(len(rows), DESCRIBED, draw))


def pooled_of(predictor: Predictor) -> tuple[str, ...]:
    """Inputs that are seen as their pretrained network pools them."""
    return () if predictor.likeness is None else tuple(predictor.likeness.pooled)
