"""Recordings to tokens: from scratch, Whisper and wav2vec2; each row as it is alone."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import transformers as t
from torch import Tensor

from modalloy.cells.cells import Cells
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.model.encoders.audio import AudioEncoder, average
from modalloy.model.tokens import Tokens
from modalloy.model.trunks.audio_trunks import ScratchAudio, hear_wav2vec2, some
from modalloy.model.trunks.huggingface import load_trunk, quiet
from modalloy.model.trunks.logmel import mel_filters
from modalloy.readers.audio import AudioReader

LENGTHS = (8000, 3001, 90)


def build(
    encoder: str, *, rate_hz: int = 16_000, seconds: float = 0.5, pretrained: bool = False, **o: Any
) -> AudioEncoder:
    options = config.Audio(encoder=encoder, rate_hz=rate_hz, seconds=seconds, **o)
    reader = AudioReader("sound", rate_hz, seconds)
    return AudioEncoder(reader, options, 24, pretrained=pretrained).eval()


def sounds(lengths: tuple[int, ...] = LENGTHS) -> dict[str, Tensor]:
    wave_BL = torch.zeros(len(lengths), max(lengths))
    for row, length in enumerate(lengths):
        wave_BL[row, :length] = 0.2 * torch.randn(length)
    return {"wave": wave_BL, "length": torch.tensor(lengths)}


def encode(encoder: AudioEncoder, values: dict[str, Tensor]) -> Tokens:
    return encoder(values, torch.ones(len(values["length"]), dtype=torch.bool))


def check_alone(encoder: AudioEncoder, values: dict[str, Tensor], atol: float = 1e-5) -> None:
    """A row's tokens are those of a batch of its own, without padding."""
    with torch.no_grad():
        together = encode(encoder, values)
        for row, length in enumerate(values["length"]):
            one = {
                "wave": values["wave"][row : row + 1, :length],
                "length": values["length"][row : row + 1],
            }
            alone = encode(encoder, one)
            count = alone.x_BTD.shape[1]
            assert alone.mask_BT.all()
            assert together.mask_BT[row].sum() == count
            close(together.x_BTD[row, :count], alone.x_BTD[0], atol)
            close(together.summary_BD[row], alone.summary_BD[0], atol)


def close(a: Tensor, b: Tensor, atol: float = 1e-5) -> None:
    torch.testing.assert_close(a, b, atol=atol, rtol=1e-5)


def trainable(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.requires_grad)


def save(model: Any, folder: Path) -> str:
    with quiet():
        model.save_pretrained(folder)
    return f"hf:{folder}"


def wav2vec2(norm: str, *, stable: bool) -> t.Wav2Vec2Model:
    return t.Wav2Vec2Model(
        t.Wav2Vec2Config(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            conv_dim=[8] * 7,
            num_conv_pos_embeddings=8,
            num_conv_pos_embedding_groups=2,
            feat_extract_norm=norm,
            do_stable_layer_norm=stable,
        )
    ).eval()


def hubert(norm: str, *, stable: bool) -> t.HubertModel:
    settings = wav2vec2(norm, stable=stable).config.to_dict()
    known = t.HubertConfig().to_dict().keys() - {"model_type", "architectures"}
    return t.HubertModel(t.HubertConfig(**{k: settings[k] for k in known & settings.keys()})).eval()


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


