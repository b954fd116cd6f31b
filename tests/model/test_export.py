"""Every encoder as a graph of any number of rows and any length: it answers as the module does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

from encoder_cases import CASES, Values
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import MINILM
from modalloy.model.tokens import Tokens
from modalloy.model.trunks import minirocket
from modalloy.model.trunks.whisper import TINY_EN

LENGTHS = {"ids": 1, "mask": 1, "shape": 1, "words": 1, "wave": 1, "x": 2}  # dimension of lengths


@pytest.fixture(autouse=True)
def _few_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two layers, and a few biases of each kernel, stand for all that are alike."""
    monkeypatch.setitem(MINILM, "num_hidden_layers", 2)
    monkeypatch.setitem(TINY_EN, "encoder_layers", 2)
    monkeypatch.setattr(minirocket, "PER_KERNEL", 32)


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
def test_both_ways_to_leave_rows_out_agree(case: str, tmp_path: Path) -> None:
    """Only present rows computed, as always, and all rows computed, as in a graph."""
    encoder, values = CASES[case](tmp_path)
    encoder.eval()
    if isinstance(encoder, TableEncoder):  # which has one way for single cells
        assert type(encoder).forward is not Encoder.forward
        return
    for rows, kind in ((1, "all"), (1, "none"), (5, "some"), (5, "none")):
        some, present = values(rows), presence(encoder, rows, kind)
        always = encoder(some, present)
        for x in some.values():  # what stands in cells that are not there
            if x.is_floating_point():
                x[~present] = torch.nan
        same_tokens(encoder.every_row(some, present), always, atol=1e-6)
