"""Learns on frozen pretrained encoders first, then fine-tunes from there (Kumar et al. 2022).

"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution" (2202.10054):
encoders that are tuned under heads that know nothing yet lose what they were trained for. So all
that stands on them is learned first, from features that each row is run for once; then encoders and
heads go on together, and what that gives is kept only where validation rows are answered better.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.learn.frozen_features import frozen_features
from modalloy.learn.phase import REFIT, WHOLE, Phase, Watch
from modalloy.learn.probe import Probe, apply
from modalloy.learn.progress import Progress
from modalloy.learn.train import train_model
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.model import Model
from modalloy.table.split import Parts

ENOUGH = 0.995  # validation score of frozen encoders beyond which tuning them has nothing to win
FIRST = 0.25  # of `minutes`, for learning on frozen encoders
TUNED, TUNED_AGAIN = "checkpoints/tuned.safetensors", "checkpoints/refit_tuned.safetensors"


class Phases(NamedTuple):
    """How both parts of a training went; tuned: None where the first one was the last."""

    frozen: Progress
    tuned: Progress | None

    @property
    def tuned_won(self) -> bool:
        """Whether the weights that are kept come from fine-tuning."""
        if self.tuned is None:
            return False
        unjudged = self.tuned.best is None and self.tuned.epoch > 0
        return unjudged or self.tuned.best_epoch >= 0

    @property
    def progress(self) -> Progress:
        """Both as one training, its epochs counted through."""
        if self.tuned is None:
            return self.frozen
        best_epoch = self.frozen.best_epoch
        if self.tuned.best_epoch >= 0:
            best_epoch = self.frozen.epoch + self.tuned.best_epoch
        return replace(
            self.tuned,
            epoch=self.frozen.epoch + self.tuned.epoch,
            epochs=self.frozen.epochs + self.tuned.epochs,
            best_epoch=best_epoch,
            seconds=self.frozen.seconds + self.tuned.seconds,
        )

    def note(self) -> dict[str, Any]:
        """What a run keeps of it: the best validation score of each part, and which one won."""
        after = self.tuned.curves[len(self.frozen.curves) :] if self.tuned else []
        return {
            "frozen": best_score(self.frozen.curves),
            "tuned": best_score(after),
            "kept": "tuned" if self.tuned_won else "frozen",
            "frozen_epochs": self.frozen.epoch,
        }


def best_score(curves: list[dict[str, Any]]) -> float | None:
    """The highest validation score of some epochs; None where none was asked for."""
    return max((line["score"] for line in curves if "score" in line), default=None)


def say_kept(note: dict[str, Any]) -> str:
    """Which encoders a run kept, and by what scores."""
    scores = f"frozen {say_score(note['frozen'])}, fine-tuned {say_score(note['tuned'])}"
    match note["kept"], note["tuned"]:
        case "tuned", None:
            return "pretrained encoders were fine-tuned; no validation row said whether that helped"
        case "tuned", _:
            return f"fine-tuned encoders are kept; validation score {scores}"
        case _:
            return f"pretrained encoders are kept as they came; validation score {scores}"


def say_score(score: float | None) -> str:
    """A validation score, as in `.861`."""
    return "unknown" if score is None else f"{score:.3f}".replace("0.", ".", 1)


def hold_still(
    model: Model, loader: Loader, parts: Parts, out: Path, *, again: bool, resume: bool, quiet: bool
) -> None:
    """Keep what tuned encoders say before they change of all rows that the first part reads.

    again: all of it is for the second training, of `refit`.
    """
    if resume and (out / (TUNED_AGAIN if again else TUNED)).is_file():
        return  # the first part is over
    for encoder in tuned_encoders(model).values():
        encoder.held = True
    frozen_features(model, loader, np.concatenate([parts.train, parts.validation]), quiet=quiet)


def learn_in_two(
    model: Model,
    loader: Loader,
    parts: Parts,
    job: config.Job,
    out: Path,
    *,
    resume: bool,
    quiet: bool,
    like: Phases | None,
    watch: Watch | None = None,
) -> Phases:
    """Learn all but the pretrained encoders, then everything; leaves the model at its best.

    Encoders that answer validation rows all but perfectly as they came stay so, unless minutes are
    given. like: trainings to repeat with other rows; the second only where its encoders were kept.
    """
    again = like is not None
    whole = REFIT if again else WHOLE
    first = replace(whole, title=f"{whole.title}, encoders frozen", still=True, share=FIRST)
    given = (model, loader, parts, job, out)
    learn = partial(train_model, *given, resume=resume, quiet=quiet, watch=watch)
    with unchanging(model):
        frozen = learn(like=like.frozen if like else None, phase=first)
    let_go(model, loader)
    if frozen.interrupted or (like is not None and not like.tuned_won):
        return Phases(frozen, None)
    perfect = frozen.best is not None and frozen.best.value >= ENOUGH
    if like is None and perfect and job.train.minutes is None:
        return Phases(frozen, None)
    second = second_of(whole, frozen, again=again)
    tuned = learn(like=like.tuned if like else None, phase=second)
    found = Phases(frozen, tuned)
    if not found.tuned_won:
        apply(model, Probe(frozen.half, frozen.channels_last, {}))
    return found


def second_of(whole: Phase, frozen: Progress, *, again: bool) -> Phase:
    """Fine-tuning after learning on frozen encoders."""
    checkpoint = TUNED_AGAIN if again else TUNED
    title = f"{whole.title}, encoders too"
    return replace(whole, checkpoint=checkpoint, title=title, before=frozen, share=1.0 - FIRST)


def tuned_encoders(model: Model) -> dict[str, Encoder]:
    """Encoders with a pretrained trunk that may change, by input."""
    return {n: e for n, e in model.encoders.items() if e.trunk is not None and not e.frozen}


@contextmanager
def unchanging(model: Model) -> Iterator[None]:
    """Trunks whose weights count as frozen ones: no optimiser and no checkpoint holds them."""
    trunks = [e.trunk for e in tuned_encoders(model).values() if e.trunk is not None]
    held = [p for trunk in trunks for p in trunk.parameters() if p.requires_grad]
    for p in held:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in held:
            p.requires_grad_(True)


def let_go(model: Model, loader: Loader) -> None:
    """Forget what encoders said that change from now on, and free its disk."""
    for name, encoder in tuned_encoders(model).items():
        encoder.held = False
        features = loader.features.pop(name, None)
        if features is not None:
            features.kept.close()
