"""Sparse rows beside dense layers with the same zeros; what does not pay is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from compressible import alone, told
from encoder_cases import text
from modalloy.compression.lever import Rows, copied
from modalloy.compression.sparse import largest, sparsify
from modalloy.errors import JobError
from modalloy.model.compressed.factors import linear_layers
from modalloy.model.compressed.rebuild import rebuild
from modalloy.model.compressed.sparse_linear import SparseLinear


def case(_: Path) -> tuple:
    return text("scratch")


def test_sparse_rows_are_dense_layers_with_zeros(tmp_path: Path) -> None:
    model, batch = alone(case, tmp_path)
    sparse, record = sparsify(model, Rows([batch]), 0.05, smallest=128 * 128)
    dense = copied(model)
    for name, stored in record["stored"].items():
        layer = sparse.get_submodule(name)
        assert isinstance(layer, SparseLinear)
        weight = linear_layers(dense)[name].weight
        rows = torch.arange(layer.outputs).repeat_interleave(layer.get_buffer("starts").diff())
        zeroed = torch.zeros_like(weight)
        zeroed[rows, layer.get_buffer("columns")] = layer.get_buffer("values")
        assert torch.equal(zeroed[zeroed != 0], weight[zeroed != 0])
        assert stored == (zeroed != 0).sum() == round(0.05 * weight.shape[1]) * len(weight)
        with torch.no_grad():
            weight.copy_(zeroed)
    torch.testing.assert_close(told(sparse, batch), told(dense, batch), atol=1e-5, rtol=1e-4)
    assert (told(sparse, batch) - told(model, batch)).abs().max() > 1e-3
    again, _ = alone(case, tmp_path)
    rebuild(again, [record])
    again.load_state_dict(sparse.state_dict())
    torch.testing.assert_close(told(again.eval(), batch), told(sparse, batch), atol=1e-6, rtol=0)


def test_what_is_read_more_strongly_stays() -> None:
    weight = torch.tensor([[1.0, -2.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    typical = torch.tensor([10.0, 1.0, 1.0, 1.0])
    found = largest(weight, typical, 0.5)
    assert found.tolist() == [[1.0, 0.0, 0.0, 4.0], [4.0, 3.0, 0.0, 0.0]]
    layer = SparseLinear(4, 2, 4)
    layer.fill(found, torch.tensor([1.0, 2.0]))
    wrong = layer.state_dict() | {"columns": torch.tensor([0, 3, 0, 9])}
    with pytest.raises(RuntimeError, match="col_indices"):
        SparseLinear(4, 2, 4).load_state_dict(wrong)
    x = torch.randn(3, 2, 4)
    torch.testing.assert_close(layer(x), nn.functional.linear(x, found, torch.tensor([1.0, 2.0])))


def test_what_does_not_pay_is_refused(tmp_path: Path) -> None:
    model, batch = alone(case, tmp_path)
    with pytest.raises(
        JobError, match=r"share 0.2 of the weights .* x1.27 with .2.* prune instead"
    ):
        sparsify(model, Rows([batch]), 0.2)
    with pytest.raises(JobError, match="no linear layer of an encoder has 147456 weights"):
        sparsify(model, Rows([batch]), 0.05)
