"""The projections of checkpoints with two towers (CLIP, SigLIP): where both meet in one space.

A column keeps its tower as a trunk; what belongs to both - projections, temperature, bias - is read
from the same folder once, when a space is built, and is kept with the space from then on.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.errors import JobError
from modalloy.model.trunks.huggingface import Kind, explained, known_place, quiet

TOWERS = ("clip", "siglip")  # whole models of two towers
PAIRED = ("clip_text_model", "clip_vision_model", "siglip_text_model", "siglip_vision_model")


class Dual(NamedTuple):
    """How one tower comes into the space of both.

    weight: (S, F), None where the tower's own state is the vector; bias: (S,) or None. log_scale:
    of similarities, bias_of_pairs: added to them (SigLIP), as the checkpoint learned them.
    """

    size: int
    weight: Tensor | None
    bias: Tensor | None
    log_scale: float
    bias_of_pairs: float | None


def load_dual(kind: Kind, encoder: str) -> Dual:
    """What the folder (or hub repository) behind `hf:...` says of one tower's projection.

    JobError where it holds one tower alone, or lacks some of these weights.
    """
    import transformers

    name = known_place(encoder.removeprefix("hf:").strip())
    with quiet(), explained(encoder):
        config = transformers.AutoConfig.from_pretrained(name)
        if config.model_type not in TOWERS:
            raise JobError(
                f"encoder {encoder}: is one tower ({config.model_type}) without its projection into"
                " the space of both; give the folder of the whole CLIP or SigLIP model, or set "
                "pretrain.contrast.projections: new"
            )
        clip = config.model_type == "clip"
        model_class = getattr(transformers, "CLIPModel" if clip else "SiglipModel")
        model, loading = model_class.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(loading["missing_keys"])
    if missing:
        raise JobError(
            f"encoder {encoder}: {len(missing)} of its weights are not in the folder, {missing[0]} "
            "first; give the folder that save_pretrained wrote"
        )
    return of_clip(model, kind) if clip else of_siglip(model, kind)


def of_clip(model: "torch.nn.Module", kind: Kind) -> Dual:
    """CLIP: a linear map without bias on each side."""
    side = model.get_submodule("text_projection" if kind == "text" else "visual_projection")
    weight, scale = side.get_parameter("weight").detach(), model.get_parameter("logit_scale")
    return Dual(len(weight), weight, None, scale.item(), None)


def of_siglip(model: "torch.nn.Module", kind: Kind) -> Dual:
    """SigLIP: a linear map of the text's last state; the picture's pooled state as it is."""
    scale = model.get_parameter("logit_scale").item()
    bias = model.get_parameter("logit_bias").item()
    if kind == "text":
        head = model.get_submodule("text_model.head")
        weight = head.get_parameter("weight").detach()
        own = head.get_parameter("bias").detach()
        return Dual(len(weight), weight, own, scale, bias)
    size = model.get_parameter("vision_model.post_layernorm.weight").shape[0]
    return Dual(size, None, None, scale, bias)
