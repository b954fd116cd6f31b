"""Which packages are installed for this one: what it needs, and what these need in turn."""

import importlib.metadata
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import Distribution

OWN = "modalloy"


@dataclass
class Installed:
    """Packages by their normal names. needs: of each the packages that it asks for. lacking:
    requirements that are not met here, with who asks for them.
    """

    found: dict[str, Distribution] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    lacking: list[str] = field(default_factory=list)


def installed_for(package: str = OWN, extras: Iterable[str] = ()) -> Installed:
    """A package with all that it needs on this machine, its extras' packages among them.

    Conditions of requirements (PEP 508) are those of this Python and this machine. A requirement
    whose version does not fit counts as lacking. PackageNotFoundError where the package itself is
    not installed.
    """
    from packaging.requirements import Requirement

    seen: set[tuple[str, frozenset[str]]] = set()
    found = Installed({normal(package): importlib.metadata.distribution(package)})
    waiting = [(normal(package), frozenset(map(normal, extras)))]
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        found.needs.setdefault(name, set())
        for line in found.found[name].requires or ():
            asked = Requirement(line)
            chosen = ({"extra": extra} for extra in ("", *sorted(wanted)))
            if asked.marker is not None and not any(asked.marker.evaluate(c) for c in chosen):
                continue
            other = normal(asked.name)
            if other not in found.found and not take(found, other, f"{asked} (for {name})"):
                continue
            if not asked.specifier.contains(found.found[other].version, prereleases=True):
                found.lacking.append(f"{asked} (for {name}; {found.found[other].version} is here)")
            if other != name:
                found.needs[name].add(other)
            waiting.append((other, frozenset(map(normal, asked.extras))))
    found.lacking = list(dict.fromkeys(found.lacking))
    return found


def take(found: Installed, name: str, asked: str) -> bool:
    """Take a package into those that were found, or note that it is lacking."""
    try:
        found.found[name] = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        found.lacking.append(asked)
        return False
    return True


def normal(name: str) -> str:
    """A package's name as indexes write it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def extras_of(package: str = OWN) -> list[str]:
    """Names of a package's extras."""
    return importlib.metadata.metadata(package).get_all("Provides-Extra") or []
