"""Whisper's encoder over short clips: as transformers runs it over 30 s, without the padding."""

import pytest
import torch
from torch import nn

from modalloy.model.trunks.logmel import in_length
from modalloy.model.trunks.whisper import moments, whisper_frames, whisper_states


def tiny(positions: int = 40) -> nn.Module:
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    sizes = {"d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 2}
    config = WhisperConfig(
        **sizes, encoder_ffn_dim=32, num_mel_bins=8, max_source_positions=positions
    )
    return WhisperEncoder(config).eval()


@torch.no_grad()
def test_full_length_is_transformers() -> None:
    encoder = tiny()
    mel_BMF = torch.randn(2, 8, 80)
    states, mask_BT = whisper_states(encoder, mel_BMF, torch.ones(2, 80, dtype=torch.bool))
    theirs = encoder(mel_BMF, output_hidden_states=True)
    assert mask_BT.all()
    assert len(states) == 4  # front end, two layers, last norm
    torch.testing.assert_close(states[-1], theirs.last_hidden_state, atol=1e-5, rtol=0)
    for ours, wanted in zip(states[:2], theirs.hidden_states, strict=False):
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 2, 31])
def test_short_rows_are_as_they_are_alone(frames: int) -> None:
    encoder = tiny()
    mel_BMF = torch.randn(2, 8, 60)
    mask_BF = in_length(torch.tensor([60, frames]), 60)
    states, mask_BT = whisper_states(encoder, mel_BMF, mask_BF)
    alone, one_BT = whisper_states(encoder, mel_BMF[1:, :, :frames], mask_BF[1:, :frames])
    steps = -(-frames // 2)
    assert mask_BT[1].sum() == one_BT.sum() == steps
    for ours, wanted in zip(states, alone, strict=True):
        torch.testing.assert_close(ours[1, :steps], wanted[0], atol=1e-5, rtol=0)


@torch.no_grad()
def test_longer_than_the_table_is_cut() -> None:
    encoder = tiny(positions=10)
    frames, mask_BF = whisper_frames(encoder, torch.randn(1, 16_000), torch.tensor([16_000]))
    states, mask_BT = whisper_states(encoder, frames, mask_BF)
    assert frames.shape == (1, 8, 20)
    assert states[-1].shape == (1, 10, 16)
    assert mask_BT.shape == (1, 10)


def test_moments_count_only_what_exists() -> None:
    x_BTF = torch.randn(2, 5, 3, requires_grad=True)
    mask_BT = torch.tensor([[True] * 5, [True, False, False, False, False]])
    found = moments(x_BTF, mask_BT)
    torch.testing.assert_close(found[0, :3], x_BTF[0].mean(0))
    torch.testing.assert_close(found[0, 3:], x_BTF[0].std(0, correction=0), atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1, :3], x_BTF[1, 0])
    assert found[1, 3:].abs().max() < 1e-3
    found.sum().backward()
    assert x_BTF.grad.isfinite().all()
    assert (x_BTF.grad[1, 1:] == 0).all()
