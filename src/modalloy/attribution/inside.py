"""Which parts of a cell speak for an answer and which against it, in the network's opinion."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.network_score import NetworkScore, media_columns
from modalloy.attribution.outcome import Outcome
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.trunks.trunk import from_transformers
from modalloy.readers.audio import AudioReader
from modalloy.readers.image import ImageReader
from modalloy.readers.reader import Reader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import SPECIAL, TextReader

Method = Literal["integrated gradients", "occlusion"]
MOST_GAP = 0.25  # of integrated gradients, beyond which parts are hidden one by one instead
WINDOWS = 32  # stretches of a series or recording that are told apart
CELLS = 12  # a side of a picture, where its parts are hidden
GRID = 8  # a side of a picture, whose cells are named in words
BANDS = 24  # of a spectrum


class Band(NamedTuple):
    """Frequencies between two, and what the score loses without them."""

    low_hz: float
    high_hz: float
    value: float


class Place(NamedTuple):
    """A part of a cell in words, its share of all that the parts say, and where it is.

    share: above 0 where it speaks for the answer; the sizes of all shares add up to 1.
    """

    said: str
    share: float
    where: dict[str, Any]


@dataclass(frozen=True)
class Inside:
    """How much each part of one cell says, in log-odds (of numbers: in their spread).

    part: picture (H, W), text (W,), series (C, L), recording (L,), vector (F,). words: of a text.
    bands: of a series or recording. values: the cell as the network reads it. size: pixels of the
    picture in its file. rate_hz: samples a second, 0 where unknown; speed_hz: turns of the shaft.
    """

    column: str
    kind: str
    method: Method
    part: np.ndarray
    words: tuple[str, ...] = ()
    bands: tuple[Band, ...] = ()
    values: np.ndarray | None = None
    size: tuple[float, float] = (0.0, 0.0)
    rate_hz: float = 0.0
    speed_hz: float = 0.0

    def places(self, most: int = 5) -> list[Place]:
        """The parts that say most, the strongest first."""
        found = list(self._all_places())
        total = sum(abs(p.share) for p in found) or 1.0
        found = [p._replace(share=p.share / total) for p in found]
        return sorted(found, key=lambda p: -abs(p.share))[:most]

    def _all_places(self) -> list[Place]:
        match self.kind:
            case "image":
                return picture_places(self.part, self.size)
            case "text" | "tokens":
                both = zip(self.words, self.part, strict=True)
                return [Place(f"'{w}'", float(v), {"word": i}) for i, (w, v) in enumerate(both)]
            case "vector":
                return [Place(f"number {i}", float(v), {"at": i}) for i, v in enumerate(self.part)]
            case _:
                return stretch_places(np.atleast_2d(self.part), self.rate_hz)


def look_inside(asked: AskedRow, outcome: Outcome, columns: Collection[str]) -> list[Inside]:
    """The media cells of these columns of a row, in the order of its columns."""
    media = media_columns(asked)
    return [look_at(asked, outcome, c, r) for c, r in media.items() if c in columns]


def look_at(asked: AskedRow, outcome: Outcome, column: str, reader: Reader) -> Inside:
    """One media cell.

    By integrated gradients. Where these do not add up to what the cell changes (features without a
    gradient, such as random convolutions, or without a scale), stretches or squares of it are made
    flat one by one instead (occlusion, Zeiler & Fergus 2014, 1311.2901).
    """
    score = NetworkScore(asked, outcome, column)
    match reader:
        case ImageReader():
            return picture(score, column)
        case TextReader():
            return text(score, reader)
        case SeriesReader():
            return series(score, reader)
        case AudioReader():
            return recording(score, reader)
        case _:
            flat = torch.zeros_like(score.values["x"])
            part, _ = score.gradients("x", flat)
            values = score.values["x"][0].cpu().numpy()
            return Inside(column, "vector", "integrated gradients", part, values=values)


# --- pictures ----------------------------------------------------------------------------------


def picture(score: NetworkScore, column: str) -> Inside:
    """Against the picture's median colour, which says nothing; smoothed over a 32nd of it."""
    pixels = score.values["pixels"].float()
    flat = pixels.flatten(2).median(-1).values[..., None, None].expand_as(pixels)
    part_CHW, gap = score.gradients("pixels", flat)
    method: Method = "integrated gradients"
    part_HW = part_CHW.sum(0)
    if gap > MOST_GAP:
        method, part_HW = "occlusion", hide_squares(score, pixels, flat)
    width, height = score.values["size"][0].tolist()
    shown = pixels[0].byte().cpu().numpy()
    return Inside(
        column, "image", method, smooth(part_HW), values=shown, size=(width, height)
    )  # fmt: skip


