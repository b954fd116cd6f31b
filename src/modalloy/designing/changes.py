"""What of a design would have to change so that it keeps everything asked: the inverse of a search.

A finished search has a surrogate and a margin; a design is given by its values, or as the row of a
table that is most like a drawing, a sound or a text of wishes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from modalloy.designing.asked import Design
from modalloy.designing.counterfactual import Changed, nearest
from modalloy.designing.loop import Loop
from modalloy.designing.opened import open_study, tried_in
from modalloy.designing.records import Records
from modalloy.designing.running import Runner
from modalloy.designing.study import Study
from modalloy.errors import DesignError
from modalloy.retrieval.searcher import Searcher
from modalloy.twin.fingerprint import fingerprint
from modalloy.twin.tasks import checked

RECORDS = "records"


class Change(NamedTuple):
    """A design near the given one that is certified to keep everything. values: of all variables.
    changed: variable -> value before and now. distance: sum of changes as shares of their ranges.
    predicted: output -> middle of what is foretold."""

    values: dict[str, Any]
    changed: dict[str, tuple[Any, Any]]
    distance: float
    predicted: dict[str, float]


def nearest_designs(
    study: str | Path,
    near: Mapping[str, Any] | None = None,
    *,
    run: str | Path | None = None,
    image: str | Path | bytes | None = None,
    audio: str | Path | bytes | None = None,
    text: str | None = None,
    only: Sequence[str] = (),
    count: int = 3,
) -> list[Change]:
    """The certified designs nearest to a given one, nearest first; none where none is certified.

    study: folder of a finished search. near: values of every variable that follows from no other,
    and whatever else a row holds. run: in place of `near` a run of rows of the twin, whose most
    alike row to a drawing (`image`), a sound or a text of wishes is taken. only: variables that may
    change; all that the search did not set for none. count: designs that differ in what changed.

    DesignError where the folder holds no finished search, its twin has changed, or what is asked
    does not fit it; TwinError for values that cannot be set.
    """
    loop, own = reopened(Path(study))
    free = list(own.space.free)
    asked = {"image": image, "audio": audio, "text": text}
    if (near is None) is (run is None):
        raise DesignError("give the values of a design, or a run and what to look for in it.")
    if run is None and any(one is not None for one in asked.values()):
        raise DesignError("a drawing, a sound or a text is looked for in a run's rows; give a run.")
    values = most_like(run, free, asked) if run is not None else dict(near or {})
    start = checked(own.twin, {n: v for n, v in values.items() if n in free}, "near: ")
    if lacking := [name for name in free if name not in start]:
        raise DesignError(f"near: has no value of {', '.join(lacking)}.")
    open_ = [name for name in free if name not in own.asked.set]
    if unknown := [name for name in only if name not in open_]:
        raise DesignError(
            f"only: {', '.join(unknown)} cannot change in this search; there are "
            f"{', '.join(open_)}."
        )
    found = nearest(
        own.space.encode([start])[0],
        loop.u_ND[own.problem.kept(loop.y_NO)],
        loop.learned().certified,
        own.problem.repair,
        own.space.groups,
        actionable=list(only) or open_,
        count=count,
        seed=own.asked.seed,
    )
    return [told(change, own, loop, start) for change in found]


def reopened(folder: Path) -> tuple[Loop, Study]:
    """A finished search with its rows."""
    if not (folder / RECORDS).is_dir():
        raise DesignError(f"{folder}: holds no search; give the folder that `design` wrote.")
    records = Records(folder / RECORDS)
    first, last = records.last("plan"), records.last("accept")
    if first is None or last is None:
        raise DesignError(f"{folder}: its search is not done; go on with --resume.")
    asked = Design.model_validate(first.facts["asked"])
    study = open_study(asked)
    stood_in = first.facts.get("run", {}).get("fingerprint")
    if study.run is not None and study.run.fingerprint != stood_in:
        raise DesignError(
            f"{folder}: the run that stood in has changed since this search; search anew."
        )
    if fingerprint(study.twin) != first.facts["fingerprint"]:
        raise DesignError(
            f"{folder}: the twin or its simulator has changed since this search; search anew."
        )
    tried = tried_in(study)
    if tried is not None:
        known = asked.model_copy(update={"planned": len(tried.outcomes)})
        return Loop(replace(study, asked=known), records, tried), study
    with Runner(study.twin, folder, seed=asked.seed, hidden=asked.hidden) as runner:
        return Loop(study, records, runner), study


def told(found: Changed, study: Study, loop: Loop, start: Mapping[str, Any]) -> Change:
    """A design with what differs from the given one, and what is foretold of it."""
    learned, now = loop.learned(), study.designs(found.u_D[None])[0]
    said_O = learned.chosen.surrogate.predict(found.u_D[None]).median_NO[0]
    names = learned.problem.names
    return Change(
        now,
        {name: (start[name], now[name]) for name in found.changed},
        found.distance,
        {name: float(said_O[names.index(name)]) for name in study.outputs},
    )


def most_like(
    run: str | Path, variables: Sequence[str], asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Values of the past design that is most like a drawing, a sound or a text.

    run: trained or pretrained on rows of the twin. DesignError where its table lacks a variable.
    """
    searcher = Searcher(run)
    table = searcher.loader.table
    if lacking := [name for name in variables if name not in table.columns]:
        raise DesignError(f"{run}: its table has no column {', '.join(lacking)}.")
    hits = list(searcher.search(**asked, top=1))
    return {name: table.cells(name, np.array([hits[0].row]))[0] for name in variables}