@pytest.mark.parametrize(("size", "rate_hz"), [("small", 16_000), ("base", 4000)])
def test_from_scratch(size: str, rate_hz: int) -> None:
    encoder = build("scratch", rate_hz=rate_hz, seconds=2.0, size=size)
    tokens = encode(encoder, sounds())
    assert tokens.x_BTD.shape[1] == -(-8000 // (rate_hz // 100 * 16))
    assert encoder.trunk is None
    check_alone(encoder, sounds())


@pytest.mark.parametrize("rate_hz", [1000, 8000, 16_000, 44_100, 192_000])
def test_no_band_is_deaf(rate_hz: int) -> None:
    net = ScratchAudio(rate_hz, "small")
    assert (mel_filters(rate_hz, net.n_fft, 64).sum(1) > 0).all()
    assert net.n_fft / rate_hz >= 0.02


@pytest.mark.parametrize(
    ("tune", "wanted"), [("full", 8_208_384), ("last_n", 2 * 1_774_080), ("frozen", 0)]
)
def test_whisper_tune(tune: str, wanted: int) -> None:
    encoder = build("whisper_tiny_en", tune=tune)
    assert trainable(encoder.trunk) == wanted
    assert encoder.frozen == (tune == "frozen")
    features = encoder.features(sounds())
    expected = (3, 4, 768) if tune == "frozen" else (3, 25, 384)
    assert features["features"].shape == expected
    check_alone(encoder, sounds())


def test_tokens_are_few_and_do_not_depend_on_the_batch() -> None:
    encoder = build("whisper_tiny_en", seconds=30.0, tune="last_n")
    assert encoder.span == 24
    tokens = encode(encoder, sounds())
    assert tokens.mask_BT.sum(1).tolist() == [2, 1, 1]
    check_alone(encoder, sounds())


def test_average_is_over_what_exists() -> None:
    x_BTF = torch.arange(5.0).reshape(1, 5, 1)
    mask_BT = torch.tensor([[True, True, True, False, False]])
    mean, kept = average(x_BTF, mask_BT, 2)
    assert mean.flatten().tolist() == [0.5, 2.0, 0.0]
    assert kept.tolist() == [[True, True, False]]


def test_another_rate_is_refused() -> None:
    with pytest.raises(JobError, match=r"columns.sound.rate_hz: whisper_tiny_en hears 16000"):
        build("whisper_tiny_en", rate_hz=8000)


def test_features_from_the_cache_say_the_same() -> None:
    encoder = build("whisper_tiny_en", tune="frozen", pretrained=True)
    values, present = sounds(), torch.tensor([True, False, True])
    cached = {k: v.detach() for k, v in encoder.features(values).items()}
    encoder.train()
    encoder(cached, present)
    assert encoder.scale.seen == 2
    encoder.eval()
    direct, later = encoder(values, present), encoder(cached, present)
    close(direct.x_BTD, later.x_BTD, 1e-4)
    close(direct.summary_BD, later.summary_BD, 1e-4)


@pytest.mark.shared
def test_frozen_whisper_knows_digits_of_an_unheard_speaker(shared: Path) -> None:
    """A linear probe on the kept layers; with any weight in the wrong place it guesses."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = pd.read_csv(shared / "av_digits" / "table.csv")
    table = table[table["take"] < 6]
    reader = AudioReader("audio", 16_000, 1.0)
    values = reader.read(Cells({"audio": list(table["audio"])}, shared / "av_digits")).values
    encoder = build("whisper_tiny_en", tune="frozen", pretrained=True, seconds=1.0)
    wave_BL, length_B = (torch.from_numpy(values[k]) for k in ("wave", "length"))
    with torch.inference_mode():
        batches = zip(wave_BL.split(60), length_B.split(60), strict=True)
        parts = [encoder.features({"wave": w, "length": n})["features"] for w, n in batches]
    z_BF = torch.cat(parts).flatten(1).numpy()
    heard = (table["speaker"] != "theo").to_numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
    probe.fit(z_BF[heard], table["digit"][heard])
    assert probe.score(z_BF[~heard], table["digit"][~heard]) > 0.9


@pytest.mark.parametrize("make", [wav2vec2, hubert])
@pytest.mark.parametrize(("norm", "stable"), [("group", False), ("layer", True)])
@torch.no_grad()
def test_wav2vec2_is_transformers(make: Any, norm: str, stable: bool, tmp_path: Path) -> None:
    model = make(norm, stable=stable)
    trunk = load_trunk("audio", save(model, tmp_path)).module.eval()
    wave_BL = torch.randn(2, 4000)
    lengths = torch.tensor([4000, 4000])
    heard = hear_wav2vec2(trunk, wave_BL, lengths, normalize=False)
    theirs = model(wave_BL, output_hidden_states=True)
    assert heard.mask_BT.all()
    close(heard.states[-1], theirs.last_hidden_state)
    extractor = t.Wav2Vec2FeatureExtractor(do_normalize=True)
    scaled = extractor(list(wave_BL.numpy()), sampling_rate=16_000, return_tensors="pt")
    ours = hear_wav2vec2(trunk, wave_BL, lengths, normalize=True).states[-1]
    close(ours, model(scaled["input_values"]).last_hidden_state, 1e-4)


@pytest.mark.parametrize("family", ["group", "layer", "hubert", "whisper"])
@pytest.mark.parametrize("tune", ["full", "frozen"])
def test_transformers_folders(family: str, tune: str, tmp_path: Path) -> None:
    makers = {"whisper": whisper, "hubert": lambda: hubert("group", stable=False)}
    model = makers.get(family, lambda: wav2vec2(family, stable=family == "layer"))()
    place = save(model, tmp_path)
    encoder = build(place, pretrained=True, tune=tune)
    check_alone(encoder, sounds())
    described = json.loads(json.dumps(encoder.trunk_config))
    again = AudioEncoder(
        AudioReader("sound", 16_000, 0.5),
        config.Audio(encoder=place, tune=tune),
        24,
        pretrained=False,
        trunk_config=described,
    )
    again.load_state_dict(encoder.state_dict())
    values = sounds()
    close(encode(again.eval(), values).summary_BD, encode(encoder, values).summary_BD)
    encoder.train()
    tokens = encode(encoder, values)
    (tokens.summary_BD.sum() + tokens.x_BTD.sum()).backward()
    unused = {n for n, p in encoder.named_parameters() if p.requires_grad and p.grad is None}
    assert unused == {"absent_D"}


def test_stripes_are_for_training_alone() -> None:
    values = sounds((16_000,))
    for augment, same in (("mask", False), ("none", True)):
        encoder = build("whisper_tiny_en", augment=augment)
        encoder.train()
        found = [encoder.features(values)["features"] for _ in range(2)]
        assert torch.equal(*found) is same
        encoder.eval()
        assert torch.equal(*(encoder.features(values)["features"] for _ in range(2)))


def test_layers_are_evenly_spaced() -> None:
    layers = list(torch.arange(12))
    assert [int(x) for x in some(layers)] == [2, 5, 8, 11]
    assert [int(x) for x in some(layers[:8])] == [1, 3, 5, 7]
    assert len(some(layers[:3])) == 3
