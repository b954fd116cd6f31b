"""A pretrained module and what of it may change: the rule behind `tune` of a column."""

from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from torch import nn

from modalloy.errors import JobError
from modalloy.job import config

if TYPE_CHECKING:
    from transformers import PreTrainedModel


SOUND = 16  # input channels from which channels_last is safe


class Trunk(NamedTuple):
    """A pretrained module, its blocks from input to output, and the JSON it can be built from.

    There are no blocks where layers share their weights (ALBERT).
    """

    module: nn.Module
    blocks: list[nn.Module]
    config: dict[str, Any] | None = None  # only `hf:` trunks need it


def set_trainable(trunk: Trunk, options: config.Trunk, column: str) -> None:
    """Let nothing, everything, or the last blocks of a trunk learn.

    Raises JobError where `last_n` asks for more blocks than there are, or blocks share weights.
    """
    match options.tune:
        case "full":
            trunk.module.requires_grad_(True)
        case "frozen":
            trunk.module.requires_grad_(False).eval()
        case "lora" | "rslora" | "dora" | "pissa" | "adalora" | "ia3" | "vera" | "layernorm":
            trunk.module.requires_grad_(False)  # what learns beside its layers comes later
        case "last_n":
            if not trunk.blocks:
                raise JobError(
                    f"columns.{column}.tune: the layers of {options.encoder} share their weights, "
                    "so the last ones cannot change alone; use tune: full, or tune: frozen"
                )
            if options.last_n > len(trunk.blocks):
                raise JobError(
                    f"columns.{column}.last_n: {options.encoder} has {len(trunk.blocks)} blocks, "
                    f"not {options.last_n}; use tune: full to change all of it"
                )
            trunk.module.requires_grad_(False)
            for block in trunk.blocks[-options.last_n :]:
                block.requires_grad_(True)
        case _:
            assert_never(options.tune)


def still_norms(module: nn.Module) -> None:
    """Put batch norms that do not learn in evaluation mode: training would move their figures."""
    norms = [m for m in module.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        if not any(p.requires_grad for p in norm.parameters()):
            norm.eval()


def allows_channels_last(module: nn.Module) -> bool:
    """Whether the other memory layout of pictures is safe for this module.

    With PyTorch 2.x on a CPU the backward pass of a 1 x 1 convolution that steps over pixels and
    has 8 input channels writes outside its memory for an odd number of rows, which ends the
    process; ones with 16 channels and more are sound.
    """
    convolutions = (m for m in module.modules() if isinstance(m, nn.Conv2d))
    return not any(
        c.kernel_size == (1, 1) and max(c.stride) > 1 and c.in_channels < SOUND
        for c in convolutions
    )


def from_transformers(module: nn.Module) -> "PreTrainedModel":
    """The same module, known to be one of transformers and so to have a `config`."""
    from transformers import PreTrainedModel  # loaded already, wherever there is such a module

    assert isinstance(module, PreTrainedModel)
    return module


def model_type(module: nn.Module) -> str:
    """The family that a module of transformers belongs to."""
    return from_transformers(module).config.model_type
