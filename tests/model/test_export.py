"""Every encoder as a graph of any number of rows and any length: it answers as the module does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

from checkpoints import PICTURES, SOUNDS, TEXTS, patchtst, save
from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.model.encoders.audio import AudioEncoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.image import ImageEncoder
from modalloy.model.encoders.series import SeriesEncoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import MINILM, TextEncoder
from modalloy.model.encoders.vector import VectorEncoder
from modalloy.model.tokens import Tokens
from modalloy.model.trunks import minirocket
from modalloy.model.trunks.whisper import TINY_EN
from modalloy.readers.audio import AudioReader
from modalloy.readers.category import CategoryReader
from modalloy.readers.image import ImageReader
from modalloy.readers.number import NumberReader
from modalloy.readers.series import SeriesReader
from modalloy.readers.text import TextReader, TokensReader
from modalloy.readers.time import TimeReader
from modalloy.readers.vector import VectorReader

WIDTH = 16
LENGTHS = {"ids": 1, "mask": 1, "shape": 1, "words": 1, "wave": 1, "x": 2}  # dimension of lengths
NOTES = ["Pump leaks at Siemens AG", "ok", "bearing 6204 hot, replaced SEAL and oil twice"]
Values = dict[str, Tensor]
Made = tuple[Encoder, Callable[[int], Values]]  # an encoder, and a maker of so many rows


@pytest.fixture(autouse=True)
def _few_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers, and a few biases of each kernel, stand for all that are alike."""
    monkeypatch.setitem(MINILM, "num_hidden_layers", 2)
    monkeypatch.setitem(TINY_EN, "encoder_layers", 2)
    monkeypatch.setattr(minirocket, "PER_KERNEL", 32)


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


def image(encoder: str, pixels: int = 32, **options: Any) -> Made:
    """Coloured noise."""
    made = config.Image(encoder=encoder, pixels=pixels, **options)
    reader = ImageReader("photo", 3, pixels, 255.0)

    def values(rows: int) -> Values:
        shape = (rows, 3, pixels, pixels)
        return {
            "pixels": torch.randint(0, 256, shape, dtype=torch.uint8),
            "size": torch.full((rows, 2), float(pixels)),
        }

    return ImageEncoder(reader, made, WIDTH, pretrained=encoder.startswith("hf:")), values


def audio(encoder: str, **options: Any) -> Made:
    """Noise of half a second at most."""
    made = config.Audio(encoder=encoder, rate_hz=16_000, seconds=0.5, **options)
    reader = AudioReader("sound", 16_000, 0.5)

    def values(rows: int) -> Values:
        length_B = torch.tensor([(8000, 3001, 900)[i % 3] for i in range(rows)])
        wave_BL = torch.randn(rows, 8000) * (torch.arange(8000) < length_B[:, None])
        return {"wave": 0.2 * wave_BL, "length": length_B}

    return AudioEncoder(reader, made, WIDTH, pretrained=encoder.startswith("hf:")), values


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


def presence(encoder: Encoder, rows: int, kind: str) -> Tensor:
    """Which rows, or which cells of which rows, are present."""
    shape = (rows, len(encoder.columns)) if isinstance(encoder, TableEncoder) else (rows,)
    at = torch.arange(rows * (shape[1] if len(shape) > 1 else 1)).reshape(shape)
    return {"all": at >= 0, "some": at % 3 != 1, "none": at < 0}[kind]


def lengths_in(values: Values) -> dict[str, int]:
    """Which dimension of which array is as long as the longest text, sound or series."""
    return {k: LENGTHS[k] for k, v in values.items() if k in LENGTHS and v.ndim > LENGTHS[k]}


def exported_encoder(encoder: Encoder, values: Values, present: Tensor) -> nn.Module:
    """The graph of an encoder for any number of rows, and for texts, sounds and series of any
    length.
    """
    shapes: dict[str, dict[int, Any]] = {k: {0: Dim("rows")} for k in values}
    for name, dim in lengths_in(values).items():
        shapes[name][dim] = Dim.DYNAMIC
    dynamic = (shapes, {0: Dim("rows")})
    return export(encoder, (values, present), dynamic_shapes=dynamic, strict=False).module()


def shortened(values: Values, share: float) -> Values:
    """The first part of every text, sound or series, as it comes where none is longer."""
    cut = dict(values)
    for name, dim in lengths_in(values).items():
        cut[name] = values[name].narrow(dim, 0, round(share * values[name].shape[dim]))
    if "length" in cut:
        cut["length"] = cut["length"].clamp(max=cut["wave"].shape[1])
    if "words" in cut:
        cut["words"] = cut["words"].where(cut["words"] < cut["ids"].shape[1], -1)
    return cut


def same_tokens(a: Tokens, b: Tokens, atol: float = 1e-5) -> None:
    """Two ways to hold the same tokens; what the mask hides may differ, and so may its width."""
    assert a.mask_BT.sum(1).tolist() == b.mask_BT.sum(1).tolist()
    torch.testing.assert_close(a.x_BTD[a.mask_BT], b.x_BTD[b.mask_BT], atol=atol, rtol=1e-5)
    torch.testing.assert_close(a.summary_BD, b.summary_BD, atol=atol, rtol=1e-5)
    assert words_of(a) == words_of(b)
    for one, other in zip(a.maps, b.maps, strict=False):
        torch.testing.assert_close(one, other, atol=10 * atol, rtol=1e-4)
    for blank in (*a.maps[len(b.maps) :], *b.maps[len(a.maps) :]):  # no row has its picture
        assert not blank.any()


def words_of(tokens: Tokens) -> list[list[int]]:
    """Tokens of the words of each row that were read."""
    words = tokens.words_BW
    if words is None:
        return [[]] * len(tokens.summary_BD)
    return [row[row >= 0].tolist() for row in words]


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_encoders(case: str, tmp_path: Path) -> None:
    encoder, values = CASES[case](tmp_path)
    encoder.eval()
    program = exported_encoder(encoder, values(3), presence(encoder, 3, "some"))
    for rows, kind in ((1, "all"), (1, "none"), (5, "some"), (5, "none")):
        present = presence(encoder, rows, kind)
        for some in (values(rows), shortened(values(rows), 0.6)):
            same_tokens(program(some, present), encoder(some, present))


@pytest.mark.parametrize("case", CASES)
@torch.no_grad()
def test_both_ways_to_leave_rows_out_agree(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only present rows computed, as always, and all rows computed, as in a graph."""
    encoder, values = CASES[case](tmp_path)
    encoder.eval()
    for rows, kind in ((1, "all"), (1, "none"), (5, "some"), (5, "none")):
        some, present = values(rows), presence(encoder, rows, kind)
        always = encoder(some, present)
        for x in some.values():  # what stands in cells that are not there
            if present.ndim == 1 and x.is_floating_point():
                x[~present] = torch.nan
        with monkeypatch.context() as patch:
            patch.setattr(torch.compiler, "is_exporting", lambda: True)
            same_tokens(encoder(some, present), always, atol=1e-6)
