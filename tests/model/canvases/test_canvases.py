"""Cells become patches and cells again, and a cell that is begun says nothing of what follows."""

import numpy as np
import pytest
import torch

from drawable import readers, some_rows
from modalloy.model.canvases.build import build_canvas
from modalloy.model.canvases.picture import PictureCanvas
from modalloy.model.canvases.sound import SoundCanvas
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader


def pictures(pixels: int, channels: int, rows: int = 2) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(1)
    shape = (rows, channels, pixels, pixels)
    return {"pixels": torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)}


@pytest.mark.parametrize(("pixels", "channels", "side"), [(16, 1, 16), (28, 3, 28), (64, 1, 32)])
def test_a_picture_is_its_patches(pixels: int, channels: int, side: int) -> None:
    canvas = PictureCanvas(ImageReader("photo", channels, pixels, None))
    values = pictures(pixels, channels)
    found = canvas.cut(values)
    assert found.x_BNP.shape == (2, (side // 4) ** 2, channels * 16)
    assert found.counts_BNP.all()
    small = values["pixels"].float().unflatten(3, (side, -1)).unflatten(2, (side, -1))
    wanted = small.mean((3, 5))[1].round().numpy()
    assert np.array_equal(canvas.whole(found.x_BNP[1].numpy()), wanted)
    # Line by line from the top: the second patch is beside the first.
    second = found.x_BNP[1, 1].reshape(channels, 4, 4).numpy()
    assert second == pytest.approx(wanted[:, :4, 4:8] / 127.5 - 1.0, abs=1e-5)
    hidden = canvas.hidden(side // 4)
    assert not hidden[:4].any()
    assert hidden[4:].all()


@pytest.mark.parametrize("pixels", [16, 19, 40, 45])
def test_a_begun_picture_shows_no_pixel_that_a_later_patch_has_a_part_of(pixels: int) -> None:
    canvas = PictureCanvas(ImageReader("photo", 1, pixels, None))
    values = {"pixels": torch.zeros(1, 1, pixels, pixels, dtype=torch.uint8)}
    before = canvas.cut(values).x_BNP
    seen_B = torch.tensor([canvas.patches // 2 + 1])
    begun = canvas.begun(values, seen_B)["pixels"]
    rng, shown = np.random.default_rng(0), 0
    for y, x in rng.integers(0, pixels, (60, 2)):
        other = values["pixels"].clone()
        other[0, 0, y, x] = 255
        moved_N = (canvas.cut({"pixels": other}).x_BNP != before).any(2)[0]
        late = bool(moved_N[int(seen_B) :].any())
        differs = not torch.equal(canvas.begun({"pixels": other}, seen_B)["pixels"], begun)
        assert not (late and differs)
        shown += differs
    assert shown > 10


def test_a_series_is_its_patches_of_all_channels() -> None:
    canvas, rows = build_canvas(readers()["pull"]), some_rows("pull")
    found = canvas.cut(rows.values["pull"])
    assert found.x_BNP.shape == (4, 40, 2)  # a step each, as 40 are no more than 64
    assert found.counts_BNP[:, :, 0].sum(1).tolist() == [40, 33, 26, 40]
    wanted = rows.values["pull"]["x"][1].numpy()
    assert canvas.whole(found.x_BNP[1].numpy()) == pytest.approx(wanted)
    begun = canvas.begun(rows.values["pull"], torch.tensor([5, 0, 40, 39]))
    assert begun["mask"].sum(1).tolist() == [5, 0, 26, 39]
    assert (begun["x"][0, :, 5:] == 0).all()
    assert torch.equal(begun["x"][0, :, :5], rows.values["pull"]["x"][0, :, :5])


def test_a_long_series_has_64_patches_and_one_cut_short_is_padded() -> None:
    canvas = build_canvas(readers(length=150)["pull"])
    values = {"x": torch.ones(1, 2, 100), "mask": torch.ones(1, 100, dtype=torch.bool)}
    found = canvas.cut(values)
    assert found.x_BNP.shape == (1, 50, 6)
    assert found.counts_BNP.sum().item() == 200
    assert canvas.whole(found.x_BNP[0].numpy()).shape == (2, 150)


def test_a_recording_is_its_log_mel_patches() -> None:
    canvas, rows = build_canvas(readers()["sound"]), some_rows("sound")
    assert isinstance(canvas, SoundCanvas)
    found = canvas.cut(rows.values["sound"])
    assert found.x_BNP.shape == (4, 7, 64)  # 13 frames of 20 ms, two a patch
    frames_B = -(-rows.values["sound"]["length"] // 40)
    assert found.counts_BNP.sum((1, 2)).tolist() == (32 * frames_B).tolist()
    mel_MF = canvas.whole(found.x_BNP[0].numpy())
    assert mel_MF.shape == (32, 13)
    assert canvas.scaled(mel_MF)[:, 2] == pytest.approx(found.x_BNP[0, 1].view(32, 2)[:, 0])
    begun = canvas.begun(rows.values["sound"], torch.tensor([1, 0, 7, 2]))
    assert begun["length"].tolist() == [80, 0, 260, 160]
    assert (begun["wave"][0, 80:] == 0).all()


def test_other_columns_have_no_canvas() -> None:
    with pytest.raises(AssertionError, match="category columns are not drawn"):
        build_canvas(CategoryReader.__new__(CategoryReader))


def test_each_patch_has_earlier_ones_beside_it() -> None:
    before = build_canvas(readers()["photo"]).before()  # four by four
    assert before[0].tolist() == [-1, -1, -1, -1]
    assert before[3].tolist() == [2, -1, -1, -1]
    assert before[4].tolist() == [-1, 0, -1, 1]
    assert before[6].tolist() == [5, 2, 1, 3]
    assert before[7].tolist() == [6, 3, 2, -1]
    assert build_canvas(readers()["pull"]).before()[:3].tolist() == [[-1, -1], [0, -1], [1, 0]]
