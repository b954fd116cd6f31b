"""Structured pruning: heads, neurons and channels that matter least are really taken out.

How much a unit matters is the first-order change of the loss if it fell silent, |sum of activation
times gradient| of each row, mean over rows (Michel et al. 2019, 1905.10650, of heads; Molchanov et
al. 2019, 1906.10771, of channels, who square instead). Or the size of its weights, which needs no
answers. The same share of every layer is left, so that no layer becomes a bottleneck.

What is left is then fitted to give what the layer gave before, by least squares on the same rows
(as He et al. 2017, 1707.06168, and Kwon et al. 2022, 2204.09656, do): what a lost neuron usually
said goes into the others and the bias. It costs one more look at the rows and no training.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from modalloy.compression.lever import (
    Changed,
    Rows,
    copied,
    input_of,
    inputs_of,
    noted,
    parameters,
    refuse_features,
    refuse_share,
)
from modalloy.compression.opened import contributions, moments
from modalloy.errors import JobError
from modalloy.model.compressed.units import Kind, Units, take_out, units_of
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Objective
from modalloy.objectives.supervised import supervised

By = Literal["taylor", "magnitude"]
EVEN = 8  # neurons and channels are kept by so many: kernels work on blocks of these
MANY = 64  # from which on
RIDGE = 1e-3  # of the mean moment, added to all: what few rows say of many neurons is uncertain
KINDS: tuple[Kind, ...] = ("head", "neuron", "channel")


def prune(
    model: Model,
    rows: Rows,
    share: float,
    *,
    by: By = "taylor",
    refit: bool = True,
    kinds: Sequence[Kind] = KINDS,
    inputs: Sequence[str] | None = None,
    objective: Objective[Model] = supervised,
) -> Changed:
    """A copy in which this share of units is left, of every layer alike and at least one.

    by: what says how much a unit matters. refit: fit what is left to what each layer gave before.
    kinds: of units that may leave. inputs: whose encoders are pruned; None for all. objective:
    whose losses say what matters; its answers must be in the rows. The record holds `units`, reader
    -> how many are left.

    JobError for a share that is not in (0, 1], where there is nothing to prune, and for rows
    without answers or with features of frozen encoders.
    """
    refuse_share("pruning", share)
    refuse_features(rows.learn)
    smaller = copied(model)
    found = [u for u in units_of(smaller) if u.kind in kinds and is_of(smaller, u, inputs)]
    if not found:
        raise JobError(
            "pruning: no encoder has heads, neurons or channels that can be taken out; use another "
            "way to make it smaller"
        )
    scores = importance(smaller, rows.learn, found, by, objective)
    kept = {u.reader: most_important(scores[u.reader], left(u, share)) for u in found}
    fitted = refitted(smaller, rows.learn, found, kept) if refit else {}
    before = parameters(model)
    for units in found:
        take_out(smaller, units, kept[units.reader])
    for name, (weight, bias) in fitted.items():
        put(smaller.get_submodule(name), weight, bias)
    counts = {u.reader: len(kept[u.reader]) for u in found if len(kept[u.reader]) < u.count}
    record = {
        "lever": "prune",
        "inputs": inputs_of(smaller, counts),
        "share": share,
        "by": by,
        "refit": refit,
        "units": counts,
        "parameters": {"before": before, "after": parameters(smaller)},
    }
    return noted(smaller, record)


def is_of(model: Model, units: Units, inputs: Sequence[str] | None) -> bool:
    """Whether units are in the encoders of these inputs."""
    wanted = model.encoders.keys() if inputs is None else [model.shared.get(n, n) for n in inputs]
    return input_of(model, units.reader) in wanted


def left(units: Units, share: float) -> int:
    """How many of some units are left."""
    count = round(share * units.count)
    if units.kind != "head" and units.count >= MANY:
        count = round(count / EVEN) * EVEN
    return min(units.count, max(1, count))


def most_important(score_n: Tensor, count: int) -> list[int]:
    """Numbers of the units with the highest scores, rising; of equal ones the first."""
    order = torch.argsort(score_n, descending=True, stable=True)
    return sorted(order[:count].tolist())


def importance(
    model: Model,
    rows: Sequence[Batch],
    found: Sequence[Units],
    by: By,
    objective: Objective[Model],
) -> dict[str, Tensor]:
    """How much each unit matters, by the name of its reader; comparable inside a layer alone."""
    if by == "magnitude":
        return {u.reader: magnitude(model, u) for u in found}
    said = contributions(model, rows, {u.seen: u.channels for u in found}, objective)
    scores = {}
    for u in found:
        if u.seen not in said:  # no row has this column
            scores[u.reader] = magnitude(model, u)
            continue
        each_Rn = said[u.seen].unflatten(1, (u.count, u.size)).sum(2)
        scores[u.reader] = each_Rn.abs().mean(0)
    return scores


@torch.no_grad()
def magnitude(model: Model, units: Units) -> Tensor:
    """Length of all weights that make or read each unit, (n,)."""
    reader = model.get_submodule(units.reader).get_parameter("weight")
    total_F = reader.transpose(0, 1).flatten(1).square().sum(1)
    for name in units.makers:
        weight = model.get_submodule(name).get_parameter("weight")
        if weight.ndim > 1:  # a norm scales what is there
            total_F = total_F + weight.flatten(1).square().sum(1)
    return total_F.unflatten(0, (units.count, units.size)).sum(1).sqrt()


def refitted(
    model: Model, rows: Sequence[Batch], found: Sequence[Units], kept: Mapping[str, Sequence[int]]
) -> dict[str, tuple[Tensor, Tensor | None]]:
    """Weight and bias of each reader for the units that are left; of linear layers and 1 x 1
    convolutions."""
    sizes, by_seen = {}, {}
    for units in found:
        layer = model.get_submodule(units.reader)
        weight = layer.get_parameter("weight")
        if weight[0, 0].numel() == 1 and len(kept[units.reader]) < units.count:
            sizes[units.seen] = (units.count * units.size, units.channels)
            by_seen[units.seen] = units
    fitted = {}
    for seen, moment in moments(model, rows, sizes):
        units = by_seen[seen]
        index_n = torch.tensor(kept[units.reader])
        index_F = (index_n[:, None] * units.size + torch.arange(units.size)).flatten()
        layer = model.get_submodule(units.reader)
        assert isinstance(layer, nn.Linear | nn.Conv2d)
        weight, bias = layer.weight, layer.bias
        new, shift = least_squares(weight.flatten(1), moment, index_F, shifts=bias is not None)
        shape = (weight.shape[0], len(index_F), *weight.shape[2:])
        fitted[units.reader] = new.reshape(shape), None if bias is None else bias + shift
    return fitted


@torch.no_grad()
def least_squares(
    weight_OF: Tensor, moment: Tensor, index_n: Tensor, *, shifts: bool
) -> tuple[Tensor, Tensor]:
    """The map of some features that comes nearest to a map of all of them, and what to add.

    moment: mean of x x^T with x's last entry one, (F + 1, F + 1). shifts: something may be added;
    else zero is.
    """
    moment = moment.double()
    every = weight_OF.shape[1]
    used = torch.cat([index_n, index_n.new_tensor([every])]) if shifts else index_n
    inner_nn = moment[used][:, used]
    ridge = torch.full((len(used),), RIDGE, dtype=torch.float64) * inner_nn.diagonal().mean()
    ridge = torch.cat([ridge[:-1], ridge.new_zeros(1)]) if shifts else ridge
    # Towards the weights as they are: what the rows say nothing of stays.
    weight = weight_OF.detach().cpu().double()
    start = torch.zeros(len(weight), len(used), dtype=torch.float64)
    start[:, : len(index_n)] = weight[:, index_n]
    wanted = weight @ moment[:every][:, used] - start @ inner_nn
    change = torch.linalg.solve(inner_nn + ridge.diag(), wanted.T).T
    new = (start + change).to(weight_OF)
    shift = new[:, -1] if shifts else new.new_zeros(len(new))
    return new[:, : len(index_n)], shift


@torch.no_grad()
def put(layer: nn.Module, weight: Tensor, bias: Tensor | None) -> None:
    """Give a layer other numbers of the same shapes."""
    layer.get_parameter("weight").copy_(weight)
    if bias is not None:
        layer.get_parameter("bias").copy_(bias)