def hide_squares(score: NetworkScore, pixels: Tensor, flat: Tensor) -> np.ndarray:
    """What the score loses without each square, spread over its pixels, (H, W)."""
    side = pixels.shape[-1]
    spans = [slice(*ends) for ends in spans_of(side, CELLS)]
    squares = [(down, across) for down in spans for across in spans]
    x = pixels.repeat(len(squares), 1, 1, 1)
    for i, (down, across) in enumerate(squares):
        x[i, :, down, across] = flat[0, :, down, across]
    lost = score.many("pixels", pixels) - score.many("pixels", x)
    part_HW = np.zeros((side, side))
    for (down, across), value in zip(squares, lost, strict=True):
        part_HW[down, across] = value / part_HW[down, across].size
    return part_HW


def smooth(part_HW: np.ndarray) -> np.ndarray:
    """Averaged twice over squares of a 32nd of the picture; single pixels are noise to the eye."""
    around = max(1, part_HW.shape[0] // 64)
    x = torch.from_numpy(np.ascontiguousarray(part_HW, dtype=np.float64))[None, None]
    for _ in range(2):
        x = F.avg_pool2d(x, 2 * around + 1, 1, around, count_include_pad=False)
    return x[0, 0].numpy()


def picture_places(part_HW: np.ndarray, size: tuple[float, float]) -> list[Place]:
    """Squares of a picture, in pixels of its file."""
    side = part_HW.shape[0]
    across, down = size[0] / side, size[1] / side
    found = []
    for top, bottom in spans_of(side, GRID):
        for left, right in spans_of(side, GRID):
            ends = (left * across, top * down, right * across, bottom * down)
            box = [round(float(v), 1) for v in ends]
            said = f"pixels {box[0]:g} to {box[2]:g} across, {box[1]:g} to {box[3]:g} down"
            value = float(part_HW[top:bottom, left:right].sum())
            found.append(Place(said, value, {"box": box}))
    return found


# --- texts ---------------------------------------------------------------------------------------


def text(score: NetworkScore, reader: TextReader) -> Inside:
    """Pieces against padding, their sums by word; the frame around a text stays."""
    encoder = score.encoder
    assert isinstance(encoder, TextEncoder)
    if encoder.trunk is None:
        layer, blank = encoder.scratch.pieces_VF, 0
    else:
        trunk = from_transformers(encoder.trunk)
        layer, blank = trunk.get_input_embeddings(), trunk.config.pad_token_id or 0
    ids_BL = score.values["ids"]
    framed_BL = score.values["shape"] == SPECIAL
    flat = torch.where(framed_BL, ids_BL, blank)
    part_L = score.layer_gradients("ids", flat, layer)
    cells = score.asked.loader.cells(reader.columns, np.array([score.asked.row]))
    words, word_L = reader.words_of(cells[reader.name][0])
    part_W = np.zeros(len(words))
    for part, word in zip(part_L, word_L, strict=True):
        if word >= 0:
            part_W[word] += part
    return Inside(reader.name, reader.kind, "integrated gradients", part_W, tuple(words))


# --- series and recordings -----------------------------------------------------------------------


def series(score: NetworkScore, reader: SeriesReader) -> Inside:
    """Each channel against its training median, and the spectrum where its rate is known."""
    encoder = score.encoder
    assert isinstance(encoder, SeriesEncoder)
    x = score.values["x"]
    # Random convolutions have no gradient, and shapes of a signal do not change with its size.
    learned = encoder.learned and not encoder.fits
    found = by_gradients(score, "x") if learned else None
    method: Method = "occlusion" if found is None else "integrated gradients"
    part_CL = hide_stretches(score, "x", x, x.shape[-1]) if found is None else found
    rate_hz = reader.rate_hz or 0.0
    return Inside(
        reader.name, "series", method, part_CL,
        bands=hide_bands(score, "x", x, rate_hz) if rate_hz else (),
        values=x[0].cpu().numpy(), rate_hz=rate_hz,
        speed_hz=float(score.values["speed_hz"][0]),
    )  # fmt: skip


def recording(score: NetworkScore, reader: AudioReader) -> Inside:
    """The wave against silence, and its spectrum."""
    wave = score.values["wave"]
    found = by_gradients(score, "wave")
    method: Method = "occlusion" if found is None else "integrated gradients"
    part = hide_stretches(score, "wave", wave, wave.shape[-1]) if found is None else found
    rate_hz = float(reader.rate_hz)
    return Inside(
        reader.name, "audio", method, part,
        bands=hide_bands(score, "wave", wave, rate_hz),
        values=wave[0].cpu().numpy(), rate_hz=rate_hz,
    )  # fmt: skip


def by_gradients(score: NetworkScore, name: str) -> np.ndarray | None:
    """Integrated gradients from silence; None where they do not add up."""
    part, gap = score.gradients(name, torch.zeros_like(score.values[name]))
    return part if gap <= MOST_GAP and np.isfinite(part).all() else None


def hide_stretches(score: NetworkScore, name: str, x: Tensor, length: int) -> np.ndarray:
    """What the score loses without each stretch of each channel, spread over its samples."""
    spans = [slice(*ends) for ends in spans_of(length, WINDOWS)]
    channels = x.shape[1] if x.ndim > 2 else 1
    rows = x.reshape(1, channels, length)
    hidden = [(c, span) for c in range(channels) for span in spans]
    part_CL = np.zeros((channels, length))
    before = score.many(name, x)
    for c, span in hidden:
        flat = rows.clone()
        flat[:, c, span] = 0.0
        lost = before - score.many(name, flat.reshape(x.shape))
        part_CL[c, span] = float(lost[0]) / (span.stop - span.start)
    return part_CL if x.ndim > 2 else part_CL[0]


def hide_bands(score: NetworkScore, name: str, x: Tensor, rate_hz: float) -> tuple[Band, ...]:
    """What the score loses without each band of frequencies, in all channels at once."""
    length = x.shape[-1]
    spectrum = torch.fft.rfft(x)
    spans = spans_of(spectrum.shape[-1], BANDS)
    without = []
    for low, high in spans:
        kept = spectrum.clone()
        kept[..., low:high] = 0.0
        without.append(torch.fft.irfft(kept, n=length))
    lost = score.many(name, x) - score.many(name, torch.cat(without))
    step_hz = rate_hz / length
    return tuple(
        Band(a * step_hz, min(b * step_hz, rate_hz / 2), float(v))
        for (a, b), v in zip(spans, lost, strict=True)
    )


def stretch_places(part_CL: np.ndarray, rate_hz: float) -> list[Place]:
    """Stretches of each channel, in seconds where the rate is known, else in samples."""
    spans = spans_of(part_CL.shape[1], WINDOWS)
    found = []
    for c, part_L in enumerate(part_CL):
        of = f"channel {c}, " if len(part_CL) > 1 else ""
        for a, b in spans:
            if rate_hz:
                said = f"{of}{a / rate_hz:.4g} to {b / rate_hz:.4g} s"
            else:
                said = f"{of}samples {a} to {b}"
            where = {"channel": c, "from": a, "to": b}
            found.append(Place(said, float(part_L[a:b].sum()), where))
    return found


def spans_of(length: int, count: int) -> list[tuple[int, int]]:
    """So many stretches of about the same length, or each place alone where there are fewer."""
    edge = np.linspace(0, length, min(count, length) + 1).round().astype(int).tolist()
    return list(pairwise(edge))
