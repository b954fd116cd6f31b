"""The bill of materials has the form of CycloneDX 1.6, and says what is installed."""

import importlib.metadata
import json
import re
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from conftest import write_table
from modalloy.auditing.materials import bill_of_materials, licences_of, without_licence
from modalloy.machine.installed import installed_for, normal
from untrained import untrained

TYPES = ("application", "library", "machine-learning-model")  # of those of the specification
URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PURL = re.compile(r"pkg:pypi/[a-z0-9-]+@[^@+ ]+")
KEYS = {
    "$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata", "components",
    "dependencies",
}  # fmt: skip
OWN = {"type", "bom-ref", "name", "version", "scope", "purl", "licenses", "hashes"}


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("bill")
    run = untrained(folder / "run", write_table(folder))
    return json.loads(json.dumps(bill_of_materials(run)))


def test_the_form_is_that_of_the_specification(bill: dict[str, Any]) -> None:
    assert bill.keys() == KEYS
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert bill["$schema"] == "http://cyclonedx.org/schema/bom-1.6.schema.json"
    assert URN.fullmatch(bill["serialNumber"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", bill["metadata"]["timestamp"])
    components = [bill["metadata"]["component"], *bill["components"]]
    for one in components:
        assert one.keys() <= OWN
        assert one["type"] in TYPES
        assert one["name"]
        assert one.get("scope", "required") in ("required", "optional")
        for licence in one.get("licenses", ()):
            assert licence.keys() in ({"expression"}, {"license"})
            assert "expression" in licence or licence["license"]["name"]
        assert len(one.get("licenses", ())) == 1 or "expression" not in str(one.get("licenses"))
        for digest in one.get("hashes", ()):
            assert digest["alg"] == "SHA-256"
            assert re.fullmatch(r"[0-9a-f]{64}", digest["content"])
    refs = [one["bom-ref"] for one in components]
    assert len(set(refs)) == len(refs)
    linked = [link["ref"] for link in bill["dependencies"]]
    assert len(set(linked)) == len(linked)
    assert {*linked, *(n for link in bill["dependencies"] for n in link["dependsOn"])} <= set(refs)


def test_packages_are_those_that_are_installed(bill: dict[str, Any]) -> None:
    packages = {normal(c["name"]): c for c in bill["components"] if c["type"] == "library"}
    for name in ("modalloy", "torch", "numpy", "pydantic-core"):
        assert packages[name]["version"] == importlib.metadata.version(name)
        assert PURL.fullmatch(packages[name]["purl"]), packages[name]["purl"]
        assert packages[name]["scope"] == "required"
    assert packages["onnxruntime"]["scope"] == "optional"
    assert "pytest" not in packages
    links = {link["ref"]: link["dependsOn"] for link in bill["dependencies"]}
    assert packages["pydantic-core"]["purl"] in links[packages["pydantic"]["purl"]]
    assert packages["torch"]["purl"] in links[packages["modalloy"]["purl"]]
    assert set(without_licence(bill)) < {c["name"] for c in packages.values()}


@pytest.mark.parametrize(
    ("heads", "expected"),
    [
        ({"License-Expression": "MIT"}, [{"expression": "MIT"}]),
        ({"License": "BSD 3\nClause"}, [{"license": {"name": "BSD 3 Clause"}}]),
        (
            {"License": "x" * 500, "Classifier": "License :: OSI Approved :: MIT License"},
            [{"license": {"name": "MIT License"}}],
        ),
        ({"License": "UNKNOWN", "Classifier": "Topic :: Other"}, []),
    ],
)
def test_a_licence_is_what_the_package_says(heads: dict[str, str], expected: Any) -> None:
    class Package(importlib.metadata.PathDistribution):
        @property
        def metadata(self) -> Any:
            message = Message()
            for name, value in heads.items():
                message[name] = value
            return message

    assert licences_of(Package(Path("x"))) == expected


def test_what_is_needed_and_lacking_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def package(name: str, version: str, *needs: str) -> None:
        folder = tmp_path / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        (folder / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines]))

    package("toy", "1.0", "toy_low>=2", 'toy.gone; extra == "more"', 'x; sys_platform == "none"')
    package("toy-low", "1.5", "toy[more]")
    monkeypatch.syspath_prepend(str(tmp_path))
    plain = installed_for("toy")
    assert plain.needs == {"toy": {"toy-low"}, "toy-low": {"toy"}}
    assert plain.lacking == [
        "toy_low>=2 (for toy; 1.5 is here)",
        'toy.gone; extra == "more" (for toy)',
    ]
