"""A mixture is a weighted mean in the network's form, and is kept as arrays without loss."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modalloy.blend import kept
from modalloy.blend.kept import PART, blend_from_bytes, blend_of, blend_to_bytes
from modalloy.blend.mixture import NOTHING, Blend, Mixture, mix
from modalloy.errors import RunError
from modalloy.readers.number import NumberReader
from modalloy.readers.reader import Reader
from untrained import untrained
from xor import signs, signs_from_state


@pytest.fixture
def blend(monkeypatch: pytest.MonkeyPatch) -> tuple[Blend, dict[str, Reader]]:
    """Two tasks, one of them with a method that has an array; and the readers."""
    monkeypatch.setattr(kept, "method_from_state", signs_from_state)
    fields: dict[str, Any] = {
        n: f for n, f in zip(("center", "scale", "edges", "log"), (0.0, 1.0, (0.0, 1.0), False),
                             strict=True)
    }  # fmt: skip
    readers: dict[str, Reader] = {n: NumberReader(n, **fields) for n in ("left", "right")}
    method = signs(readers, np.array([[0.25, 0.75], [1 / 3, 2 / 3], [0.5, 0.5]]))
    tasks = {
        "same/again": Mixture(0.5, {"photo": 0.2}, ((0.3, method),)),
        "score": Mixture(0.6, {"table": 0.4}),
    }
    return Blend(tasks, {"photo": 1280}), readers


def test_answers_are_weighted_means_of_the_networks_type(draw: np.random.Generator) -> None:
    network = {"probability": draw.dirichlet([1, 1, 1], 8).astype(np.float32)}
    head = {"probability": draw.dirichlet([1, 1, 1], 8).astype(np.float32)}
    method = {"probability": draw.dirichlet([1, 1, 1], 8)}
    found = mix([network, head, method], [0.5, 0.2, 0.3])["probability"]
    wanted = 0.5 * network["probability"] + 0.2 * head["probability"] + 0.3 * method["probability"]
    assert found.dtype == np.float32
    assert found == pytest.approx(wanted, abs=1e-6)
    assert found.sum(1) == pytest.approx(1.0, abs=1e-6)
    some = [{"probability": a["probability"][2:3]} for a in (network, head, method)]
    assert np.array_equal(mix(some, [0.5, 0.2, 0.3])["probability"], found[2:3])
    assert np.array_equal(mix([network, method], [1.0, 0.0])["probability"], network["probability"])


def test_quantiles_go_along_with_the_number() -> None:
    network = {"value": np.array([10.0, 20.0]), "quantiles": np.array([[8.0, 13.0], [19.0, 25.0]])}
    found = mix([network, {"value": np.array([20.0, 20.0])}], [0.5, 0.5])
    assert found["value"].tolist() == [15.0, 20.0]
    assert found["quantiles"].tolist() == [[13.0, 18.0], [19.0, 25.0]]


def test_it_comes_back_as_it_was_kept(blend: tuple[Blend, dict[str, Reader]]) -> None:
    first, readers = blend
    data = blend_to_bytes(first)
    again = blend_from_bytes(data, readers)
    assert again.widths == {"photo": 1280}
    assert again.heads == ["photo", "table"]
    for task, mixture in first.tasks.items():
        other = again.tasks[task]
        assert (other.network, dict(other.heads)) == (mixture.network, dict(mixture.heads))
        for (weight, method), (also, twin) in zip(mixture.methods, other.methods, strict=True):
            assert weight == also
            assert method.name == twin.name
            assert np.array_equal(method.state()[1]["said"], twin.state()[1]["said"])
    assert blend_to_bytes(again) == data


def test_a_run_without_the_part_has_no_blend_and_a_newer_form_is_refused(
    blend: tuple[Blend, dict[str, Reader]],
    small_table: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert blend_of(untrained(tmp_path / "plain", small_table)) == NOTHING
    heads = Blend({"life": Mixture(0.7, {"table": 0.3})})
    run = untrained(tmp_path / "run", small_table, parts={PART: blend_to_bytes(heads)})
    assert blend_of(run) == Blend({"life": Mixture(0.7, {"table": 0.3}, ())})
    monkeypatch.setattr(kept, "FORM", 2)
    newer = blend_to_bytes(heads)
    monkeypatch.setattr(kept, "FORM", 1)
    with pytest.raises(RunError, match="made by a newer version"):
        blend_from_bytes(newer, blend[1])
