"""Unstructured sparsity: the smallest weights become zero, where kernels that skip zeros pay.

Magnitude pruning (Han et al. 2015, 1506.02626; weighed by the size of what a weight reads as Sun et
al. 2024, Wanda, 2306.11695). On this kind of processor torch's sparse rows beat float32 only where
hardly anything is left, so less is refused.
"""

import torch
from torch import Tensor

from modalloy.compression.lever import (
    Changed,
    Rows,
    copied,
    inputs_of,
    noted,
    refuse_features,
    refuse_share,
)
from modalloy.compression.opened import moments
from modalloy.errors import JobError
from modalloy.model.compressed.factors import linear_layers, replace_layer
from modalloy.model.compressed.sparse_linear import SparseLinear
from modalloy.model.model import Model

MOST = 0.05  # share of weights that may be left
SMALLEST = 384 * 384  # weights of a layer below which finding the zeros costs more than they save


def sparsify(model: Model, rows: Rows, share: float, *, smallest: int = SMALLEST) -> Changed:
    """A copy whose large linear layers keep this share of their weights and are run as sparse rows.

    In each row of a layer the weights with the largest product of magnitude and typical input stay.
    smallest: weights that a layer has at least. Such layers learn no more: teach the model before,
    or teach what is behind them. The record holds `stored`, layer -> weights.

    JobError for a share above .05, since at 128 rows and 768 x 3072 weights sparse rows take .8 of
    the time of dense float32 with a fifth of the weights left, and .24 with a twentieth: above,
    pruning saves more and loses less. Also where no layer is large enough.
    """
    if share > MOST:
        raise JobError(
            f"sparsity: share {share:g} of the weights would be left, and sparse kernels pay from "
            f"{MOST:g} down: with half of them they take twice the time of dense ones (measured "
            "x0.52, and x1.27 with .2, x2.36 with .1, x4.1 with .05); prune instead"
        )
    refuse_share("sparsity", share, most=MOST)
    refuse_features(rows.learn)
    sparse = copied(model)
    layers = {n: w for n, w in linear_layers(sparse).items() if w.weight.numel() >= smallest}
    if not layers:
        raise JobError(
            f"sparsity: no linear layer of an encoder has {smallest} weights; sparse kernels are "
            "no faster in smaller ones"
        )
    sizes = {name: (layer.in_features, False) for name, layer in layers.items()}
    stored = {}
    for name, moment in list(moments(sparse, rows.learn, sizes)):
        layer = layers[name]
        weight_OI = largest(layer.weight.detach(), moment.diagonal()[:-1].sqrt(), share)
        count = int((weight_OI != 0).sum())
        made = SparseLinear(layer.in_features, layer.out_features, count)
        made.fill(weight_OI, layer.bias)
        replace_layer(sparse, name, made)
        stored[name] = count
    record = {
        "lever": "sparsify",
        "inputs": inputs_of(sparse, stored),
        "share": share,
        "stored": stored,
    }
    return noted(sparse, record)


def largest(weight_OI: Tensor, typical_I: Tensor, share: float) -> Tensor:
    """The same weights with all but this share of each row zero; at least one a row stays."""
    count = max(1, round(share * weight_OI.shape[1]))
    worth_OI = weight_OI.abs() * typical_I.to(weight_OI.device)
    kept_OK = worth_OI.topk(count, 1).indices
    return torch.zeros_like(weight_OI).scatter(1, kept_OK, weight_OI.gather(1, kept_OK))
