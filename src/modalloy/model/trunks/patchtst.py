"""PatchTST checkpoints as trunks that read channels one by one.

transformers is imported inside the functions: it takes seconds that other series never need.
"""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from modalloy.errors import JobError
from modalloy.model.trunks.huggingface import explained, known_place, plain, quiet
from modalloy.model.trunks.signal_features import extent

if TYPE_CHECKING:
    from transformers import PatchTSTConfig, PatchTSTModel


class PatchTrunk(nn.Module):
    """PatchTST (Nie et al. 2023, 2211.14730): the last samples of each channel as patches.

    A checkpoint that shares its weights between channels reads any number of them.
    """

    def __init__(self, model: "PatchTSTModel", channels: int, encoder: str) -> None:
        super().__init__()
        self.model = model
        own = model.config.num_input_channels
        self.together = own == channels and own > 1
        if own not in (1, channels):
            raise JobError(
                f"encoder {encoder}: the checkpoint reads {own} channels and mixes them, the "
                f"column has {channels}; give it the same channels"
            )

    @property
    def blocks(self) -> list[nn.Module]:
        """Blocks from input to output."""
        return list(self.model.encoder.layers)

    @property
    def width(self) -> int:
        """Length of a channel's features: mean and last patch."""
        return 2 * self.model.config.d_model

    def forward(self, x_BCL: Tensor, mask_BL: Tensor) -> Tensor:
        """Features of each channel, (B, C, F)."""
        x_BLC, seen_BL = last_samples(x_BCL, mask_BL, self.model.config.context_length)
        seen_BLC = seen_BL[..., None].expand_as(x_BLC).to(x_BLC.dtype)
        if not self.together:
            x_BLC, seen_BLC = (
                t.transpose(1, 2).reshape(-1, t.shape[1], 1) for t in (x_BLC, seen_BLC)
            )
        z = self.model(past_values=x_BLC, past_observed_mask=seen_BLC).last_hidden_state
        z_BCPd = z.reshape(x_BCL.shape[0], x_BCL.shape[1], *z.shape[2:])
        return torch.cat([z_BCPd.mean(2), z_BCPd[:, :, -1]], -1)


def last_samples(x_BCL: Tensor, mask_BL: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """The last samples of each row, right-aligned after zeros: (B, L, C), seen (B, L)."""
    places_BL = extent(mask_BL)[:, None] - length + torch.arange(length, device=x_BCL.device)
    inside_BL = places_BL.clamp_min(0)
    seen_BL = mask_BL.gather(1, inside_BL) & (places_BL >= 0)
    index_BCL = inside_BL[:, None].expand(-1, x_BCL.shape[1], -1)
    return (x_BCL.gather(2, index_BCL) * seen_BL[:, None]).transpose(1, 2), seen_BL


def load_patchtst(encoder: str, channels: int) -> PatchTrunk:
    """The trunk with its weights; JobError where the folder holds no PatchTST or lacks weights."""
    from transformers import AutoConfig, PatchTSTConfig, PatchTSTModel

    name = known_place(encoder.removeprefix("hf:").strip())
    with quiet(), explained(encoder):
        config = AutoConfig.from_pretrained(name)
        if not isinstance(config, PatchTSTConfig):
            raise JobError(
                f"encoder {encoder}: a {config.model_type} checkpoint cannot read a series; "
                "PatchTST can"
            )
        # pyrefly: ignore[not-iterable] with loading info it is a pair
        model, loading = PatchTSTModel.from_pretrained(
            name, config=alone(config), dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise JobError(
            f"encoder {encoder}: {len(missing)} of its weights are not in the folder, {missing[0]} "
            "first; give the folder that save_pretrained wrote"
        )
    return PatchTrunk(model, channels, encoder)


def build_patchtst(described: dict[str, Any], channels: int) -> PatchTrunk:
    """The trunk with random weights, from its configuration."""
    from transformers import PatchTSTConfig, PatchTSTModel

    with quiet():
        config = PatchTSTConfig.from_dict(described["model"])
        return PatchTrunk(PatchTSTModel(alone(config)), channels, "hf:")


def describe(trunk: PatchTrunk) -> dict[str, Any]:
    """JSON from which `build_patchtst` builds the same trunk."""
    return plain({"kind": "series", "family": "patchtst", "model": trunk.model.config.to_dict()})


def alone(config: "PatchTSTConfig") -> "PatchTSTConfig":
    """The configuration without random masking, for one channel where channels share weights."""
    config.do_mask_input = False
    if config.share_embedding and not config.channel_attention:
        config.num_input_channels = 1
    return config
