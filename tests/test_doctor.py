"""Doctor names what is broken here, and the limits of a container are read where they stand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modalloy import diagnosis
from modalloy.machine import hardware
from modalloy.machine import limits as limits_module
from modalloy.machine.imports import probe
from modalloy.machine.limits import (
    disk_free_bytes,
    limits,
    machine_cores,
    machine_memory,
    rest_soon,
)
from modalloy.machine.vitals import Diagnosis, Vital


def test_a_whole_machine_passes_and_prints_what_to_do() -> None:
    found = diagnosis.doctor()
    text = found.text()
    assert found.ok, text
    for what in ("python", "packages", "torch", "threads", "GPU", "memory", "disk here", "minilm"):
        assert any(vital.what == what for vital in found.vitals), what
    assert text.endswith("Modalloy can train here.")


def test_a_broken_torchvision_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    (tmp_path / "timm.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    vitals = {vital.what: vital for vital in diagnosis._unwanted()}
    assert vitals["torchvision"].state == "broken"
    assert "operator torchvision::nms does not exist" in vitals["torchvision"].found
    assert "pip uninstall torchvision" in vitals["torchvision"].do
    assert vitals["timm"].state == "ok"
    assert not Diagnosis(list(vitals.values())).ok


def test_a_package_that_ends_its_process_is_broken_and_doctor_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "suicidal.py").write_text("import os; os._exit(11)")
    monkeypatch.syspath_prepend(tmp_path)
    assert probe(["json", "suicidal", "csv"]) == {"json": None}
    monkeypatch.setattr(diagnosis, "NEEDED", {"json": "json", "numpy": "suicidal"})
    vitals = list(diagnosis._packages(probe(["json", "suicidal"])))
    assert [(v.what, v.state) for v in vitals] == [("numpy", "broken"), ("packages", "ok")]
    assert vitals[0].do == "pip install --force-reinstall 'numpy>=2'"
    assert vitals[1].found.startswith("1 of 2")


def torch_facts(**changes: Any) -> dict[str, Any]:
    """What the probe says of a healthy torch."""
    facts = {"version": "2.13.0+cpu", "cuda": None, "gpus": [], "threads": 1}
    return facts | {"capability": "AVX2", "bf16_ratio": 1.5} | changes


@pytest.mark.parametrize(
    ("changes", "what", "state", "words"),
    [
        ({}, "torch", "ok", ""),
        ({"version": "2.14.1+cpu"}, "torch", "warn", "pip install 'torch<2.14,"),
        ({"version": "2.9.0"}, "torch", "warn", "pip install"),
        ({"cuda": "13.0"}, "torch", "warn", "several GB smaller"),
        ({"cuda": "13.0", "gpus": ["H200"]}, "torch", "ok", ""),
        ({"gpus": ["H200"]}, "GPU", "ok", ""),
        ({}, "GPU", "absent", ""),
        ({"threads": 10_000}, "threads", "warn", "OMP_NUM_THREADS="),
    ],
)
def test_builds_of_torch_and_their_advice(
    changes: dict[str, Any], what: str, state: str, words: str
) -> None:
    vitals = {v.what: v for v in hardware.look_at_torch(torch_facts(**changes))}
    assert vitals[what].state == state
    assert words in vitals[what].do
    assert bool(words) == bool(vitals[what].do)


def test_text_has_a_line_each_and_the_cure_below() -> None:
    found = Diagnosis([Vital("a", "ok", "fine"), Vital("b", "broken", "gone", "mend it")])
    lines = found.text().splitlines()
    assert lines[0].split() == ["ok", "a", "fine"]
    assert lines[2].strip() == "-> mend it"
    assert lines[3] == "Modalloy cannot train here before this is repaired: b."


def control_groups(tmp_path: Path, membership: str, files: dict[str, str]) -> dict[str, Path]:
    """A made-up /sys/fs/cgroup and /proc/self/cgroup."""
    (tmp_path / "self").write_text(membership)
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {"root": tmp_path / "cgroup", "membership": tmp_path / "self"}


def test_version_2_groups_and_the_smallest_around_the_process_counts(tmp_path: Path) -> None:
    where = control_groups(
        tmp_path,
        "0::/outer/inner\n",
        {
            "outer/cpu.max": "50000 100000\n",
            "outer/inner/cpu.max": "max 100000\n",
            "outer/memory.max": "max\n",
            "outer/inner/memory.max": "3000000\n",
            "memory.max": "5000000\n",
        },
    )
    assert limits(**where) == (0.5, 3_000_000, True)


def test_version_1_groups(tmp_path: Path) -> None:
    where = control_groups(
        tmp_path,
        "4:memory:/box\n1:cpu,cpuacct:/box\n9:name=systemd:/\n0::/\n",
        {
            "cpu,cpuacct/box/cpu.cfs_quota_us": "25000\n",
            "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n",
            "memory/box/memory.limit_in_bytes": "4000000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert limits(**where) == (0.25, 4_000_000, True)


@pytest.mark.parametrize("membership", ["", "0::/../..\n", "0::/\n4:memory:/x\n"])
def test_without_limits_the_whole_machine_counts(membership: str, tmp_path: Path) -> None:
    where = control_groups(tmp_path, membership, {"cpu.cfs_quota_us": "-1\n", "memory.max": "max"})
    assert limits(**where) == (machine_cores(), machine_memory(), False)
    absent = {"root": tmp_path / "no", "membership": tmp_path / "no"}
    assert limits(**absent) == (machine_cores(), machine_memory(), False)


def test_threads_rest_soon_unless_somebody_else_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    rest_soon()
    assert int(os.environ["GOMP_SPINCOUNT"]) < 100_000
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    rest_soon()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    monkeypatch.delenv("GOMP_SPINCOUNT")
    given = "import os, sys, modalloy.cli as cli; assert 'GOMP_SPINCOUNT' not in os.environ; "
    seen = "assert 'torch' not in sys.modules; print(os.environ)"
    command = f"cli.app = lambda: None; cli.main(); {seen}"
    program = [sys.executable, "-c", given + command]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert "GOMP_SPINCOUNT" in done.stdout


def test_what_no_part_of_modalloy_uses_is_not_looked_at() -> None:
    assert "shared memory" not in {v.what for v in hardware.look_at_machine()}


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert disk_free_bytes(tmp_path / "a" / "b") > 0


def test_probe_tells_why_an_import_fails() -> None:
    seen = probe(["no_such_module_anywhere", "PIL.Image"])
    assert "no_such_module_anywhere" in seen["no_such_module_anywhere"]
    assert "PNG" in seen["picture formats"]
    assert json.dumps(seen)


def test_doctor_names_the_file_of_tried_number_types(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "modalloy" / "number_types.json"
    assert diagnosis._remembered().found == f"none yet; they will be kept in {path}"
    path.parent.mkdir()
    path.write_text('{"a": {}, "b": {}}')
    vital = diagnosis._remembered()
    assert (vital.state, vital.found) == ("ok", f"2 kept in {path}, which may be removed")
    path.write_text("{")
    vital = diagnosis._remembered()
    assert vital.state == "warn"
    assert f"rm '{path}'" in vital.do
    monkeypatch.setenv("XDG_CACHE_HOME", "no/whole/path")
    assert str(Path.home() / ".cache" / "modalloy") in diagnosis._remembered().found


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors cannot be chosen")
def test_cores_follow_the_processors_that_a_process_may_run_on() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from modalloy.machine.limits import cores, limits; print(cores(), limits().cores)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    whole, allowed = done.stdout.split()
    assert int(whole) == 1
    assert float(allowed) <= 1.0


@pytest.mark.parametrize(
    ("quota", "period", "allowed", "planned"),
    [(150_000, 100_000, 1.5, 2), (40_000, 100_000, 0.4, 1), (350_000, 100_000, 3.5, 4)],
)
def test_a_quota_below_the_machine_decides_threads(
    quota: int,
    period: int,
    allowed: float,
    planned: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits_module, "machine_cores", lambda: 8)  # a set of 8 of 64 processors
    where = control_groups(tmp_path, "0::/pod\n", {"pod/cpu.max": f"{quota} {period}\n"})
    assert limits(**where)[0] == allowed
    monkeypatch.setattr(limits_module, "limits", lambda: limits(**where))
    assert limits_module.cores() == planned
    monkeypatch.setattr(limits_module, "machine_cores", lambda: 1)  # taskset inside the quota
    assert limits(**where)[0] == min(allowed, 1.0)
