"""Which packages a wheelhouse holds: those that are installed here for some extras."""

from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError
from typing import NamedTuple

from modalloy.errors import JobError
from modalloy.job.options import did_you_mean
from modalloy.machine.installed import OWN, extras_of, installed_for, normal


class Pin(NamedTuple):
    """A package with the version that is installed here. bytes: of its files, unpacked."""

    name: str
    version: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


class Wanted(NamedTuple):
    """own: the product. others: all that it needs, by name."""

    own: Pin
    extras: Sequence[str]
    others: Sequence[Pin]

    @property
    def bytes(self) -> int:
        """Of all files, unpacked; wheels are compressed, so they take less."""
        return self.own.bytes + sum(pin.bytes for pin in self.others)

    def asked(self) -> str:
        """What pip is asked for: `modalloy[twin]==0.1.0`."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"{self.own.name}{extras}=={self.own.version}"

    def text(self) -> str:
        """A line a package, for a terminal."""
        every = [self.own, *self.others]
        wide = max(len(str(pin)) for pin in every)
        lines = [f"{pin!s:<{wide}}  {pin.bytes / 1e6:8.1f} MB" for pin in every]
        total = f"{len(every)} packages; installed they take {self.bytes / 1e6:,.1f} MB"
        return "\n".join([*lines, f"{total}, as wheels less."])


def wanted(extras: Sequence[str], *, package: str = OWN) -> Wanted:
    """The packages for some extras of a product, each in the version that is installed here.

    JobError for an extra that there is not, and where something that is needed is not installed, or
    in a version that does not fit: a wheelhouse holds what was tried here.
    """
    try:
        known = extras_of(package)
    except PackageNotFoundError as error:
        raise JobError(f"wheelhouse: {package} is not installed here as a package.") from error
    for extra in extras:
        if normal(extra) not in map(normal, known):
            raise JobError(
                f"--extra: there is no '{extra}'.{did_you_mean(extra, known)} There are "
                f"{', '.join(sorted(known))}."
            )
    found = installed_for(package, extras)
    if found.lacking:
        named = f"{package}[{','.join(extras)}]" if extras else package
        raise JobError(
            f"wheelhouse: not installed here as asked for: {'; '.join(found.lacking)}. Install "
            f"'{named}' first: the folder holds the versions that are here."
        )
    pins = {name: pin(name, one) for name, one in sorted(found.found.items())}
    own = pins.pop(normal(package))
    return Wanted(own, list(dict.fromkeys(extras)), list(pins.values()))


def pin(name: str, found: Distribution) -> Pin:
    """A package as it is installed."""
    return Pin(name, found.version, sum(file.size or 0 for file in found.files or ()))
