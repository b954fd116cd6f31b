"""The adaptive model: a budget in kilobytes, shared out to layers and columns by what they need.

How much a layer wants to change is read off the gradients of its weights, summed over training rows
at the start: moving a layer along one direction of its gradient's singular vectors lowers the loss
by its singular value (LoRA-GA, Wang et al. 2024, 2407.05000, begins LoRA there; GoRA, He et al.
2025, 2502.12171, shares ranks out by gradients). We split the rows in two: a direction that one
half asks for counts by how much the other half asks for it as well, which is zero on average for
what is only noise; one that counts no more than others are against is left out. It costs the bytes
that it takes in the file. Directions are taken by worth for each byte, of all layers and columns
together, until the file is full or nobody asks for more.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.adapters.attach import attach, detach, places_of
from modalloy.model.adapters.file import adapter_to_bytes
from modalloy.model.adapters.places import Found, layers_of
from modalloy.model.adapters.product import layer_of
from modalloy.model.model import Model
from modalloy.model.tokens import Batch

MOST = 64  # directions of one layer that are looked at
BYTES = 2  # of a number in a file
ROOM = 64  # bytes of a file beside tensors and names: alignment and punctuation
SHARED = ("lora", "rslora", "dora")  # methods whose ranks can be shared out


class Asked(NamedTuple):
    """What a layer asks for: the worth of each direction, falling, and what one costs.

    down_RF: the directions themselves, of its inputs.
    """

    found: Found
    worth_R: Tensor
    bytes: int
    down_RF: Tensor


def measure(
    model: Model,
    options: config.Adapter,
    batches: Iterable[Batch],
    loss: Callable[[Model, Batch], Tensor],
    *,
    columns: tuple[str, ...] | None = None,
) -> dict[str, Asked]:
    """What each layer asks for, by the gradients of a loss over batches of training rows.

    The model must answer already: under heads that know nothing all gradients are noise. It stays
    as it is, and answers as it would be asked (no dropout). At least two batches are needed.
    """
    assert model.adapted is None, "it is measured before anything stands beside its layers"
    found = [f for p in places_of(model, options, columns) for f in layers_of(model, p)]
    wanted = {f.name: f.layer.get_parameter("weight") for f in found}
    learning = [p for p in model.parameters() if p.requires_grad]
    frozen = [e for e in model.encoders.values() if e.frozen]
    was = model.training
    halves = [{n: torch.zeros_like(p) for n, p in wanted.items()} for _ in range(2)]
    model.eval().requires_grad_(False)
    for p in wanted.values():
        p.requires_grad_(True)
    for encoder in frozen:
        encoder.adapted = encoder.network is not encoder
    try:
        for number, batch in enumerate(batches):
            total = loss(model, batch)
            names, weights = list(wanted), list(wanted.values())
            gradients = torch.autograd.grad(total, weights, allow_unused=True)
            for name, gradient in zip(names, gradients, strict=True):
                if gradient is not None:  # a column that no row of the batch has
                    halves[number % 2][name] += gradient
    finally:
        model.requires_grad_(False)
        for p in learning:
            p.requires_grad_(True)
        for encoder in frozen:
            encoder.adapted = False
        model.train(was)
    return {f.name: asks(f, *(half[f.name] for half in halves)) for f in found}


def asks(found: Found, one: Tensor, other: Tensor) -> Asked:
    """The worth of a layer's directions, from its gradient over each half of the rows."""
    one_OF, other_OF = one.flatten(1), other.flatten(1)
    outer, inner = one_OF.shape
    most = min(MOST, found.rank)
    agreed_R = (agreed(one_OF, other_OF, most) + agreed(other_OF, one_OF, most)) / 2
    floor = (-agreed_R).clamp_min(0.0).amax()
    worth_R = torch.where(agreed_R > floor, agreed_R, 0.0).sort(descending=True).values
    down_RF = torch.linalg.svd(one_OF + other_OF, full_matrices=False).Vh[:most]
    return Asked(found, worth_R, BYTES * (outer + inner), down_RF)


