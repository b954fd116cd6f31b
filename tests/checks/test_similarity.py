"""Near-duplicate pictures and texts against slow, obvious versions and planted copies."""

import io
import random
import string

import numpy as np
import pytest
from PIL import Image
from scipy.fft import dct

from modalloy.checks.similarity import (
    SIDE,
    SIMILAR,
    flat,
    hashes,
    near_pictures,
    near_texts,
    plain,
    thumbnail,
)


def scene(seed: int, size: int = 96) -> Image.Image:
    """A smooth random picture with edges in it."""
    draw = np.random.default_rng(seed)
    small = Image.fromarray(draw.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((size, size), Image.Resampling.BICUBIC)).copy()
    left, top = draw.integers(0, size // 2, 2)
    picture[top : top + size // 3, left : left + size // 3] = draw.integers(0, 256, 3)
    return Image.fromarray(picture)


def again(picture: Image.Image, how: str) -> Image.Image:
    """The same picture after what happens to files."""
    match how:
        case "jpeg":
            held = io.BytesIO()
            picture.save(held, "JPEG", quality=60)
            return Image.open(held)
        case "half":
            return picture.resize((picture.width // 2, picture.height // 2))
        case "darker":
            return picture.point(lambda v: int(v * 0.85))
        case _:
            noise = np.random.default_rng(0).normal(0, 4, (picture.height, picture.width, 3))
            return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))


def stack(pictures: list[Image.Image]) -> np.ndarray:
    return np.stack([thumbnail(p) for p in pictures])


@pytest.mark.parametrize("how", ["jpeg", "half", "darker", "noise"])
def test_a_copy_is_found_and_nothing_else(how: str) -> None:
    train = [scene(i) for i in range(40)]
    test = [scene(100), again(train[7], how), scene(101), again(train[31], how)]
    pairs = near_pictures(stack(train), stack(test))
    assert sorted(map(tuple, pairs.tolist())) == [(7, 1), (31, 3)]


def test_colour_tells_pictures_apart() -> None:
    def disc(colour: tuple[int, int, int]) -> Image.Image:
        picture = np.full((64, 64, 3), 255, dtype=np.uint8)
        y, x = np.ogrid[:64, :64]
        picture[(y - 30) ** 2 + (x - 24) ** 2 < 300] = colour
        return Image.fromarray(picture)

    train = stack([disc((255, 0, 0)), disc((0, 120, 0))])
    assert near_pictures(train, stack([disc((0, 0, 255))])).tolist() == []
    assert near_pictures(train, stack([disc((0, 120, 0))])).tolist() == [[1, 0]]


def test_even_pictures_have_no_twins() -> None:
    grey = stack([Image.new("RGB", (50, 50), (90, 90, 90)), Image.new("L", (50, 50), 3)])
    assert flat(grey).all()
    assert near_pictures(grey, grey).shape == (0, 2)


def test_thumbnails_of_any_mode() -> None:
    for mode in ("L", "RGB", "1"):
        assert thumbnail(Image.new(mode, (300, 7))).shape == (SIDE, SIDE, 3)


def test_hashes_agree_with_their_definition() -> None:
    thumbs = stack([scene(i) for i in range(5)])
    for thumb, (difference, cosine) in zip(thumbs, hashes(thumbs), strict=True):
        grey = thumb @ np.array([0.299, 0.587, 0.114])
        waves = dct(dct(grey, axis=0), axis=1)[:8, :8].ravel()
        bits = waves > np.median(waves[1:])
        assert np.packbits(bits).tobytes() == cosine.tobytes()
        wide = np.repeat(np.repeat(grey, 9, axis=1), 1, axis=0)  # 32 * 9 columns: 9 cells of 32
        cells = wide.reshape(8, 4, 9, 32).mean(axis=(1, 3))
        assert np.packbits(np.diff(cells, axis=1) > 1.0).tobytes() == difference.tobytes()


def shingles(text: str) -> set[str]:
    padded = f" {text} ".ljust(4)
    return {padded[i : i + 4] for i in range(len(padded) - 3)}


def test_near_texts_agree_with_all_pairs_compared() -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices(string.ascii_lowercase, k=draw.randint(1, 9))) for _ in range(60)]

    def text() -> str:
        return " ".join(draw.choices(words, k=draw.randint(1, 25)))

    def typo(given: str) -> str:
        at = draw.randrange(len(given))
        return given[:at] + draw.choice(string.ascii_lowercase) + given[at + 1 :]

    train = [text() for _ in range(80)]
    test = [typo(draw.choice(train)) for _ in range(50)] + [text() for _ in range(20)]
    test += [draw.choice(train) for _ in range(10)]
    sets = [[shingles(text) for text in side] for side in (train, test)]
    wanted = {
        (i, j)
        for i, a in enumerate(sets[0])
        for j, b in enumerate(sets[1])
        if len(a & b) >= SIMILAR * len(a | b)
    }
    found = [tuple(p) for p in near_texts(train, test).tolist()]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    assert len(wanted) > 20


def test_near_texts_of_nothing() -> None:
    assert near_texts([], ["a b"]).shape == (0, 2)
    assert near_texts(["a"], ["a"]).tolist() == [[0, 0]]
    assert near_texts(["x"], ["something else entirely"]).shape == (0, 2)


def test_plain_letters() -> None:
    assert plain("  Pump-No. 3,\tLEAKS!! ") == "pump no 3 leaks"
    assert plain("Größe_4 – ok") == "größe 4 ok"
    assert plain("?!") == ""
