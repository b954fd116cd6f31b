"""Low-rank factors of linear layers, where these are fewer multiplications.

The best factors of a layer are not those of its weights but of what it gives: W S, where S S^T is
the mean of x x^T over real rows, is split by singular values (Chen et al. 2021, DRONE; Wang et al.
2024, SVD-LLM, 2403.07378). The bias and the mean of x are left as they are: only what varies is
approximated.
"""

import torch
from torch import Tensor

from modalloy.compression.lever import (
    Changed,
    Rows,
    copied,
    inputs_of,
    noted,
    parameters,
    refuse_features,
    refuse_share,
)
from modalloy.compression.opened import moments
from modalloy.model.compressed.factors import Factored, linear_layers, replace_layer
from modalloy.model.model import Model

TINY = 1e-7  # of the largest moment: what never varies


def factorise(model: Model, rows: Rows, share: float, *, always: bool = False) -> Changed:
    """A copy whose linear layers are factors wherever that takes fewer multiplications.

    share: of the variance of a layer's output that its factors keep, in (0, 1]. always: also where
    it takes more. The record holds `ranks`, layer -> rank; it may be empty, where every layer needs
    a rank too high to pay. JobError for a share outside its bounds and rows with features.
    """
    refuse_share("low rank", share)
    refuse_features(rows.learn)
    smaller = copied(model)
    layers = linear_layers(smaller)
    sizes = {name: (layer.in_features, False) for name, layer in layers.items()}
    before, ranks = parameters(smaller), {}
    for name, moment in list(moments(smaller, rows.learn, sizes)):
        layer = layers[name]
        down_RI, up_OR, shift_O = split(layer.weight, moment, share)
        rank, (outputs, inputs) = len(down_RI), layer.weight.shape
        if rank * (inputs + outputs) >= inputs * outputs and not always:
            continue
        made = Factored(inputs, outputs, rank)
        with torch.no_grad():
            made.down.weight.copy_(down_RI)
            made.up.weight.copy_(up_OR)
            made.up.bias.copy_(shift_O if layer.bias is None else layer.bias + shift_O)
        made.requires_grad_(layer.weight.requires_grad)
        replace_layer(smaller, name, made)
        ranks[name] = rank
    record = {
        "lever": "low_rank",
        "inputs": inputs_of(smaller, ranks),
        "share": share,
        "ranks": ranks,
        "parameters": {"before": before, "after": parameters(smaller)},
    }
    return noted(smaller, record)


@torch.no_grad()
def split(weight_OI: Tensor, moment: Tensor, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """Two maps (R, I) and (O, R) of the least rank that keep this share of the variance of what a
    map gives, and what to add so that its mean stays, (O,).

    moment: mean of x x^T with x's last entry one, (I + 1, I + 1).
    """
    moment, weight = moment.double().cpu(), weight_OI.double().cpu()
    mean_I = moment[:-1, -1]
    spread_II = moment[:-1, :-1] - mean_I.outer(mean_I)
    values_I, vectors_II = torch.linalg.eigh(spread_II)
    values_I = values_I.clamp_min(TINY * values_I.max().clamp_min(1e-12))
    root_II = vectors_II * values_I.sqrt()  # spread = root root^T
    u_Ok, s_k, v_kI = torch.linalg.svd(weight @ root_II, full_matrices=False)
    energy_k = s_k.square().cumsum(0) / s_k.square().sum().clamp_min(1e-30)
    rank = len(s_k) if share >= 1.0 else int((energy_k < share).sum()) + 1
    down_RI = v_kI[:rank] @ (vectors_II / values_I.sqrt()).T
    up_OR = u_Ok[:, :rank] * s_k[:rank]
    shift_O = (weight - up_OR @ down_RI) @ mean_I
    return tuple(x.to(weight_OI) for x in (down_RI, up_OR, shift_O))
