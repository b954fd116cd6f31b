"""Which rows a run has learned from, in its training and in what was done to it afterwards."""

import numpy as np

from modalloy.runs.run import Run

CALIBRATED_ROWS = "calibrated-rows.bin"  # a part of a run that was calibrated anew
ADAPTED_ROWS = "adapted-rows.bin"  # a part of a run that was adapted
UNLABELLED_ROWS = "unlabelled-rows.bin"  # of a run that was pretrained on further tables, each once


def prints_in(run: Run, part: str) -> np.ndarray:
    """Fingerprints that a part of a run holds, (N,) int64; none where it has no such part."""
    return np.frombuffer(run.part(part) if part in run.sealed else b"", dtype="<i8")


def to_part(prints: np.ndarray) -> bytes:
    """What `prints_in` reads."""
    return prints.astype("<i8").tobytes()


def all_learned(run: Run) -> np.ndarray:
    """Fingerprints of all rows that a run's weights were learned from, (N,) int64.

    A row of a further table that is a training row too counts once.
    """
    prints = run.prints()
    also = [prints.validation] if run.notes.get("refit") else []
    own = np.concatenate([prints.train, *also, prints_in(run, ADAPTED_ROWS)])
    return np.concatenate([own, np.setdiff1d(prints_in(run, UNLABELLED_ROWS), own)])
