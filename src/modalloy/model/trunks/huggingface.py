"""Loads transformers checkpoints as trunks, and builds them again from their configuration.

Only families whose forward pass this house knows are taken, no code from the folder is run, and a
folder that lacks some of its weights is refused. transformers is imported inside the functions: it
takes seconds that other jobs never need.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from modalloy.errors import JobError
from modalloy.model.trunks.trunk import Trunk

Kind = Literal["text", "image", "audio"]


class Family(NamedTuple):
    """How a family of checkpoints is opened."""

    model: str  # class in transformers
    blocks: str  # path to the list of its blocks, counted by `last_n`; none if they share weights
    part: str = ""  # the one part of a whole model that is used
    tower: str = ""  # name of the tower's configuration inside a two-tower one
    pooler: bool = False  # the class would add a pooler that we do not use


FAMILIES: dict[Kind, dict[str, Family]] = {
    "text": {
        "bert": Family("BertModel", "encoder.layer", pooler=True),
        "roberta": Family("RobertaModel", "encoder.layer", pooler=True),
        "xlm-roberta": Family("XLMRobertaModel", "encoder.layer", pooler=True),
        "mpnet": Family("MPNetModel", "encoder.layer", pooler=True),
        "electra": Family("ElectraModel", "encoder.layer"),
        "albert": Family("AlbertModel", "", pooler=True),
        "deberta-v2": Family("DebertaV2Model", "encoder.layer"),
        "distilbert": Family("DistilBertModel", "transformer.layer"),
        "clip": Family("CLIPTextModel", "encoder.layers", tower="text_config"),
        "clip_text_model": Family("CLIPTextModel", "encoder.layers"),
    },
    "image": {
        "vit": Family("ViTModel", "layers", pooler=True),
        "dinov2": Family("Dinov2Model", "encoder.layer"),
        "clip": Family("CLIPVisionModel", "encoder.layers", tower="vision_config"),
        "clip_vision_model": Family("CLIPVisionModel", "encoder.layers"),
        "detr": Family("DetrModel", "encoder.layers"),
        "rt_detr": Family("RTDetrModel", "encoder.pan_blocks"),
    },
    "audio": {
        "wav2vec2": Family("Wav2Vec2Model", "encoder.layers"),
        "hubert": Family("HubertModel", "encoder.layers"),
        "whisper": Family("WhisperModel", "layers", part="encoder"),
    },
}
# Mean and deviation that each family's own processor uses when its folder says nothing else.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PICTURE_SCALES = {
    "vit": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "dinov2": IMAGENET,
    "clip": (CLIP_MEAN, CLIP_STD),
    "clip_vision_model": (CLIP_MEAN, CLIP_STD),
    "detr": IMAGENET,
    "rt_detr": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
UNUSED = {  # parts that only find boxes
    "DetrModel": ("decoder", "query_position_embeddings"),
    "RTDetrModel": (
        "decoder",
        "decoder_input_proj",
        "denoising_class_embed",
        "weight_embedding",
        "enc_output",
        "enc_score_head",
        "enc_bbox_head",
    ),
}
# Randomness that some checkpoints bring along: ours is set by the job.
STILL = {
    "layerdrop": 0.0,
    "encoder_layerdrop": 0.0,
    "drop_path_rate": 0.0,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
}


def load_trunk(kind: Kind, encoder: str) -> Trunk:
    """The trunk in the folder (or hub repository) that `hf:...` names, with its weights.

    Raises JobError where there is none, its family does not fit the column, or weights are missing.
    """
    import transformers

    place = encoder.removeprefix("hf:").strip()
    name = known_place(place)
    with quiet(), explained(encoder):
        whole = transformers.AutoConfig.from_pretrained(name)
        family = family_of(kind, whole.model_type, encoder)
        config = getattr(whole, family.tower) if family.tower else whole
        refuse_timm(config, encoder)
        adjust(config)
        extra = {"add_pooling_layer": False} if family.pooler else {}
        model, loading = getattr(transformers, family.model).from_pretrained(
            name,
            config=config,
            dtype=torch.float32,
            output_loading_info=True,
            **extra,
        )
        missing = sorted(loading["missing_keys"])
        described = {
            "kind": kind,
            "family": whole.model_type,
            "model": config.to_dict(),
            "processor": processor_of(kind, name, whole.model_type),
        }
    if missing:
        raise JobError(
            f"encoder {encoder}: {len(missing)} of its weights are not in the folder, {missing[0]} "
            "first; give the folder that save_pretrained wrote"
        )
    return finish(model, family, plain(described))


def build_trunk(described: dict[str, Any]) -> Trunk:
    """The trunk that `load_trunk` described, with random weights: a run's own are loaded later."""
    import transformers

    family = FAMILIES[described["kind"]][described["family"]]
    model_class = getattr(transformers, family.model)
    config = model_class.config_class.from_dict(described["model"])
    extra = {"add_pooling_layer": False} if family.pooler else {}
    with quiet():
        return finish(model_class(config, **extra), family, described)


