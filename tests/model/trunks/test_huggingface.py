"""transformers checkpoints: opened from a folder, rebuilt without it, or refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.trunks.huggingface import build_trunk, load_trunk, quiet
from modalloy.model.trunks.trunk import Trunk, set_trainable

SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}
WORDS = SMALL | {"vocab_size": 40, "max_position_embeddings": 24}
PICTURE = SMALL | {"image_size": 16, "patch_size": 8}


def clip_config() -> t.CLIPConfig:
    text = WORDS | {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}
    return t.CLIPConfig(text_config=text, vision_config=PICTURE, projection_dim=8)


def save(model: Any, folder: Path) -> str:
    with quiet():
        model.save_pretrained(folder)
    return f"hf:{folder}"


TEXTS = {
    "bert": lambda: t.BertForTokenClassification(t.BertConfig(**WORDS)),
    "roberta": lambda: t.RobertaModel(t.RobertaConfig(**WORDS)),
    "xlm-roberta": lambda: t.XLMRobertaModel(t.XLMRobertaConfig(**WORDS)),
    "mpnet": lambda: t.MPNetModel(t.MPNetConfig(**WORDS)),
    "electra": lambda: t.ElectraModel(t.ElectraConfig(**WORDS, embedding_size=8)),
    "deberta-v2": lambda: t.DebertaV2Model(
        t.DebertaV2Config(**WORDS, relative_attention=True, pos_att_type=["c2p", "p2c"])
    ),
    "distilbert": lambda: t.DistilBertModel(
        t.DistilBertConfig(
            dim=16, n_layers=2, n_heads=2, hidden_dim=24, vocab_size=40, max_position_embeddings=24
        )
    ),
    "clip": lambda: t.CLIPModel(clip_config()),
    "clip_text_model": lambda: t.CLIPTextModelWithProjection(clip_config().text_config),
}


def check_rebuilt(trunk: Trunk) -> None:
    """The description survives JSON and builds a module that takes the same weights."""
    again = build_trunk(json.loads(json.dumps(trunk.config)))
    again.module.load_state_dict(trunk.module.state_dict())
    assert len(again.blocks) == len(trunk.blocks)
    assert again.config == trunk.config


@pytest.mark.parametrize("family", TEXTS)
def test_text_families(family: str, tmp_path: Path) -> None:
    with quiet():
        model = TEXTS[family]()
    trunk = load_trunk("text", save(model, tmp_path))
    assert trunk.config["family"] == family
    assert len(trunk.blocks) == 2
    saved = list(model.state_dict().values())
    for weight in trunk.module.state_dict().values():
        assert any(torch.equal(weight, w) for w in saved if w.shape == weight.shape)
    check_rebuilt(trunk)


def albert(folder: Path) -> str:
    return save(t.AlbertModel(t.AlbertConfig(**WORDS, embedding_size=8)), folder)


def test_layers_that_share_weights_have_no_last_ones(tmp_path: Path) -> None:
    trunk = load_trunk("text", albert(tmp_path))
    assert trunk.config["family"] == "albert"
    check_rebuilt(trunk)
    options = config.Text(encoder="hf:albert", tune="last_n", last_n=1)
    with pytest.raises(JobError, match=r"columns.note.tune: the layers of hf:albert share their"):
        set_trainable(trunk, options, "note")
    for tune in ("full", "frozen"):
        set_trainable(trunk, config.Text(encoder="hf:albert", tune=tune), "note")
        assert {p.requires_grad for p in trunk.module.parameters()} == {tune == "full"}


def test_both_towers_of_clip_hold_the_saved_weights(tmp_path: Path) -> None:
    with quiet():
        model = t.CLIPModel(clip_config())
    place = save(model, tmp_path)
    text, image = load_trunk("text", place), load_trunk("image", place)
    assert (text.module.config.model_type, image.module.config.model_type) == (
        "clip_text_model",
        "clip_vision_model",
    )
    torch.testing.assert_close(
        text.module.embeddings.token_embedding.weight,
        model.text_model.embeddings.token_embedding.weight,
    )
    torch.testing.assert_close(
        image.module.post_layernorm.weight, model.vision_model.post_layernorm.weight
    )
    check_rebuilt(image)


def test_picture_scale_comes_from_the_folder_or_the_family(tmp_path: Path) -> None:
    place = save(t.ViTModel(t.ViTConfig(**PICTURE)), tmp_path)
    assert load_trunk("image", place).config["processor"]["mean"] == [0.5, 0.5, 0.5]
    processor = {"image_processor_type": "ViTImageProcessor", "image_mean": [0.1, 0.2, 0.3]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    found = load_trunk("image", place).config["processor"]
    assert found == {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]}


def test_whisper_keeps_its_encoder(tmp_path: Path) -> None:
    sizes = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2, "vocab_size": 20}
    settings = t.WhisperConfig(
        **sizes,
        encoder_ffn_dim=24,
        decoder_layers=1,
        decoder_attention_heads=2,
        decoder_ffn_dim=24,
        num_mel_bins=8,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
    )
    trunk = load_trunk("audio", save(t.WhisperForConditionalGeneration(settings), tmp_path))
    assert type(trunk.module).__name__ == "WhisperEncoder"
    again = build_trunk(json.loads(json.dumps(trunk.config)))
    assert type(again.module).__name__ == "WhisperEncoder"
    again.module.load_state_dict(trunk.module.state_dict())


def test_own_randomness_is_off(tmp_path: Path) -> None:
    settings = t.Wav2Vec2Config(
        **SMALL, conv_dim=[8] * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2
    )
    trunk = load_trunk("audio", save(t.Wav2Vec2Model(settings), tmp_path))
    assert trunk.module.config.layerdrop == 0
    assert trunk.module.config.mask_time_prob == 0
    assert trunk.config["processor"] == {"normalize": True}


def test_refusals(tmp_path: Path) -> None:
    place = save(t.BertModel(t.BertConfig(**WORDS)), tmp_path / "bert")
    with pytest.raises(JobError, match="a bert checkpoint cannot read a column of type image"):
        load_trunk("image", place)
    with pytest.raises(JobError, match=r"there is no folder \./nowhere"):
        load_trunk("text", "hf:./nowhere")
    with pytest.raises(JobError, match="there is no folder a b/c"):
        load_trunk("text", "hf:a b/c")
    with pytest.raises(JobError, match="cannot be opened"):
        load_trunk("text", f"hf:{tmp_path}")


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    place = save(t.BertModel(t.BertConfig(**WORDS)), tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("encoder.layer.1.output.dense.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(JobError, match=r"1 of its weights are not in the folder, encoder.layer.1"):
        load_trunk("text", place)


def test_timm_backbones_are_refused(tmp_path: Path) -> None:
    described = {"model_type": "detr", "backbone": "resnet50", "use_timm_backbone": True}
    (tmp_path / "config.json").write_text(json.dumps(described))
    with pytest.raises(JobError, match="timm"):
        load_trunk("image", f"hf:{tmp_path}")


def test_nothing_is_printed_and_settings_come_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    place = save(t.CLIPModel(clip_config()), tmp_path)
    capfd.readouterr()
    load_trunk("image", place)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


@pytest.mark.parametrize(
    ("tune", "last_n", "wanted"), [("full", 1, 3), ("frozen", 1, 0), ("last_n", 2, 2)]
)
def test_what_may_change(tune: str, last_n: int, wanted: int) -> None:
    module = torch.nn.Sequential(*(torch.nn.Linear(2, 2) for _ in range(3)))
    options = config.Text(encoder="minilm", tune=tune, last_n=last_n)
    set_trainable(Trunk(module, list(module)), options, "note")
    assert [m.weight.requires_grad for m in module] == [False] * (3 - wanted) + [True] * wanted


def test_more_blocks_than_there_are() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(2, 2))
    options = config.Text(encoder="minilm", tune="last_n", last_n=2)
    with pytest.raises(JobError, match=r"columns.note.last_n: minilm has 1 blocks, not 2"):
        set_trainable(Trunk(module, [module[0]]), options, "note")
