"""Tiny checkpoints of transformers, one a family: a folder in, what a job calls it out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers as t

from conftest import NOTES
from conftest import WORDS as TAGGED
from modalloy.model.trunks.huggingface import quiet
from modalloy.readers.tokenizer import learn_pieces

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
WORDS = SMALL | {"vocab_size": 300, "max_position_embeddings": 64}
PICTURE = SMALL | {"image_size": 32, "patch_size": 8}


def save(model: Any, folder: Path) -> str:
    """Write a model as `save_pretrained` does."""
    with quiet():
        model.save_pretrained(folder)
    return f"hf:{folder}"


def distilbert() -> t.DistilBertModel:
    return t.DistilBertModel(
        t.DistilBertConfig(
            dim=16, n_layers=2, n_heads=2, hidden_dim=24, vocab_size=300, max_position_embeddings=64
        )
    )


TEXTS: dict[str, Callable[[], Any]] = {
    "bert": lambda: t.BertModel(t.BertConfig(**WORDS)),
    "roberta": lambda: t.RobertaModel(t.RobertaConfig(**WORDS)),
    "xlm-roberta": lambda: t.XLMRobertaModel(t.XLMRobertaConfig(**WORDS)),
    "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**WORDS)),
    "electra": lambda: t.ElectraModel(t.ElectraConfig(**WORDS, embedding_size=8)),
    "albert": lambda: t.AlbertModel(t.AlbertConfig(**WORDS, embedding_size=8)),
    "deberta-v2": lambda: t.DebertaV2Model(
        t.DebertaV2Config(**WORDS, relative_attention=True, pos_att_type=["c2p", "p2c"])
    ),
    "distilbert": distilbert,
    "clip": lambda: t.CLIPTextModel(
        t.CLIPTextConfig(**WORDS | {"bos_token_id": 1, "eos_token_id": 2})
    ),
}


def detr() -> t.DetrForObjectDetection:
    backbone = t.ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage4"],
    )
    return t.DetrForObjectDetection(
        t.DetrConfig(
            use_timm_backbone=False,
            backbone_config=backbone,
            d_model=16,
            encoder_layers=2,
            decoder_layers=1,
            num_queries=3,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
        )
    )


def rt_detr() -> t.RTDetrForObjectDetection:
    backbone = t.RTDetrResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    return t.RTDetrForObjectDetection(
        t.RTDetrConfig(
            backbone_config=backbone,
            encoder_hidden_dim=16,
            encoder_in_channels=[12, 16, 24],
            encoder_ffn_dim=16,
            encoder_attention_heads=2,
            d_model=16,
            decoder_in_channels=[16, 16, 16],
            decoder_layers=2,
            decoder_ffn_dim=16,
            decoder_attention_heads=2,
            decoder_n_points=2,
            num_queries=5,
            num_denoising=0,
        )
    )


PICTURES: dict[str, Callable[[], Any]] = {
    "vit": lambda: t.ViTModel(t.ViTConfig(**PICTURE)),
    "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**PICTURE)),
    "clip": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**PICTURE)),
    "detr": detr,  # its backbone is a ResNet
    "rt_detr": rt_detr,
}

WAVES = SMALL | {
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
}
STABLE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True}


def whisper() -> t.WhisperModel:
    return t.WhisperModel(
        t.WhisperConfig(
            d_model=16,
            encoder_layers=2,
            encoder_attention_heads=2,
            encoder_ffn_dim=24,
            decoder_layers=1,
            decoder_attention_heads=2,
            decoder_ffn_dim=24,
            vocab_size=20,
            num_mel_bins=16,
            max_source_positions=100,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        )
    )


SOUNDS: dict[str, Callable[[], Any]] = {
    "wav2vec2": lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**WAVES)),
    "wav2vec2 stable": lambda: t.Wav2Vec2Model(t.Wav2Vec2Config(**WAVES, **STABLE)),
    "hubert": lambda: t.HubertModel(t.HubertConfig(**WAVES)),
    "hubert stable": lambda: t.HubertModel(t.HubertConfig(**WAVES, **STABLE)),
    "whisper": whisper,
}


def patchtst(channels: int = 3, *, layers: int = 3, **options: Any) -> t.PatchTSTModel:
    """PatchTST over 32 samples of some channels."""
    torch.manual_seed(1)
    return t.PatchTSTModel(
        t.PatchTSTConfig(
            num_input_channels=channels,
            context_length=32,
            patch_length=8,
            patch_stride=8,
            d_model=8,
            num_attention_heads=2,
            num_hidden_layers=layers,
            ffn_dim=16,
            **options,
        )
    )


def read_by(folder: Path, tune: str) -> dict[str, dict[str, Any]]:
    """Columns of the small table that pretrained encoders of every kind read, and two others."""
    torch.manual_seed(0)
    texts = [f"{text} {row}" for some in NOTES.values() for text in some for row in range(80)]
    texts += [" ".join(words) for words, _ in TAGGED.values()]
    pieces = learn_pieces(texts, 80)
    bert = t.BertConfig(**SMALL, vocab_size=pieces.get_vocab_size(), max_position_embeddings=24)
    text = save(t.BertModel(bert), folder / "bert")
    pieces.save(str(folder / "bert" / "tokenizer.json"))
    vit = t.ViTModel(t.ViTConfig(**SMALL, image_size=16, patch_size=8))
    tuned = {"tune": tune}
    return {
        "photo": {"type": "image", "encoder": save(vit, folder / "vit"), "pixels": 16} | tuned,
        "sound": {
            "type": "audio",
            "encoder": save(SOUNDS["wav2vec2"](), folder / "wave"),
            "rate_hz": 16_000,
            "seconds": 0.25,
        }
        | tuned,
        "vibration": {"type": "series", "length": 32, "rate_hz": 100, "front": ["statistics"]},
        "note": {"type": "text", "encoder": text, "max_tokens": 22} | tuned,
        "words": {"type": "tokens", "encoder": text, "max_tokens": 22} | tuned,
        "load": {"type": "number"},
    }
