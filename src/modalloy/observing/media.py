"""A few numbers that say how a picture, a recording, a series or a text is, whatever it shows:
those that change when a camera, a microphone, a sensor or a writer does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from modalloy.answer.views import channel_names
from modalloy.readers.batch import Arrays
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import DIGIT, UPPER, TextReader, letter_case

SILENT = 1e-6  # of full scale
LEAST_SPREAD = 1e-3  # of a channel whose samples are all alike, in its deviations
EXACT = 1e-6  # deviations within which two samples are the same one again

Numbers = dict[str, float]


def describe(reader: Reader, arrays: Arrays) -> dict[str, Numbers]:
    """Column, or channel of a series -> what of it -> the number, of one row as its reader reads
    it; empty for kinds that need no description.

    arrays: without a batch dimension, of a cell that is there.
    """
    match reader.kind:
        case "image":
            return {reader.name: picture(arrays)}
        case "audio":
            return {reader.name: sound(arrays)}
        case "vector":
            return {reader.name: vector(arrays)}
        case "series":
            assert isinstance(reader, SeriesReader)
            return describe_series(reader, arrays)
        case _:
            return {}


def picture(arrays: Mapping[str, np.ndarray]) -> Numbers:
    """Brightness and contrast as shares of full scale, sharpness as the mean step between
    neighbours over the contrast, and the width of the file in pixels."""
    x_CPP = arrays["pixels"].astype(np.float32) / 255.0
    grey_PP = x_CPP.mean(0)
    contrast = float(grey_PP.std())
    steps = np.abs(np.diff(grey_PP, axis=0)).mean() + np.abs(np.diff(grey_PP, axis=1)).mean()
    found = {
        "brightness": float(grey_PP.mean()),
        "contrast": contrast,
        "sharpness": float(steps) / max(contrast, 1e-3),
        "darkest parts": float(np.quantile(grey_PP, 0.05)),
        "width": float(arrays["size"][0]),
    }
    if len(x_CPP) > 1:
        found["colour"] = float((x_CPP.max(0) - x_CPP.min(0)).mean())
    return found


def sound(arrays: Mapping[str, np.ndarray]) -> Numbers:
    """Loudness in dB of full scale, the share of zero crossings, which is pitch and noise, the
    quietest tenth in dB, and how many samples there are."""
    x_L = arrays["wave"][: int(arrays["length"])].astype(np.float64)
    if not len(x_L):
        return {}
    parts = np.array_split(x_L, max(1, min(50, len(x_L) // 64)))
    level_P = [20.0 * np.log10(max(float(np.sqrt((p**2).mean())), SILENT)) for p in parts]
    return {
        "loudness": 20.0 * float(np.log10(max(np.sqrt((x_L**2).mean()), SILENT))),
        "background": float(np.quantile(level_P, 0.1)),
        "crossings": float((np.diff(np.signbit(x_L)) != 0).mean()) if len(x_L) > 1 else 0.0,
        "length": float(len(x_L)),
    }


def text(reader: TextReader, cell: Any) -> Numbers:
    """Words, letters a word, word pieces a word, which rise with typos and foreign words, and the
    shares of words in capitals and with digits; of a cell that was read."""
    words, word_of = reader.words_of(cell)
    count = max(len(words), 1)
    cases = [letter_case(w) for w in words]
    letters = [c for c in cases if c < DIGIT]
    return {
        "words": float(len(words)),
        "letters a word": sum(map(len, words)) / count,
        "pieces a word": sum(w >= 0 for w in word_of) / count,
        "capitals": sum(c >= UPPER for c in letters) / max(len(letters), 1),
        "digits": sum(c == DIGIT for c in cases) / count,
    }


def vector(arrays: Mapping[str, np.ndarray]) -> Numbers:
    """The length of the vector."""
    x_F = arrays["x"].astype(np.float64)
    return {"norm": float(np.sqrt((x_F**2).sum()))}


def describe_series(reader: SeriesReader, arrays: Arrays) -> dict[str, Numbers]:
    """Each channel's mean and spread in training's deviations, how rough it is (its steps over its
    spread), and the share of samples that repeat the one before."""
    x_CL = arrays["x"][:, arrays["mask"].astype(bool)].astype(np.float64)
    if not x_CL.shape[1]:
        return {}
    spread_C = np.maximum(x_CL.std(1), LEAST_SPREAD)
    steps_CL = np.diff(x_CL, axis=1)
    many = steps_CL.shape[1] > 0
    rough_C = steps_CL.std(1) / spread_C if many else np.zeros(len(x_CL))
    same_C = (np.abs(steps_CL) < EXACT).mean(1) if many else np.zeros(len(x_CL))
    return {
        name: {
            "mean": float(x_CL[c].mean()),
            "spread": float(spread_C[c]),
            "roughness": float(rough_C[c]),
            "stuck share": float(same_C[c]),
        }
        for c, name in enumerate(channel_names(reader))
    }
