"""How each kind of picture network is run: maps and one pooled vector."""

from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import torch
from torch import Tensor, nn

from modalloy.model.trunks.cnn import Cnn
from modalloy.model.trunks.efficientnet import HEAD, EfficientNetLite
from modalloy.model.trunks.trunk import from_transformers, model_type

if TYPE_CHECKING:
    from transformers import DetrModel, PreTrainedModel, RTDetrModel

STAGES = {  # channels and blocks of the stages that are trained from nothing
    "small": ((32, 64, 128, 256), (1, 1, 1, 1)),
    "base": ((64, 128, 256, 512), (2, 2, 2, 2)),
}
FEWEST_CELLS = 4  # cells a side of the coarsest map: fewer would lose where things are


class View(NamedTuple):
    """What a trunk sees in B pictures."""

    maps: tuple[Tensor, ...]  # finest first
    last_BFHW: Tensor  # the map that becomes tokens
    pooled_BF: Tensor  # the whole picture


class Widths(NamedTuple):
    """Channels of `last_BFHW` and length of `pooled_BF`."""

    last: int
    pooled: int


def build_cnn(channels: int, pixels: int, size: str) -> tuple[Cnn, Widths]:
    """A network for pictures of this size; small ones get fewer stages, and a stem of stride 1."""
    widths, blocks = STAGES[size]
    stride = 2 if pixels >= 64 else 1
    count = 1
    while count < len(widths) and -(-pixels // (stride << count + 1)) >= FEWEST_CELLS:
        count += 1
    net = Cnn(channels, widths[0] // 2, widths[:count], blocks[:count], stride=stride)
    return net, Widths(widths[count - 1], 2 * widths[count - 1])


def view_cnn(net: Cnn, x_BCHW: Tensor) -> View:
    """Pooled are mean and maximum: a small defect moves the one, the background the other."""
    maps = net(x_BCHW)
    last = maps[-1]
    return View(tuple(maps), last, torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1))


def view_lite(net: EfficientNetLite, x_BCHW: Tensor) -> View:
    """Pooled are the head's mean, as its classifier saw it, and mean and maximum of the maps below.

    They add 0.02 to a linear probe on solar cells, whose defects are small.
    """
    maps, head = net(x_BCHW)
    below = [pooled for m in maps[-2:] for pooled in (m.mean((2, 3)), m.amax((2, 3)))]
    return View(maps, head, torch.cat([head.mean((2, 3)), *below], dim=1))


def view_tower(trunk: "PreTrainedModel", x_BCHW: Tensor) -> View:
    """ViT, DINOv2 or CLIP's tower: one map of patches; pooled are class token and mean patch.

    Positions are interpolated where the picture has another size than in pre-training.
    """
    patch, size = trunk.config.patch_size, trunk.config.image_size
    # DINOv2 interpolates without being asked.
    asked = {"interpolate_pos_encoding": x_BCHW.shape[-1] != size}
    asked = {} if trunk.config.model_type == "dinov2" else asked
    states_BTF = trunk(pixel_values=x_BCHW, **asked).last_hidden_state
    if trunk.config.model_type == "clip_vision_model":
        states_BTF = trunk.get_submodule("post_layernorm")(states_BTF)
    high, wide = (n // patch for n in x_BCHW.shape[2:])
    last = states_BTF[:, 1:].transpose(1, 2).unflatten(2, (high, wide))
    return View((last,), last, torch.cat([states_BTF[:, 0], last.mean((2, 3))], dim=1))


def view_detr(trunk: "DetrModel", x_BCHW: Tensor) -> View:
    """DETR without its decoder (Carion et al. 2020, arXiv 2005.12872): backbone, then encoder."""
    everywhere = torch.ones_like(x_BCHW[:, 0])
    maps = [m for m, _ in trunk.backbone(x_BCHW, everywhere)]
    x_BFHW = trunk.input_projection(maps[-1])
    places_BFHW = trunk.position_embedding(
        shape=x_BFHW.shape, device=x_BFHW.device, dtype=x_BFHW.dtype
    )
    states_BTF = trunk.encoder(
        inputs_embeds=x_BFHW.flatten(2).transpose(1, 2),
        # A copy: transformers keeps the table, and one made for prediction cannot serve training.
        spatial_position_embeddings=places_BFHW.flatten(2).transpose(1, 2).clone(),
    ).last_hidden_state
    last = states_BTF.transpose(1, 2).unflatten(2, x_BFHW.shape[2:])
    return View((*maps[:-1], last), last, torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1))


def view_rt_detr(trunk: "RTDetrModel", x_BCHW: Tensor) -> View:
    """RT-DETR without its decoder (Zhao et al. 2024, 2304.08069): backbone, then hybrid encoder."""
    everywhere = torch.ones_like(x_BCHW[:, 0])
    maps = [m for m, _ in trunk.backbone(x_BCHW, everywhere)]
    inside = [project(m) for project, m in zip(trunk.encoder_input_proj, maps, strict=True)]
    found = tuple(trunk.encoder(inside).last_hidden_state)
    last = found[-1]
    return View(found, last, torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1))


def widths_of(trunk: nn.Module) -> Widths:
    """Widths of what a pretrained trunk sees."""
    if isinstance(trunk, EfficientNetLite):
        return Widths(HEAD, HEAD + 2 * sum(trunk.map_channels[-2:]))
    settings = from_transformers(trunk).config
    width = settings.encoder_hidden_dim if is_rt_detr(trunk) else settings.hidden_size
    return Widths(width, 2 * width)


def view(net: nn.Module, x_BCHW: Tensor) -> View:
    """What any of these networks sees."""
    if isinstance(net, Cnn):
        return view_cnn(net, x_BCHW)
    if isinstance(net, EfficientNetLite):
        return view_lite(net, x_BCHW)
    if is_detr(net):
        return view_detr(net, x_BCHW)
    if is_rt_detr(net):
        return view_rt_detr(net, x_BCHW)
    return view_tower(from_transformers(net), x_BCHW)


def is_detr(net: nn.Module) -> TypeGuard["DetrModel"]:
    """Whether a network of transformers is DETR."""
    return model_type(net) == "detr"


def is_rt_detr(net: nn.Module) -> TypeGuard["RTDetrModel"]:
    """Whether a network of transformers is RT-DETR."""
    return model_type(net) == "rt_detr"
