import numpy as np
import torch

from modalloy.cells.cells import Cells
from modalloy.job import config
from modalloy.model.encoders.vector import VectorEncoder
from modalloy.readers.vector import VectorReader


def make_encoder() -> tuple[VectorEncoder, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    rows = list(np.random.default_rng(0).normal(size=(12, 9)))
    reader = VectorReader.fit("v", config.Vector(), Cells({"v": rows}))
    values = {n: torch.from_numpy(a) for n, a in reader.read(Cells({"v": rows})).values.items()}
    return VectorEncoder(reader, config.Vector(), 16), values


def test_a_row_alone_is_the_row_in_a_batch() -> None:
    encoder, values = make_encoder()
    encoder.eval()
    present_B = torch.arange(12) % 3 > 0
    whole = encoder(values, present_B)
    for row in range(6):
        alone = encoder({"x": values["x"][[row]]}, present_B[[row]])
        assert torch.allclose(alone.x_BTD[0], whole.x_BTD[row], atol=1e-5)
        assert torch.allclose(alone.summary_BD[0], whole.summary_BD[row], atol=1e-5)
    assert whole.mask_BT.all()


def test_absent_cells_may_hold_anything() -> None:
    encoder, values = make_encoder()
    encoder.eval()
    present_B = torch.arange(12) % 2 > 0
    garbage = {"x": values["x"].masked_fill(~present_B[:, None], torch.nan)}
    a, b = encoder(values, present_B), encoder(garbage, present_B)
    assert torch.equal(a.summary_BD, b.summary_BD)
    assert torch.equal(a.summary_BD[0], encoder.absent(1).summary_BD[0])


def test_gradients_are_finite() -> None:
    encoder, values = make_encoder()
    tokens = encoder.train()(values, torch.arange(12) > 0)
    (tokens.x_BTD.square().sum() + tokens.summary_BD.sum()).backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
