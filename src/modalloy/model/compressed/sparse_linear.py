"""A linear map most of whose weights are zero, kept and run as compressed sparse rows."""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.compressed.factors import linear_layers, replace_layer


class SparseLinear(nn.Module):
    """x -> W x + b for a W of `stored` weights that are not zero. It answers, and learns no more.

    values, columns: of each stored weight (N,), row after row; starts: of each row among them
    (O + 1,).
    """

    def __init__(self, inputs: int, outputs: int, stored: int) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.register_buffer("values", torch.zeros(stored))
        self.register_buffer("columns", torch.zeros(stored, dtype=torch.long))
        self.register_buffer("starts", torch.zeros(outputs + 1, dtype=torch.long))
        self.register_buffer("bias", torch.zeros(outputs))
        self.register_load_state_dict_post_hook(refuse_wrong_places)

    @torch.no_grad()
    def fill(self, weight_OI: Tensor, bias_O: Tensor | None) -> None:
        """Take the weights that are not zero, as many as are stored."""
        found = weight_OI != 0
        self.get_buffer("values").copy_(weight_OI[found])
        self.get_buffer("columns").copy_(found.nonzero()[:, 1])
        self.get_buffer("starts")[1:] = found.sum(1).cumsum(0)
        if bias_O is not None:
            self.get_buffer("bias").copy_(bias_O)

    def weight(self, *, checked: bool = False) -> Tensor:
        """W as sparse rows. checked: RuntimeError where columns or starts point outside of it."""
        names = ("starts", "columns", "values")
        with warnings.catch_warnings():  # the layout is called new, and does what it says
            warnings.filterwarnings("ignore", "Sparse CSR", UserWarning)
            return torch.sparse_csr_tensor(
                *(self.get_buffer(name) for name in names),
                size=(self.outputs, self.inputs),
                check_invariants=checked,
            )

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        y_ON = self.weight() @ x.reshape(-1, self.inputs).T
        return y_ON.T.reshape(*x.shape[:-1], self.outputs) + self.get_buffer("bias")


def refuse_wrong_places(layer: nn.Module, _: object) -> None:
    """RuntimeError where what was loaded points outside of a layer: its kernel would read there."""
    assert isinstance(layer, SparseLinear)
    layer.weight(checked=True)


def make_sparse(model: Body, stored: Mapping[str, int]) -> None:
    """Put sparse layers in the place of linear ones; weights come from a file."""
    for name, count in stored.items():
        old = linear_layers(model)[name]
        replace_layer(model, name, SparseLinear(old.in_features, old.out_features, count))