def agreed(one_OF: Tensor, other_OF: Tensor, most: int) -> Tensor:
    """How much one half of the rows agrees with what the other asks for, direction by direction:
    (R,), negative where it asks for the opposite."""
    up_OR, size_R, down_RF = torch.linalg.svd(one_OF, full_matrices=False)
    share_R = ((up_OR.T @ other_OF) * down_RF).sum(1)
    return (size_R * share_R)[:most]


def share_out(asked: Mapping[str, Asked], room: int) -> dict[str, int]:
    """Ranks of layers whose directions are worth most for each byte and fit into so many bytes.

    A layer that gets any also costs what its two names take in a file.
    """
    every = [
        (float(worth) / ask.bytes, name, i)
        for name, ask in asked.items()
        for i, worth in enumerate(ask.worth_R.tolist())
        if worth > 0
    ]
    ranks: dict[str, int] = dict.fromkeys(asked, 0)
    for _, name, i in sorted(every, key=lambda e: (-e[0], e[1], e[2])):
        if ranks[name] != i:  # a direction before it did not fit
            continue
        cost = asked[name].bytes + (0 if ranks[name] else named(name))
        if cost <= room:
            ranks[name] += 1
            room -= cost
    return {name: rank for name, rank in ranks.items() if rank}


def named(name: str) -> int:
    """Bytes that the two tensors of a layer take in the heading of a file, and its rank there."""
    entry = '"",:{"dtype":"F16","shape":[1000,1000,10,10],"data_offsets":[10000000,10000000]}'
    return 2 * (len(entry) + len(name) + 2) + len(f'\\"{name}\\":100,')


def attach_budgeted(
    model: Model,
    options: config.Adapter,
    asked: Mapping[str, Asked],
    *,
    columns: tuple[str, ...] | None = None,
) -> list[str]:
    """Attach as the budget of `options.budget_kb` allows; answers the changed layers.

    Each layer begins at the directions that it asked for, so that the first step goes down them.
    JobError for a method without ranks to share out, and a budget that the heads alone use up.
    """
    if options.method not in SHARED or options.budget_kb is None:
        raise JobError(
            f"budget_kb: shares out the ranks of {', '.join(SHARED)}, and {options.method} has "
            "none; take one of these methods, or take budget_kb away."
        )
    budget = int(options.budget_kb * 1000)
    least = heads_bytes(model, options, columns)
    spare = budget - least - ROOM
    cheapest = min((a.bytes + named(n) for n, a in asked.items()), default=0)
    if spare < cheapest:
        raise JobError(
            f"budget_kb: {options.budget_kb:g} is too little: the heads take {least / 1000:.1f} "
            f"and the smallest part of any layer {cheapest / 1000:.1f}; give at least "
            f"{(least + ROOM + cheapest) / 1000:.1f}."
        )
    ranks = share_out(asked, spare)
    made = attach(model, options, columns=columns, ranks=ranks)
    begin_there(model, asked)
    assert model.adapted is not None
    model.adapted.worth = {name: float(a.worth_R.sum()) for name, a in asked.items()}
    assert len(adapter_to_bytes(model, base="0" * 64, name="x" * 64)) <= budget
    return made


def heads_bytes(model: Model, options: config.Adapter, columns: tuple[str, ...] | None) -> int:
    """Bytes of a file without any layer."""
    attach(model, options.model_copy(update={"method": "head"}), columns=columns)
    taken = len(adapter_to_bytes(model, base="0" * 64, name="x" * 64))
    detach(model)
    return taken


@torch.no_grad()
def begin_there(model: Model, asked: Mapping[str, Asked]) -> None:
    """Let what stands beside each layer look along the directions that its gradient has.

    As long as what peft draws by chance; the layer's answer does not change, for the second matrix
    is zero.
    """
    adapted = model.adapted
    assert adapted is not None
    for name, rank in adapted.layers.items():
        layer = layer_of(model, name)
        (key,) = layer.scaling
        down = layer.lora_A[key].weight
        length = down.flatten(1).norm(dim=1).mean()
        down.copy_((asked[name].down_RF[:rank] * length).view_as(down))
