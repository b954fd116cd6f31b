"""Texts to tokens: from scratch, MiniLM and transformers folders; each row as it is alone."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as t
from torch import Tensor

from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.text import TextEncoder, run_tower, run_trunk
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.huggingface import load_trunk, quiet
from modalloy.readers.text import TextReader, TokensReader

NOTES = ["Pump leaks at Siemens AG", "ok", "bearing 6204 hot, replaced SEAL and oil twice"]
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 300,
    "max_position_embeddings": 64,
}


def read(reader: TextReader, texts: list[Any]) -> dict[str, Tensor]:
    values = reader.read(Cells({"note": texts})).values
    return {k: torch.from_numpy(v) for k, v in values.items()}


def scratch_reader(kind: type[TextReader] = TextReader) -> TextReader:
    options = config.Text(vocabulary=64, max_tokens=24)
    return kind.fit("note", options, Cells({"note": NOTES}))


def build(
    encoder: str, reader: TextReader, *, pretrained: bool = True, **options: Any
) -> TextEncoder:
    made = config.Text(encoder=encoder, **options)
    return TextEncoder(reader, made, 24, pretrained=pretrained).eval()


def encode(encoder: TextEncoder, values: dict[str, Tensor]) -> Tokens:
    return encoder(values, torch.ones(len(values["ids"]), dtype=torch.bool))


def check_alone(encoder: TextEncoder, reader: TextReader, texts: list[Any]) -> None:
    """A row's tokens are those of a batch of its own."""
    with torch.no_grad():
        together = encode(encoder, read(reader, texts))
        for row, text in enumerate(texts):
            alone = encode(encoder, read(reader, [text]))
            length = int(alone.mask_BT.sum())
            assert together.mask_BT[row].sum() == length
            close(together.x_BTD[row, :length], alone.x_BTD[0, :length])
            close(together.summary_BD[row], alone.summary_BD[0])


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-5)


