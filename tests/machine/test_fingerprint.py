"""Two machines are compared by what their kernels are chosen by, and the sentence says what."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modalloy.machine.fingerprint import (
    Fingerprint,
    cpu_flags,
    fingerprint,
    kernel_flags,
    processor,
    same_kind,
)
from modalloy.machine.limits import cores

XEON = """processor\t: 0
model name\t: Intel(R) Xeon(R) Platinum 8481C
flags\t\t: fpu sse2 avx avx2 fma avx512f avx512_bf16 amx_tile amx_int8 ht

processor\t: 1
model name\t: another
flags\t\t: avx
"""
ARM = "processor\t: 0\nFeatures\t: fp asimd asimddp sve bf16 crc32\n"
THEN = Fingerprint("Xeon", ("avx2", "avx512f"), 4, {"torch": "2.13.0", "numpy": "2.4.0"})


def test_this_machine_and_its_engines() -> None:
    found = fingerprint()
    assert found.versions["numpy"] == np.__version__
    assert found.cores == cores()
    assert found.processor
    again = Fingerprint.from_state(json.loads(json.dumps(found.state())))
    assert again == found
    assert again.key == found.key
    assert same_kind(again, found) == (
        True,
        "Answers are the same here: same processor, cores and versions.",
    )


def test_no_engine_is_imported_for_it() -> None:
    import subprocess

    program = "import sys; from modalloy.machine.fingerprint import fingerprint as f; f(); "
    program += "sys.exit(bool({'torch', 'onnxruntime', 'openvino'} & sys.modules.keys()))"
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("text", "model", "flags"),
    [
        (
            XEON,
            "Intel(R) Xeon(R) Platinum 8481C",
            ("amx_int8", "amx_tile", "avx", "avx2", "avx512_bf16", "avx512f", "fma"),
        ),
        (ARM, None, ("asimd", "asimddp", "bf16", "sve")),
        ("", None, ()),
    ],
)
def test_what_linux_tells_of_a_processor(
    text: str, model: str | None, flags: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert kernel_flags(tmp_path / "cpuinfo") == flags
    told = processor(tmp_path / "cpuinfo")
    assert told == model if model else told
    assert cpu_flags(tmp_path / "absent") == set()


@pytest.mark.parametrize(
    ("now", "same", "words"),
    [
        (THEN, True, "Answers are the same here"),
        (replace(THEN, cores=2), True, "last bits alone: 4 cores then, 2 now."),
        (replace(THEN, flags=("avx2",)), False, "differ here: it lacks avx512f."),
        (replace(THEN, flags=(*THEN.flags, "amx_int8")), False, "it has amx_int8 besides"),
        (replace(THEN, processor="EPYC"), False, "the processor was Xeon and is EPYC"),
        (replace(THEN, versions={"torch": "2.14.0"}), False, "torch was 2.13.0 and is 2.14.0"),
        (replace(THEN, versions={"numpy": "2.4.0"}), True, "Answers are the same here"),
    ],
)
def test_what_may_differ_is_said(now: Fingerprint, same: bool, words: str) -> None:
    likeness = same_kind(THEN, now)
    assert likeness.same == same
    assert words in likeness.why
    assert likeness.why.endswith(".")
    assert (now.key == THEN.key) == (now == THEN)
