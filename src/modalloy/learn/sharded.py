"""Weights of pretrained encoders shared out over processes while they learn (FSDP2).

Zhao et al. 2023 (2304.11277), by torch's `fully_shard`, block by block: each process keeps its part
of a block's weights, gradients, moments and average, and sees the whole block only while it runs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeGuard

from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.model.body import Body
from modalloy.model.encoders.build import build_encoder
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.layers.dropout import replace_dropout

if TYPE_CHECKING:
    from torch.distributed.fsdp import FSDPModule
    from torch.distributed.tensor import DTensor


def shard(body: Body, world: int) -> bool:
    """Share out the blocks of pretrained encoders that learn; whether there are any.

    What lies outside of blocks, such as vectors of word pieces, stays whole everywhere. JobError
    for an encoder without blocks.
    """
    wanted = {n: e for n, e in body.encoders.items() if learns(e)}
    if world == 1 or not wanted:
        return False
    from torch.distributed.device_mesh import init_device_mesh  # time that others never need
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(body.device.type, (world,))
    for name, encoder in wanted.items():
        if not encoder.blocks:
            raise JobError(
                f"train.shard: columns.{name}: its encoder has no blocks of their own to share "
                "out; take train.shard away, or another encoder."
            )
        for block in encoder.blocks:
            fully_shard(block, mesh=mesh, reshard_after_forward=True)
    return True


def take_part(body: Body) -> None:
    """Let every process run a shared encoder whenever another one does: it waits for all parts."""
    for encoder in body.encoders.values():
        if sharded_blocks(encoder):
            encoder.together = True


def learns(encoder: Encoder) -> bool:
    """Whether anything of a pretrained trunk learns now."""
    trunk = encoder.trunk
    if trunk is None or encoder.still:
        return False
    return any(p.requires_grad for p in trunk.parameters())


def is_sharded(module: nn.Module) -> "TypeGuard[FSDPModule]":
    """Whether a module is shared out, told without the second that its type takes to import."""
    return hasattr(module, "set_reshard_after_forward")


def is_parted(t: Tensor) -> "TypeGuard[DTensor]":
    """Whether processes keep a part of a tensor each, told likewise."""
    return hasattr(t, "full_tensor")


def sharded_blocks(model: nn.Module) -> "list[FSDPModule]":
    """Blocks that are shared out."""
    return [m for m in model.modules() if is_sharded(m)]


def gather(body: Body) -> None:
    """Bring shared encoders back together, as plain modules with all of their weights."""
    for name, encoder in body.encoders.items():
        if not sharded_blocks(encoder):
            continue
        config = body.trunk_configs().get(name)
        plain = build_encoder(body.job, body.readers, name, False, config)
        replace_dropout(plain)
        plain.load_state_dict({n: whole(t) for n, t in encoder.state_dict().items()})
        plain.to(body.device)
        for mine, theirs in zip(plain.parameters(), encoder.parameters(), strict=True):
            mine.requires_grad_(theirs.requires_grad)
        encoder.trunk, encoder.blocks = plain.trunk, plain.blocks
        encoder.together = False
        encoder.train(encoder.training)


@contextmanager
def put_together(model: nn.Module) -> Iterator[None]:
    """All weights in every process for a while, so that each can answer as many rows as it has."""
    blocks = sharded_blocks(model)
    for block in blocks:
        block.unshard()
        block.set_reshard_after_forward(False)
    try:
        yield
    finally:
        for block in blocks:
            block.set_reshard_after_forward(True)
            block.reshard()


def whole(t: Tensor) -> Tensor:
    """All of a tensor; every process has to ask for it."""
    return t.full_tensor() if is_parted(t) else t


def parted(t: Tensor, like: Tensor) -> Tensor:
    """A whole tensor as one that it is to be put into is shared out."""
    if not is_parted(like) or is_parted(t):
        return t
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(t.to(like.device), like.device_mesh, like.placements)


def parted_like(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors as those of the same names are shared out."""
    return {n: parted(t, own[n]) if n in own else t for n, t in tensors.items()}