def trainable(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize("size", ["small", "base"])
def test_from_scratch(size: str) -> None:
    reader = scratch_reader()
    encoder = build("scratch", reader, size=size)
    values = read(reader, NOTES)
    tokens = encode(encoder, values)
    assert tokens.x_BTD.shape == (3, values["ids"].shape[1], 24)
    assert torch.equal(tokens.mask_BT, values["mask"])
    assert encoder.trunk is None
    assert not encoder.frozen
    check_alone(encoder, reader, NOTES)


def test_padding_is_not_read() -> None:
    reader = scratch_reader()
    encoder = build("scratch", reader)
    values = read(reader, NOTES)
    before = encode(encoder, values)
    values["ids"] = values["ids"].masked_fill(~values["mask"], 7)
    after = encode(encoder, values)
    close(after.summary_BD, before.summary_BD)


def test_words_pass_through() -> None:
    reader = scratch_reader(TokensReader)
    values = read(reader, [["pump", "leaks"], ["ok"]])
    tokens = encode(build("scratch", reader), values)
    assert torch.equal(tokens.words_BW, values["words"])


def test_letter_case_is_seen() -> None:
    """Case changes nothing at the start of a pretrained trunk, and something once it is learned."""
    reader = TextReader.fit("note", config.Text(encoder="minilm"), Cells({"note": NOTES}))
    encoder = build("minilm", reader, pretrained=False)
    lower, upper = read(reader, ["seal"]), read(reader, ["SEAL"])
    assert torch.equal(lower["ids"], upper["ids"])
    close(encode(encoder, lower).summary_BD, encode(encoder, upper).summary_BD)
    assert encoder.shape_CF.weight.shape == (7, 384)
    torch.nn.init.normal_(encoder.shape_CF.weight)
    gap = encode(encoder, lower).x_BTD - encode(encoder, upper).x_BTD
    assert gap.abs().max() > 0.01


@pytest.mark.parametrize(
    ("tune", "kind", "wanted"),
    [
        ("full", TextReader, 22_565_376),
        ("last_n", TextReader, 2 * 1_774_464),
        ("frozen", TextReader, 0),
        ("frozen", TokensReader, 0),
    ],
)
def test_minilm_tune(tune: str, kind: type[TextReader], wanted: int) -> None:
    made = config.Tokens if kind is TokensReader else config.Text
    options = made(encoder="minilm", tune=tune)
    reader = kind.fit("note", options, Cells({"note": NOTES}))
    encoder = TextEncoder(reader, options, 24, pretrained=False).eval()
    assert trainable(encoder.trunk) == wanted
    assert encoder.frozen == (tune == "frozen")
    values = read(reader, NOTES)
    features = encoder.features(values)
    pooled = tune == "frozen" and kind is TextReader
    assert features["features"].shape[1:] == (1 if pooled else values["ids"].shape[1], 384)
    assert set(features) - {"features"} == (
        set() if pooled else {"mask", "shape"} | ({"words"} if kind is TokensReader else set())
    )
    check_alone(encoder, reader, NOTES)


def test_minilm_places_like_beside_like() -> None:
    """The weights are MiniLM's: cosines that the model is known for."""
    texts = [
        "bearing overheating, replaced seal",
        "the spindle bearing ran hot and was exchanged",
        "quarterly earnings rose by four percent",
    ]
    options = config.Text(encoder="minilm", tune="frozen")
    reader = TextReader.fit("note", options, Cells({"note": texts}))
    encoder = TextEncoder(reader, options, 24, pretrained=True)
    z_BF = encoder.features(read(reader, texts))["features"].squeeze(1)
    z_BF = torch.nn.functional.normalize(z_BF, dim=1)
    cosines = z_BF[0] @ z_BF[1:].T
    assert cosines[0] == pytest.approx(0.53, abs=0.02)
    assert cosines[1] == pytest.approx(-0.01, abs=0.03)


def folder_of(model: Any, tmp_path: Path, reader: TextReader) -> tuple[str, TextReader]:
    """Save a model; the reader stands in for its tokenizer."""
    with quiet():
        model.save_pretrained(tmp_path)
    return f"hf:{tmp_path}", reader


MODELS = {
    "bert": lambda: t.BertModel(t.BertConfig(**SMALL)),
    "roberta": lambda: t.RobertaModel(t.RobertaConfig(**SMALL)),
    "electra": lambda: t.ElectraModel(t.ElectraConfig(**SMALL, embedding_size=8)),
    "albert": lambda: t.AlbertModel(t.AlbertConfig(**SMALL, embedding_size=8)),
    "deberta": lambda: t.DebertaV2Model(
        t.DebertaV2Config(**SMALL, relative_attention=True, pos_att_type=["c2p", "p2c"])
    ),
    "clip": lambda: t.CLIPTextModel(
        t.CLIPTextConfig(**SMALL | {"bos_token_id": 1, "eos_token_id": 2})
    ),
}


@pytest.mark.parametrize("family", MODELS)
def test_transformers_folders(family: str, tmp_path: Path) -> None:
    with quiet():
        model = MODELS[family]()
    place, reader = folder_of(model, tmp_path, scratch_reader())
    encoder = build(place, reader)
    check_alone(encoder, reader, NOTES)
    described = json.loads(json.dumps(encoder.trunk_config))
    again = TextEncoder(
        reader, config.Text(encoder=place), 24, pretrained=False, trunk_config=described
    )
    again.load_state_dict(encoder.state_dict())
    values = read(reader, NOTES)
    close(encode(again.eval(), values).summary_BD, encode(encoder, values).summary_BD)


@pytest.mark.parametrize("family", ["bert", "electra", "albert", "deberta", "clip"])
@torch.no_grad()
def test_states_are_transformers(family: str, tmp_path: Path) -> None:
    with quiet():
        model = MODELS[family]().eval()
    place, reader = folder_of(model, tmp_path, scratch_reader())
    trunk = load_trunk("text", place).module.eval()
    values = read(reader, NOTES)
    given = (trunk, values["ids"], values["mask"], None)
    ours = run_tower(*given)[0] if family == "clip" else run_trunk(*given)
    theirs = model(input_ids=values["ids"], attention_mask=values["mask"].long()).last_hidden_state
    close(ours[values["mask"]], theirs[values["mask"]])


def test_tokenizer_and_model_must_belong_together(tmp_path: Path) -> None:
    small = SMALL | {"vocab_size": 12}
    place, reader = folder_of(t.BertModel(t.BertConfig(**small)), tmp_path, scratch_reader())
    with pytest.raises(JobError, match=r"columns.note: the tokenizer of .* its model 12"):
        build(place, reader)


def test_training_reaches_trunk_and_case(tmp_path: Path) -> None:
    place, reader = folder_of(t.BertModel(t.BertConfig(**SMALL)), tmp_path, scratch_reader())
    encoder = build(place, reader).train()
    tokens = encode(encoder, read(reader, NOTES))
    tokens.summary_BD.sum().backward()
    assert encoder.shape_CF.weight.grad.abs().sum() > 0
    assert encoder.trunk.get_input_embeddings().weight.grad.abs().sum() > 0
