"""One way to read columns from what sites propose; what cannot be one is named, all at once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from modalloy.errors import FederationError, RunError, TableError
from modalloy.job import config
from modalloy.job.inputs import input_columns
from modalloy.readers.build import from_state, targets_from_state, to_state
from modalloy.readers.number import NumberReader, from_log
from modalloy.readers.reader import Reader
from modalloy.readers.targets.regress import NumberTarget
from modalloy.readers.targets.target import TargetReader

FAR = 20.0  # times as large, from which numbers of one column look like another unit's


class Agreed(NamedTuple):
    """readers, targets: as JSON. has: the inputs that each site has. rows: of each site."""

    readers: dict[str, Any]
    targets: dict[str, Any]
    has: dict[str, list[str]]
    rows: dict[str, int]


def agree(job: config.Job, proposals: Mapping[str, Mapping[str, Any]]) -> Agreed:
    """What every site reads by. FederationError names each conflict and what mends it."""
    faults: list[str] = []
    readers: dict[str, Reader] = {}
    has = {site: list(own["readers"]) for site, own in proposals.items()}
    for name in input_columns(job):
        found = {s: loaded(own["readers"], name) for s, own in proposals.items()}
        fitted = {s: reader for s, reader in found.items() if reader is not None}
        if not fitted:
            faults.append(
                f"column '{name}': no site has so many rows of it that it may be told how it is "
                f"read; leave it out of the job, or lower federate.fewest ({job.federate.fewest})"
            )
            continue
        faults += units_of(name, {s: proposals[s]["units"] for s in fitted})
        faults += other_units(name, middles_of(fitted), job)
        rows = [max(1, proposals[s]["rows"]) for s in fitted]
        try:
            readers[name] = type(next(iter(fitted.values()))).together([*fitted.values()], rows)
        except TableError as error:
            faults.append(f"{error} ({', '.join(fitted)})")
    targets = {}
    for name in job.tasks:
        known = {s: own["targets"] for s, own in proposals.items() if name in own["targets"]}
        if not known:
            faults.append(f"task '{name}': no site has an answer to learn from")
            continue
        fitted = {s: targets_from_state({name: t[name]}, job)[name] for s, t in known.items()}
        own, column = [*fitted.values()], next(iter(fitted.values())).column
        faults += units_of(column, {s: proposals[s]["units"] for s in known})
        faults += other_units(column, middles_of(fitted), job)
        rows = [max(1, proposals[s]["rows"]) for s in known]
        try:
            targets[name] = type(own[0]).together(own, rows)
        except TableError as error:
            faults.append(f"{error} ({', '.join(known)})")
    if faults:
        raise FederationError("sites do not agree:\n" + "\n".join(f"- {f}" for f in faults))
    sizes = {site: own["rows"] for site, own in proposals.items()}
    return Agreed(to_state(readers), to_state(targets), has, sizes)


def loaded(state: Mapping[str, Any], name: str) -> Reader | None:
    """A site's reader of a column, None where it has none."""
    if name not in state:
        return None
    try:
        return from_state({name: state[name]})[name]
    except RunError as error:
        raise FederationError(f"a site's proposal cannot be read: {error}") from error


def units_of(name: str, units: Mapping[str, Mapping[str, str]]) -> list[str]:
    """A sentence where sites write a column in different units."""
    said = {site: own[name] for site, own in units.items() if name in own}
    if len(set(said.values())) < 2:
        return []
    (a, one), (b, other) = sorted({u: s for s, u in said.items()}.items())[:2]
    return [
        f"column '{name}' is in {a} at {one} and in {b} at {other}: give both the job's unit, and "
        f"say in federate.columns what the other's numbers are multiplied by (times:)"
    ]


def middles_of(fitted: Mapping[str, Reader | TargetReader]) -> dict[str, float]:
    """How large each site's numbers are; of readers of numbers."""
    return {s: middle(r) for s, r in fitted.items() if isinstance(r, NumberReader | NumberTarget)}


def other_units(name: str, middles: Mapping[str, float], job: config.Job) -> list[str]:
    """Sentences on sites whose numbers of a column are so much larger or smaller than all others'
    that their unit must be another, unless the job says what they are."""
    known = [s for s in middles if name not in job.federate.columns.get(s, {})]
    found = []
    for site in known:
        others = [m for s, m in middles.items() if s != site]
        if not others:
            continue
        own, usual = middles[site], sorted(others)[len(others) // 2]
        times = max(own, usual, 1e-300) / max(min(own, usual), 1e-300)
        if times >= FAR:
            way = "larger" if own > usual else "smaller"
            found.append(
                f"column '{name}': numbers of {site} are about {times:,.0f} times {way} than the "
                f"others', as in another unit; say in federate.columns: {{{site}: {{{name}: "
                f"{{times: ...}}}}}} what to multiply them by, times: 1 if they are right"
            )
    return found[:1] if len(middles) == 2 else found


def middle(reader: NumberReader | NumberTarget) -> float:
    """How large a column's numbers are: what its middle and its spread reach to."""
    size = abs(reader.center) + abs(reader.scale)
    return float(from_log(np.array(size))) if reader.log else size
