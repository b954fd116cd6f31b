"""Each corruption does what its name says to each kind of column, more of it with severity."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter1d

from attacked import Small, generator, small
from modalloy.attacks import corrupt_pictures as pictures
from modalloy.attacks import corrupt_plain as plain
from modalloy.attacks import corrupt_signals as signals
from modalloy.attacks.corruptions import CORRUPTIONS, befalls, corrupt
from modalloy.attacks.lying import LIES, lie
from modalloy.errors import JobError
from modalloy.model.tokens import Batch
from modalloy.readers.batch import TABLE

COLUMNS = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")
LISTS = {"pair": {"type": "vector"}}
KEYS = {"image": "pixels", "audio": "wave", "series": "x", "vector": "x", "text": "mask"}
PAIRS = [(kind, of) for kind, kinds in CORRUPTIONS.items() for of in kinds]


@pytest.fixture(scope="module")
def found() -> Small:
    made = small(COLUMNS)
    reader: Any = type("Reader", (), {"kind": "vector", "name": "pair"})()
    made.model.readers["pair"] = reader
    made.batch.values["pair"] = {"x": torch.randn(12, 6, generator=generator(99))}
    made.batch.present["pair"] = torch.arange(12) > 1
    return made


def held(found: Small, batch: Batch, column: str) -> torch.Tensor:
    """What the batch holds of a column, missing plain cells as NaN."""
    kind = found.model.readers[column].kind
    if kind in KEYS:
        return batch.values[column][KEYS[kind]].double()
    place = {"number": 0, "category": 1, "time": 2}[kind]
    x = batch.values[TABLE][kind][:, 0].double()
    here = batch.present[TABLE][:, place]
    return torch.where(here.reshape(-1, *(1 for _ in x.shape[1:])), x, torch.nan)


@pytest.mark.parametrize(("kind", "of"), PAIRS)
def test_it_changes_its_own_columns_the_more_the_severer(found: Small, kind: str, of: str) -> None:
    column = next(n for n, r in found.model.readers.items() if r.kind == of)
    before, sizes = held(found, found.batch, column), []
    for severity in (1, 3, 5):
        given = (found.batch, found.model.readers, kind, severity)
        after, again = (corrupt(*given, draw=generator(), columns=[column]) for _ in range(2))
        now = held(found, after, column)
        assert torch.equal(now.nan_to_num(9.0), held(found, again, column).nan_to_num(9.0))
        assert now.shape == before.shape
        apart = (now.nan_to_num(9.0) - before.nan_to_num(9.0)).abs()
        sizes.append(float(apart.sum() if kind != "dropout" else (apart > 0).sum()))
        gone = ~found.batch.present[column] if of in KEYS else before.reshape(12, -1).isnan().any(1)
        if of != "text":
            assert not apart[gone].any()
        others = [c for c in found.model.readers if c != column]
        assert all(
            torch.equal(held(found, after, c).nan_to_num(9.0),
                        held(found, found.batch, c).nan_to_num(9.0)) for c in others
        )  # fmt: skip
    assert 0 <= sizes[0] <= sizes[2]
    assert sizes[2] > 0
    assert sizes[2] >= sizes[1] * 0.999 or kind == "clock_skew"


def test_pictures_stay_pictures() -> None:
    pixels = torch.randint(0, 256, (3, 1, 16, 16), generator=generator(), dtype=torch.uint8)
    for kind, kinds in CORRUPTIONS.items():
        if "image" in kinds:
            assert pictures.corrupt(pixels, kind, 5, generator()).dtype == torch.uint8
    x = pixels.float()
    blurred = pictures.blurred(x, 1.5)
    wanted = [gaussian_filter(p[0].numpy(), 1.5, mode="nearest", radius=4) for p in x]
    np.testing.assert_allclose(blurred[:, 0].numpy(), wanted, atol=0.6)
    dead = pictures.corrupt(pixels | 1, "dropout", 5, generator())
    assert (dead == 0).float().mean().item() == pytest.approx(pictures.DROPOUT[4], abs=0.06)
    assert pictures.corrupt(pixels, "clipping", 3, generator()).max() <= 255 * 0.6 + 1
    ratio = pictures.corrupt(torch.full((8, 1, 4, 4), 100.0), "gain", 3, generator()).unique()
    assert set(ratio.tolist()) == {50.0, 200.0}


def test_signals_are_treated_as_their_formulas_say() -> None:
    x = torch.randn(2, 3, 40, generator=generator())
    np.testing.assert_allclose(
        signals.averaged(x, 5).numpy(), uniform_filter1d(x.numpy(), 5, mode="nearest"), atol=1e-5
    )
    size_B, rate_B = torch.tensor([40, 25]), torch.tensor([1.1, 0.9])
    skewed = signals.skewed(x, size_B, rate_B)
    for row, (size, rate) in enumerate(zip(size_B.tolist(), rate_B.tolist(), strict=True)):
        at = (size - 1) - (size - 1 - np.arange(size)) * rate
        for channel in range(3):
            line = x[row, channel, :size].numpy()
            wanted = np.interp(at, np.arange(size), line)
            np.testing.assert_allclose(skewed[row, channel, :size].numpy(), wanted, atol=1e-4)
    mask = torch.arange(40) < size_B[:, None]
    held = {"x": x * mask[:, None], "mask": mask}
    dead = signals.corrupt_series(held, "dropout", 3, generator())
    gap = ((dead == 0) & (held["x"] != 0)).all(1)
    assert gap.sum(1).tolist() == [round(0.2 * 40), round(0.2 * 25)]
    assert not signals.corrupt_series(held, "noise", 5, generator())[1, :, 25:].any()
    clipped = signals.corrupt_series(held, "clipping", 5, generator())
    torch.testing.assert_close(clipped.abs().amax(2), 0.2 * held["x"].abs().amax(2))
    wave = {"wave": held["x"][:, 0], "length": size_B}
    for kind in ("noise", "offset", "gain"):
        assert signals.corrupt_wave(
            wave, kind, 5, generator()
        ).abs().max() <= x.abs().max().clamp_min(1)


def test_numbers_are_changed_before_they_are_squashed(found: Small) -> None:
    reader: Any = found.model.readers["load"]
    y = found.batch.values[TABLE]["number"][:, 0]
    here = found.batch.present[TABLE][:, 0]
    z = y.double() / (1 - (y.double() / 3) ** 2).sqrt()
    after = plain.corrupt_number(y, here, reader, "clipping", 5, generator()).double()
    wanted = z.clamp(-0.4, 0.4)
    torch.testing.assert_close(after, wanted / (1 + (wanted / 3) ** 2).sqrt(), atol=1e-5, rtol=0)
    amounts = z * reader.scale + reader.center
    after = plain.corrupt_number(y, here, reader, "gain", 5, generator()).double()
    back = (after / (1 - (after / 3) ** 2).sqrt() * reader.scale + reader.center) / amounts
    assert set(back[here].round(decimals=2).tolist()) <= {0.5, 2.0}


def test_a_corruption_that_is_none_gets_a_sentence(found: Small) -> None:
    with pytest.raises(JobError, match="Did you mean 'noise'"):
        corrupt(found.batch, found.model.readers, "noize", 1, draw=generator())
    assert befalls("dirt", found.model.readers) == ["photo", "vibration"]
    kept = {**found.batch.values, "photo": {"features": torch.zeros(12, 1, 4)}}
    batch = Batch(kept, found.batch.present)
    with pytest.raises(JobError, match="frozen encoder said"):
        corrupt(batch, found.model.readers, "noise", 1, draw=generator())


@pytest.mark.parametrize("how", LIES)
@pytest.mark.parametrize("column", [*COLUMNS, "pair"])
def test_a_lying_sensor_says_nothing_of_its_row(found: Small, column: str, how: Any) -> None:
    after = lie(found.batch, found.model.readers, column, how, draw=generator())
    keys = {"text": "ids"}
    kind = found.model.readers[column].kind
    if kind in KEYS:
        key = keys.get(kind, KEYS[kind])
        before, now = (b.values[column][key] for b in (found.batch, after))
        here = found.batch.present[column]
    else:
        place = {"number": 0, "category": 1, "time": 2}[kind]
        before, now = (b.values[TABLE][kind][:, 0] for b in (found.batch, after))
        here = found.batch.present[TABLE][:, place]
    assert torch.equal(after.present[column if kind in KEYS else TABLE],
                       found.batch.present[column if kind in KEYS else TABLE])  # fmt: skip
    flat_before, flat_now = before.reshape(12, -1), now.reshape(12, -1)
    assert torch.equal(flat_now[~here], flat_before[~here])
    if kind != "category":
        assert ((flat_now != flat_before).any(1)[here]).float().mean() > 0.7
    if how == "row":  # the same cells, each in another row
        assert sorted(flat_now[here].tolist()) == sorted(flat_before[here].tolist())
    elif kind == "category":
        assert ((now >= 1) & (now <= len(found.model.readers[column].names)))[here].all()
    again = lie(found.batch, found.model.readers, column, how, draw=generator())
    other = lie(found.batch, found.model.readers, column, how, draw=generator(7))
    pick = (lambda b: b.values[column][key]) if kind in KEYS else (lambda b: b.values[TABLE][kind])
    assert torch.equal(pick(after), pick(again))
    assert not torch.equal(pick(after), pick(other))
