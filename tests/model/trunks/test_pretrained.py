"""Weight files of the pip packages: found without import, checked by hash, read by name."""

import importlib.metadata
import struct
import sys

import numpy as np
import pytest
import torch

from modalloy.errors import JobError
from modalloy.model.trunks import pretrained
from modalloy.model.trunks.pretrained import (
    SOURCES,
    Source,
    find_weights,
    read_ctranslate2,
    read_weights,
)
from modalloy.model.trunks.whisper import tiny_en


@pytest.mark.parametrize("name", SOURCES)
def test_installed_weights_have_the_pinned_hash(name: str) -> None:
    assert find_weights(SOURCES[name], name).is_file()
    assert SOURCES[name].package.replace("-", "_") not in sys.modules


def test_absent_package_names_the_extra() -> None:
    source = Source("no-such-weights-package", "model.bin", "00")
    with pytest.raises(JobError, match=r"no-such-weights-package.*modalloy\[pretrained\]"):
        find_weights(source, "minilm")


def test_absent_file_says_how_to_mend_it() -> None:
    source = SOURCES["minilm"]._replace(file="model/other.safetensors")
    with pytest.raises(JobError, match=r"holds no model/other.safetensors.*--force-reinstall"):
        find_weights(source, "minilm")


def test_changed_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = SOURCES["efficientnet_lite0"]._replace(sha256="0" * 64)
    monkeypatch.setitem(pretrained.SOURCES, "efficientnet_lite0", changed)
    with pytest.raises(JobError, match=r"sha256 579344248a93e230.*are not used"):
        read_weights("efficientnet_lite0")


def test_packages_in_the_extra_are_the_ones_read() -> None:
    needed = importlib.metadata.requires("modalloy") or []
    listed = {r.split("==")[0] for r in needed if "pretrained" in r and "==" in r}
    assert {s.package for s in SOURCES.values()} <= listed


def test_whisper_fills_every_weight() -> None:
    state = read_weights("whisper_tiny_en")
    encoder = tiny_en()
    keys = encoder.load_state_dict(state)
    assert not keys.missing_keys
    assert not keys.unexpected_keys
    assert sum(t.numel() for t in state.values()) == 8_208_384
    # The published table of positions starts with sin(0) and cos(0).
    places = encoder.embed_positions.weight
    torch.testing.assert_close(places[0, :192], torch.zeros(192), atol=1e-3, rtol=0)
    torch.testing.assert_close(places[0, 192:], torch.ones(192), atol=1e-3, rtol=0)


def test_ctranslate2_layout() -> None:
    """A file written by hand from the layout's description comes back."""

    def text(name: str) -> bytes:
        return struct.pack("<H", len(name) + 1) + name.encode() + b"\0"

    def variable(name: str, kind: int, array: np.ndarray) -> bytes:
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        return text(name) + shape + struct.pack("<BI", kind, array.nbytes) + array.tobytes()

    weight = np.arange(6, dtype=np.float16).reshape(2, 3)
    data = struct.pack("<I", 6) + text("Spec") + struct.pack("<II", 3, 2)
    data += variable("a/weight", 4, weight) + variable("heads", 2, np.array(6, np.int16))
    arrays = read_ctranslate2(data + b"aliases")
    assert arrays.keys() == {"a/weight", "heads"}
    assert arrays["a/weight"].dtype == torch.float32
    np.testing.assert_array_equal(arrays["a/weight"].numpy(), weight.astype(np.float32))
    assert int(arrays["heads"]) == 6
