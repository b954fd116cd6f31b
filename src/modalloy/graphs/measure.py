"""Which of several ways to compute a branch is the fastest here, by running them in turn."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.graphs.session import Session
from modalloy.readers.batch import Arrays

Place = TypeVar("Place")
ROWS = 8  # of zeros that go through a branch together
ROUNDS = 5  # each way is timed so often, in turn with the others: a busy moment meets all of them
LENGTHS = (32, 1024, 16384)  # of what varies in length: a sound of few samples has no spectrum


def fastest(branch: Branch, places: Sequence[Place], opened: Callable[[Place], Session]) -> Session:
    """The session that takes the least time for a few rows, the earlier one of equals.

    One that cannot run the branch is left out; BundleError with what the last
    one said where none can.
    """
    sessions, failure = [], None
    for place in places:
        try:
            sessions.append(opened(place))
        except Exception as error:  # a driver that is there and does not work raises anything
            failure = error
    for length in LENGTHS:
        given, able = example(branch, length=length), []
        for session in sessions:
            try:
                session.run(given)  # what a first run sets up is no part of the next ones
                able.append(session)
            except Exception as error:
                failure = error
        if able:
            seconds_RS = np.array([[timed(s, given) for s in able] for _ in range(ROUNDS)])
            return able[int(np.median(seconds_RS, axis=0).argmin())]
    raise unable(branch, failure) from failure


def unable(branch: Branch, failure: Exception | None) -> BundleError:
    """What to say of a branch that nothing here can run. failure: of the last that tried."""
    said = (str(failure).strip() or type(failure).__name__).splitlines()[0].rstrip(".")
    return BundleError(
        f"no device can run '{branch.name or 'fusion'}' here: {said}. Try another --device, or "
        "export the run on this machine."
    )


def timed(session: Session, given: Arrays) -> float:
    """Seconds of one run."""
    start = time.perf_counter()
    session.run(given)
    return time.perf_counter() - start


def example(branch: Branch, rows: int = ROWS, length: int = LENGTHS[0]) -> Arrays:
    """Rows for a branch: zeros, every mask open."""
    found = {}
    for name, port in branch.inputs.items():
        shape = (rows, *(length if n < 0 else n for n in port.shape[1:]))
        fill = np.ones if port.dtype == "bool" else np.zeros
        found[name] = fill(shape, np.dtype(port.dtype))
    return found
