"""Every encoder once, with values for it: tiny checkpoints, networks from scratch, fixed fronts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from checkpoints import PICTURES, SOUNDS, TEXTS, patchtst, save
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.resonance import ResonanceEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import TextEncoder
from modalloy.model.encoders.vector import VectorEncoder
from modalloy.readers.audio import AudioReader
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader, TokensReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import VectorReader

WIDTH = 16
NOTES = ["Pump leaks at Siemens AG", "ok", "bearing 6204 hot, replaced SEAL and oil twice"]
Values = dict[str, Tensor]
Made = tuple[Encoder, Callable[[int], Values]]  # an encoder, and a maker of so many rows


def text(encoder: str, kind: type[TextReader] = TextReader, **options: Any) -> Made:
    """Notes of one to eight words."""
    own = {"vocabulary": 64} if encoder == "scratch" else {}
    made = (config.Tokens if kind is TokensReader else config.Text)(
        encoder=encoder, max_tokens=24, **own, **options
    )
    cells = [n.split() for n in NOTES] if kind is TokensReader else NOTES
    plain = made if not encoder.startswith("hf:") else config.Text(vocabulary=64, max_tokens=24)
    reader = kind.fit("note", plain, Cells({"note": cells}))

    def values(rows: int) -> Values:
        some = [cells[(2 + i) % 3] for i in range(rows)]
        read = reader.read(Cells({"note": some})).values
        return {k: torch.from_numpy(v) for k, v in read.items()}

    return TextEncoder(reader, made, WIDTH, pretrained=encoder.startswith("hf:")), values


def image(encoder: str, pixels: int = 32, *, pretrained: bool = False, **options: Any) -> Made:
    """Coloured noise."""
    made = config.Image(encoder=encoder, pixels=pixels, **options)
    reader = ImageReader("photo", 3, pixels, 255.0)

    def values(rows: int) -> Values:
        shape = (rows, 3, pixels, pixels)
        return {
            "pixels": torch.randint(0, 256, shape, dtype=torch.uint8),
            "size": torch.full((rows, 2), float(pixels)),
        }

    read = pretrained or encoder.startswith("hf:")
    return ImageEncoder(reader, made, WIDTH, pretrained=read), values


def audio(encoder: str, **options: Any) -> Made:
    """Noise of half a second at most."""
    made = config.Audio(encoder=encoder, rate_hz=16_000, seconds=0.5, **options)
    reader = AudioReader("sound", 16_000, 0.5)

    def values(rows: int) -> Values:
        length_B = torch.tensor([(8000, 3001, 900)[i % 3] for i in range(rows)])
        wave_BL = torch.randn(rows, 8000) * (torch.arange(8000) < length_B[:, None])
        return {"wave": 0.2 * wave_BL, "length": length_B}

    return AudioEncoder(reader, made, WIDTH, pretrained=encoder.startswith("hf:")), values


def struck(**options: Any) -> Made:
    """Two tones that die away, behind a little noise, and every third row nothing but noise."""
    made = config.Audio(resonances=3, rate_hz=4000, seconds=0.1, **options)
    reader = AudioReader("tap", 4000, 0.1, resonances=3)

    def values(rows: int) -> Values:
        ago_L, row_B1 = torch.arange(400) - 20, torch.arange(rows)[:, None]
        rings_BL = sum(
            torch.sin(hz / 4000 * 2 * torch.pi * ago_L) for hz in (300.0 + 7 * row_B1, 1100.0)
        )
        rings_BL = rings_BL * (-ago_L / 90).exp() * (ago_L >= 0) * (row_B1 % 3 != 2)
        length_B = torch.tensor([(400, 333, 200)[i % 3] for i in range(rows)])
        wave_BL = 0.3 * rings_BL + 1e-4 * torch.randn(rows, 400)
        return {"wave": wave_BL * (torch.arange(400) < length_B[:, None]), "length": length_B}

    return ResonanceEncoder(reader, made, WIDTH), values


def series(length: int = 100, **options: Any) -> Made:
    """Noise on two channels; every other row has a shaft speed."""
    reader = SeriesReader("s", ("s",), False, length, 1000.0, 600.0, (1.0, 1.0), (1.0, 1.0), rows=8)
    made = config.Series(length=length, rate_hz=1000.0, rpm=600.0, **options)

    def values(rows: int) -> Values:
        length_B = torch.tensor([(length, 40, 7, 61)[i % 4] for i in range(rows)])
        mask_BL = torch.arange(length) < length_B[:, None]
        x_BCL = torch.randn(rows, 2, length) * mask_BL[:, None]
        speed_hz_B = torch.where(torch.arange(rows) % 2 == 0, 10.0, 0.0)
        return {"x": x_BCL, "mask": mask_BL, "speed_hz": speed_hz_B}

    encoder = SeriesEncoder(reader, made, WIDTH, pretrained=True)
    if encoder.fits:
        encoder.fit(values(8), torch.Generator().manual_seed(0))
    return encoder, values


def vector() -> Made:
    """Lists of nine numbers."""
    rows = list(np.random.default_rng(0).normal(size=(12, 9)))
    reader = VectorReader.fit("v", config.Vector(), Cells({"v": rows}))
    encoder = VectorEncoder(reader, config.Vector(), WIDTH)
    return encoder, lambda rows: {"x": torch.randn(rows, 9)}  # no length: all are of nine numbers


def table() -> Made:
    """Numbers in all three embeddings, a category and a time."""
    options = {
        "load": config.Number(bins=6),
        "heat": config.Number(embed="periodic", bins=4),
        "flow": config.Number(embed="linear"),
        "site": config.Category(min_count=1),
        "when": config.Time(cycles=("week",)),
    }
    rng = np.random.default_rng(0)
    cells: dict[str, Any] = {n: list(rng.normal(size=40)) for n in ("load", "heat", "flow")}
    cells["site"] = [str(s) for s in rng.choice(["a", "b"], 40)]
    cells["when"] = [f"2024-01-{1 + int(d):02d}" for d in rng.integers(0, 28, 40)]
    kinds = {"number": NumberReader, "category": CategoryReader, "time": TimeReader}
    readers = [kinds[o.type].fit(n, o, Cells(cells)) for n, o in options.items()]
    width = next(r.width for r in readers if isinstance(r, TimeReader))

    def values(rows: int) -> Values:
        return {
            "number": torch.randn(rows, 3),
            "category": torch.arange(rows)[:, None] % 3,
            "time": torch.randn(rows, 1, width),
        }

    return TableEncoder(readers, options, WIDTH), values


def hf(make: Callable[[str], Made], model: Callable[[], Any]) -> Callable[[Path], Made]:
    """A case that saves a tiny checkpoint first."""

    def case(folder: Path) -> Made:
        return make(save(model(), folder))

    return case


FRONTS = (
    "learned", "convolution", "minirocket", "hydra", "statistics", "recent", "spectrum", "envelope",
    "order",
)  # fmt: skip
CASES: dict[str, Callable[[Path], Made]] = {
    "text scratch": lambda _: text("scratch"),
    "text minilm": lambda _: text("minilm", tune="full"),
    "tokens scratch": lambda _: text("scratch", TokensReader),
    "tokens minilm": lambda _: text("minilm", TokensReader, tune="frozen"),
    "image scratch": lambda _: image("scratch"),
    "image large": lambda _: image("scratch", 160),
    "image lite": lambda _: image("efficientnet_lite0", tune="full"),
    "image all views": lambda _: image("scratch", augment="rotate", all_views=True),
    "audio scratch": lambda _: audio("scratch"),
    "audio whisper frozen": lambda _: audio("whisper_tiny_en", tune="frozen"),
    "audio resonances": lambda _: struck(),
    "series base": lambda _: series(length=1000, front=("learned",), size="base"),
    "series all": lambda _: series(front=tuple(f for f in FRONTS if f != "convolution")),
    "series convolution": lambda _: series(front=("convolution", "minirocket")),
    "vector": lambda _: vector(),
    "table": lambda _: table(),
}
CASES |= {f"text hf {n}": hf(text, model) for n, model in TEXTS.items()}
CASES |= {f"image hf {n}": hf(image, model) for n, model in PICTURES.items()}
CASES |= {f"audio hf {n}": hf(audio, model) for n, model in SOUNDS.items()}
CASES |= {
    "series hf patchtst": hf(
        lambda e: series(encoder=e, front=("learned",)), lambda: patchtst(layers=1)
    ),
    "series hf patchtst mixing": hf(
        lambda e: series(encoder=e, front=("learned",)),
        lambda: patchtst(2, layers=1, channel_attention=True),
    ),
}
