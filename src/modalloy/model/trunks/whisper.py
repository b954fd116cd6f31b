"""Whisper's encoder for recordings of any length.

transformers' WhisperEncoder wants exactly 30 s and hears the padding. Here its layers run over the
frames that exist, with the first positions of its table, and no row hears another's padding.
"""

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from modalloy.model.trunks.logmel import every_nth, log_mel, whisper_scale

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

RATE_HZ = 16_000
TINY_EN = {  # dimensions of the encoder of openai/whisper-tiny.en
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}


def tiny_en() -> "WhisperEncoder":
    """The encoder of Whisper tiny.en (8.2 M parameters), with random weights."""
    # Seconds of import that other jobs never need.
    from transformers import WhisperConfig
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    config = WhisperConfig(**TINY_EN)
    return WhisperEncoder(config)


def whisper_states(
    encoder: "WhisperEncoder", mel_BMF: Tensor, mask_BF: Tensor
) -> tuple[list[Tensor], Tensor]:
    """States after the front end, after each layer, and after the last norm: each (B, T, F).

    mel_BMF: frames in Whisper's scale, 10 ms apart; mask_BF says which exist. Also gives mask_BT,
    T = ceil(frames / 2), 20 ms apart. States at places that do not exist are arbitrary.
    """
    mask_B1F = mask_BF[:, None]
    x_BFT = F.gelu(encoder.conv1(mel_BMF * mask_B1F)) * mask_B1F
    x_BTF = F.gelu(encoder.conv2(x_BFT)).transpose(1, 2)
    steps = min(x_BTF.shape[1], encoder.max_source_positions)
    x_BTF, mask_BT = x_BTF[:, :steps], every_nth(mask_BF, 2, steps)
    x_BTF = x_BTF + encoder.embed_positions.weight[:steps]
    states = [x_BTF]
    for layer in encoder.layers:
        x_BTF = layer(x_BTF, mask_BT[:, None, None, :].expand(-1, 1, steps, -1))
        states.append(x_BTF)
    return [*states, encoder.layer_norm(x_BTF)], mask_BT


def whisper_frames(
    encoder: "WhisperEncoder", wave_BL: Tensor, length_B: Tensor
) -> tuple[Tensor, Tensor]:
    """Frames of 16 kHz recordings in Whisper's scale and their mask; at most the 30 s it knows."""
    most = 2 * encoder.max_source_positions * 160
    wave_BL = wave_BL[:, :most] if wave_BL.shape[1] > most else wave_BL
    mel = log_mel(
        wave_BL,
        length_B.clamp(max=most),
        rate_hz=RATE_HZ,
        n_mels=encoder.num_mel_bins,
        n_fft=400,
        hop=160,
    )
    return whisper_scale(mel), mel.mask_BF


def moments(x_BTF: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean and standard deviation over the times that exist, (B, 2 F)."""
    weight_BT1 = mask_BT.unsqueeze(-1).to(x_BTF.dtype)
    count_B1 = weight_BT1.sum(1).clamp_min(1.0)
    mean_BF = (x_BTF * weight_BT1).sum(1) / count_B1
    variance_BF = ((x_BTF - mean_BF[:, None]).square() * weight_BT1).sum(1) / count_B1
    # The small addend keeps the root's gradient finite where a row has a single frame.
    return torch.cat([mean_BF, (variance_BF + 1e-8).sqrt()], dim=1)
