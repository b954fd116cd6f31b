"""What a bundle says in JSON of itself and of its run, looked at before anything is built of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, NonNegativeInt, ValidationError

from modalloy.bundle.archive import Archive
from modalloy.errors import BundleError
from modalloy.graphs.branch import Branch
from modalloy.machine.fingerprint import Fingerprint
from modalloy.runs.migrate import RawRun, migrate
from modalloy.runs.seal import FORMAT

JOB, SCHEMA, ORIGIN = "job.json", "schema.json", "origin.json"  # what every bundle holds
BRANCHES = "branches"  # of the manifest's notes
MACHINE = "machine"  # where it was made
# What code raises that meets other data than it wrote itself.
ODD = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)


Formed = TypeVar("Formed", bound="Form")


class Form(BaseModel):
    """Data of which what is named has this form; what else stands there is left alone."""

    model_config = ConfigDict(strict=True)


class ToldParent(Form):
    """The run that a bundle was made of."""

    sha256: str
    verb: str
    path: str


class ToldOrigin(Form):
    """`origin.json`."""

    format: int
    kind: str
    parent: ToldParent | None
    sha256: dict[str, str]
    notes: dict[str, Any]


class ToldSchema(Form):
    """`schema.json`; what formats before the present one may lack is not required."""

    readers: dict[str, dict[str, Any]]
    targets: dict[str, dict[str, Any]]
    trunks: dict[str, dict[str, Any]]
    decimal: str | None = None
    stages: dict[str, dict[str, Any]] = {}


class ToldGolden(Form):
    """How many golden rows there are, and why there are none. rows: 0 or more."""

    rows: NonNegativeInt
    without: Literal["asked", "large"] | None


class ToldNotes(Form):
    """Notes of the manifest that answering reads. golden: older bundles say nothing of it."""

    branches: list[dict[str, Any]]
    machine: Fingerprint | None = None
    golden: ToldGolden | None = None


@dataclass(frozen=True)
class Told:
    """origin: as it lies there. raw: the run in the present format. machine, golden: None where the
    bundle does not say where it was made, or what rows it holds.
    """

    origin: ToldOrigin
    raw: RawRun
    branches: dict[str, Branch]
    machine: Fingerprint | None
    golden: ToldGolden | None


def told_by(archive: Archive) -> Told:
    """What a bundle says. BundleError where it is not of the form that modalloy writes."""
    path = archive.path
    origin, schema, job = (archive.read_json(name) for name in (ORIGIN, SCHEMA, JOB))
    own = checked(ToldOrigin, origin, f"{path}: {ORIGIN}")
    checked(ToldSchema, schema, f"{path}: {SCHEMA}")
    notes = checked(ToldNotes, archive.manifest.notes, f"{path}: notes")
    if own.format > FORMAT:
        raise BundleError(
            f"{path}: of a run in format {own.format}, and this modalloy reads formats up to "
            f"{FORMAT}; upgrade modalloy."
        )
    if own.format < 1:
        raise BundleError(f"{path}: of a run in format {own.format}; export it again.")
    if not isinstance(job, dict):
        raise BundleError(f"{path}: {JOB} is no group of options; export the bundle again.")
    with rightly(path):
        raw = migrate(RawRun(origin, job, schema))
    branches = [Branch.from_state(s, archive.names) for s in notes.branches]
    return Told(own, raw, {b.name: b for b in branches}, notes.machine, notes.golden)


def checked(kind: type[Formed], data: Any, where: str) -> Formed:
    """Data in this form, without what the form does not name; BundleError where it is another."""
    try:
        return kind.model_validate_json(json.dumps(data))
    except ValidationError as error:
        first = error.errors()[0]
        spot = ".".join(map(str, first["loc"]))
        raise BundleError(
            f"{where}: is not as modalloy writes it ({spot}: {first['msg']}); export the bundle "
            "again."
        ) from error


@contextmanager
def rightly(path: Path) -> Iterator[None]:
    """BundleError in place of what code raises that is given other data than it wrote itself."""
    try:
        yield
    except ODD as error:
        said = (str(error).strip() or "nothing more is known").splitlines()[0]
        raise BundleError(
            f"{path}: does not fit together ({type(error).__name__}: {said}); export the bundle "
            "again."
        ) from error


def refuse_lacking(path: Path, what: str, needed: Mapping[str, Any] | set[str], has: Any) -> None:
    """BundleError where a bundle lacks one of what answering needs."""
    for name in needed:
        if name not in has:
            raise BundleError(
                f"{path}: lacks {what} '{name or 'fusion and heads'}'; export the bundle again."
            )
