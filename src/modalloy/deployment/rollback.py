"""The verb `rollback`: the version of a served model that answered before does so again."""

from pathlib import Path

from modalloy.deployment.deployment import Deployment, live_of
from modalloy.deployment.version import Version


def rollback(run: str | Path, *, live: str | Path | None = None, why: str = "asked for") -> Version:
    """Let the version answer that did before the current one; it is checked, and loaded by nobody.

    run: the run or bundle that is served. live: its deployment's folder, `RUN.live` for None. why:
    is kept in the history. A server that runs takes the version within a second or two.

    Raises RunError where the model was never served, nothing answered before, or what did was
    changed since.
    """
    place = live_of(Path(run)) if live is None else Path(live)
    return Deployment.open(place).rollback(why)
