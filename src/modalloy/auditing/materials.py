"""The software that a run needs, as a bill of materials in CycloneDX 1.6 (ECMA-424), as JSON.

Written from what is installed: names, versions, licences as each package states them, and who
needs whom. Weights count as machine-learning models with their SHA-256.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, version
from typing import Any
from urllib.parse import quote

from modalloy import __version__
from modalloy.job.inputs import inputs
from modalloy.machine.installed import OWN, extras_of, installed_for
from modalloy.model.trunks.pretrained import SOURCES
from modalloy.runs.run import Run

FORM = "1.6"
FOR_DEVELOPERS = ("test", "dev")  # extras that no model needs
LONGEST = 120  # letters of a licence that is no whole text
OSI = "License :: "


def bill_of_materials(run: Run) -> dict[str, Any]:
    """The bill of a run: itself, the pretrained weights that it was built with, and all packages.

    Packages that no installation can do without are `required`, those of extras that are installed
    here are `optional`.
    """
    base, whole = installed_for(), installed_for(extras=wanted_extras())
    packages = [component(n, d, n in base.found) for n, d in sorted(whole.found.items())]
    own = model_component(run)
    weights = list(pretrained(run))
    refs = {name: reference(name, found) for name, found in whole.found.items()}
    links = [
        {"ref": own["bom-ref"], "dependsOn": sorted([refs[OWN], *(w["bom-ref"] for w in weights)])},
        *(
            {"ref": refs[name], "dependsOn": sorted(refs[n] for n in needs if n in refs)}
            for name, needs in sorted(whole.needs.items())
        ),
    ]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, run.identity + "".join(sorted(refs.values())))
    return {
        "$schema": f"http://cyclonedx.org/schema/bom-{FORM}.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": FORM,
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "tools": {"components": [{"type": "application", "name": OWN, "version": __version__}]},
            "component": own,
        },
        "components": [*weights, *packages],
        "dependencies": links,
    }


def wanted_extras() -> list[str]:
    """Extras of this package, as it is installed, that are for whoever uses it."""
    return [extra for extra in extras_of() if extra not in FOR_DEVELOPERS]


def component(name: str, found: Distribution, required: bool) -> dict[str, Any]:
    """One package."""
    told: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference(name, found),
        "name": found.metadata["Name"],
        "version": found.version,
        "scope": "required" if required else "optional",
        "purl": reference(name, found),
    }
    licences = licences_of(found)
    return {**told, "licenses": licences} if licences else told


def reference(name: str, found: Distribution) -> str:
    """A package's address of the form `pkg:pypi/numpy@2.3.1` (package URL)."""
    return f"pkg:pypi/{name}@{quote(found.version, safe='')}"


def licences_of(found: Distribution) -> list[dict[str, Any]]:
    """What a package says of its licence: an SPDX expression, a name, or its classifiers' names."""
    told = found.metadata
    if expressions := told.get_all("License-Expression"):
        return [{"expression": expressions[0]}]
    name = " ".join(" ".join(told.get_all("License") or []).split())
    if name and name.upper() != "UNKNOWN" and len(name) <= LONGEST:
        return [{"license": {"name": name}}]
    classified = [c for c in told.get_all("Classifier") or [] if c.startswith(OSI)]
    return [{"license": {"name": c.rpartition(" :: ")[2]}} for c in classified]


def model_component(run: Run) -> dict[str, Any]:
    """The run itself."""
    return {
        "type": "machine-learning-model",
        "bom-ref": f"run:{run.identity}",
        "name": run.path.resolve().name,
        "version": run.identity[:12],
        "hashes": [{"alg": "SHA-256", "content": run.sealed["model.safetensors"]}],
    }


def pretrained(run: Run) -> Iterator[dict[str, Any]]:
    """Weights of others that the run was built with, where a package brings them."""
    asked = {getattr(options, "encoder", None) for options in inputs(run.job).values()}
    for name, source in SOURCES.items():
        if name not in asked:
            continue
        told = {
            "type": "machine-learning-model",
            "bom-ref": f"weights:{name}",
            "name": f"{name} ({source.package})",
            "hashes": [{"alg": "SHA-256", "content": source.sha256}],
        }
        try:
            yield {**told, "version": version(source.package)}
        except PackageNotFoundError:
            yield told


def without_licence(bill: dict[str, Any]) -> list[str]:
    """Names of packages that say nothing of their licence."""
    packages = [c for c in bill["components"] if c["type"] == "library"]
    return [c["name"] for c in packages if "licenses" not in c]