def finish(model: nn.Module, family: Family, described: dict[str, Any]) -> Trunk:
    """Keep the part that is used."""
    for name in UNUSED.get(family.model, ()):  # what finds boxes is a head's; see `detectors.py`
        if hasattr(model, name):
            setattr(model, name, nn.Identity())
    module = getattr(model, family.part) if family.part else model
    blocks = list(module.get_submodule(family.blocks).children()) if family.blocks else []
    return Trunk(module, blocks, described)


def known_place(place: str) -> str:
    """A folder that exists, or something that can be the name of a hub repository."""
    folder = Path(place).expanduser()
    if folder.is_dir():
        return str(folder)
    if place.startswith(("/", ".", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", place):
        raise JobError(f"encoder hf:{place}: there is no folder {place}")
    return place


def family_of(kind: Kind, model_type: str, encoder: str) -> Family:
    """How to open a checkpoint of this type; JobError where it does not fit the column."""
    families = FAMILIES[kind]
    if model_type not in families:
        raise JobError(
            f"encoder {encoder}: a {model_type} checkpoint cannot read a column of type {kind}; "
            f"these can: {', '.join(families)}"
        )
    return families[model_type]


def refuse_timm(config: Any, encoder: str) -> None:
    """A backbone that only timm can build would need torchvision, which is never installed here."""
    backbone = getattr(config, "backbone_config", None)
    if getattr(backbone, "model_type", None) == "timm_backbone":
        raise JobError(
            f"encoder {encoder}: its backbone is built by timm, which Modalloy does not use; take "
            "a checkpoint whose config has use_timm_backbone: false (revision no_timm on the hub)"
        )


def adjust(config: Any) -> None:
    """Switch off a checkpoint's own randomness; let a backbone show the maps of all its stages."""
    for name, value in STILL.items():
        if hasattr(config, name):
            setattr(config, name, value)
    backbone = getattr(config, "backbone_config", None)
    if backbone is not None and config.model_type == "detr":  # RT-DETR reads several maps itself
        backbone.out_features = backbone.stage_names[1:]


def processor_of(kind: Kind, name: str, model_type: str) -> dict[str, Any]:
    """What is done to values before the trunk, by the folder's processor file or its family."""
    if kind == "text" or model_type == "whisper":
        return {}
    import transformers

    mixin, reader = (
        (transformers.ImageProcessingMixin, "get_image_processor_dict")
        if kind == "image"
        else (transformers.FeatureExtractionMixin, "get_feature_extractor_dict")
    )
    try:
        found = getattr(mixin, reader)(name)[0]
    except OSError:  # no such file: the family's own
        found = {}
    if kind == "audio":
        return {"normalize": bool(found.get("do_normalize", True))}
    mean, std = PICTURE_SCALES[model_type]
    return {
        "mean": list(found.get("image_mean", mean)),
        "std": list(found.get("image_std", std)),
    }


def plain(value: Any) -> Any:
    """The same as JSON holds it: text keys, lists, and names of number types."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(v) for v in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


@contextmanager
def explained(encoder: str) -> Iterator[None]:
    """What transformers raises while opening a checkpoint, as a sentence with its name."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise JobError(f"encoder {encoder} cannot be opened: {reason}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' own lines and bars; what matters is checked and said by us."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
