"""How each kind of sound network is run: states over time from recordings."""

from typing import TYPE_CHECKING, NamedTuple, TypeGuard, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modalloy.model.trunks.cnn import Cnn
from modalloy.model.trunks.logmel import (
    every_nth,
    in_length,
    log_mel,
    mask_stripes,
    whisper_scale,
)
from modalloy.model.trunks.trunk import model_type
from modalloy.model.trunks.whisper import whisper_frames, whisper_states

if TYPE_CHECKING:
    from transformers import Wav2Vec2Config, Wav2Vec2Model
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

Samples = TypeVar("Samples", int, Tensor)

BANDS = 64
STAGES = {"small": ((32, 64, 128), (1, 1, 1)), "base": ((64, 128, 256), (2, 2, 2))}
HALVINGS = 4  # of time and of pitch in a network from scratch: its stem and three stages
LAYERS = 4  # layers whose states a frozen trunk keeps, evenly spaced


class Heard(NamedTuple):
    """States of B recordings; those where the mask is False are arbitrary."""

    states: list[Tensor]  # (B, T, F) after some layers, the last one last
    mask_BT: Tensor


class ScratchAudio(nn.Module):
    """Residual stages over log-mel frames 10 ms apart; a state each 160 ms holds all pitches."""

    def __init__(self, rate_hz: int, size: str) -> None:
        super().__init__()
        self.rate_hz = rate_hz
        self.hop = max(1, round(0.01 * rate_hz))
        # About 32 ms; never so short that a band of the scale falls between two lines.
        self.n_fft = max(256, 1 << round(0.032 * rate_hz).bit_length() - 1)
        widths, blocks = STAGES[size]
        self.net = Cnn(1, widths[0] // 2, widths, blocks)
        self.width = widths[-1] * (BANDS >> HALVINGS)

    def forward(self, wave_BL: Tensor, length_B: Tensor, augment: bool) -> Heard:
        """One state each 16 frames, (B, T, F)."""
        mel = log_mel(
            wave_BL,
            length_B,
            rate_hz=self.rate_hz,
            n_mels=BANDS,
            n_fft=self.n_fft,
            hop=self.hop,
        )
        frames_BMF = whisper_scale(mel)
        if augment:
            frames_BMF = mask_stripes(frames_BMF, mel.mask_BF)
        frames_BMF = frames_BMF * mel.mask_BF[:, None]
        last_BCMT = self.net(frames_BMF.unsqueeze(1), mel.mask_BF)[-1]
        states_BTF = last_BCMT.flatten(1, 2).transpose(1, 2)
        return Heard([states_BTF], every_nth(mel.mask_BF, 1 << HALVINGS, states_BTF.shape[1]))

    def steps(self, samples: int) -> int:
        """States of a recording of this many samples."""
        return -(-samples // (self.hop << HALVINGS))


def hear_whisper(
    trunk: "WhisperEncoder", wave_BL: Tensor, length_B: Tensor, augment: bool
) -> Heard:
    """States after up to four layers and after the last norm, 20 ms apart."""
    frames_BMF, mask_BF = whisper_frames(trunk, wave_BL, length_B)
    if augment:
        frames_BMF = mask_stripes(frames_BMF, mask_BF)
    states, mask_BT = whisper_states(trunk, frames_BMF, mask_BF)
    return Heard([*some(states[1:-1]), states[-1]], mask_BT)


def hear_wav2vec2(
    trunk: "Wav2Vec2Model", wave_BL: Tensor, length_B: Tensor, normalize: bool
) -> Heard:
    """States after up to four layers and the last one's again, 20 ms apart (Baevski et al. 2020).

    HuBERT (Hsu et al. 2021, arXiv 2106.07447) is built alike.
    transformers' own forward pass lets a row hear how far it was padded; this one does not.
    """
    least = fewest_samples(trunk.config)
    # A graph for export cannot choose by length; more silence than is needed changes nothing.
    missing = least if torch.compiler.is_exporting() else max(0, least - wave_BL.shape[1])
    wave_BL = F.pad(wave_BL, (0, missing))
    length_B = length_B.clamp_min(least)
    if normalize:
        wave_BL = normalized(wave_BL, length_B)
    x_BTF = waves_to_steps(trunk, wave_BL, length_B)
    mask_BT = in_length(steps_in(trunk.config, length_B), x_BTF.shape[1])
    encoder, stable = trunk.encoder, trunk.config.do_stable_layer_norm
    projected = trunk.feature_projection(x_BTF)  # HuBERT's gives one tensor, wav2vec2's two
    x_BTF = projected[0] if isinstance(projected, tuple) else projected
    x_BTF = x_BTF * mask_BT.unsqueeze(-1)
    x_BTF = x_BTF + encoder.pos_conv_embed(x_BTF)
    x_BTF = encoder.dropout(x_BTF if stable else encoder.layer_norm(x_BTF))
    seen_B1TT = mask_BT[:, None, None].expand(-1, 1, mask_BT.shape[1], -1)
    states = []
    for layer in encoder.layers:
        x_BTF = layer(x_BTF, attention_mask=seen_B1TT)
        states.append(x_BTF)
    return Heard([*some(states), encoder.layer_norm(x_BTF) if stable else x_BTF], mask_BT)


def is_whisper(trunk: nn.Module) -> TypeGuard["WhisperEncoder"]:
    """Whether a trunk of transformers is Whisper's encoder."""
    return model_type(trunk) == "whisper"


def is_wav2vec2(trunk: nn.Module) -> TypeGuard["Wav2Vec2Model"]:
    """Whether a trunk of transformers is wav2vec2, or HuBERT, which has the same parts."""
    return model_type(trunk) in ("wav2vec2", "hubert")


def waves_to_steps(trunk: "Wav2Vec2Model", wave_BL: Tensor, length_B: Tensor) -> Tensor:
    """The convolutions over samples, (B, T, F).

    Where their norm looks along time ("group"), rows of other lengths are taken apart; in a graph
    for export, which cannot part rows, the norm is told which steps are a row's own.
    """
    if trunk.config.feat_extract_norm == "layer":
        return trunk.feature_extractor(wave_BL).transpose(1, 2)
    if torch.compiler.is_exporting():
        return waves_to_steps_at_once(trunk, wave_BL, length_B)
    total = steps_in(trunk.config, wave_BL.shape[1])
    x_BTF = wave_BL.new_zeros(len(wave_BL), total, trunk.config.conv_dim[-1])
    for length in length_B.unique():
        rows = (length_B == length).nonzero().squeeze(1)
        part = trunk.feature_extractor(wave_BL[rows, : int(length)]).transpose(1, 2)
        x_BTF = x_BTF.index_copy(0, rows, F.pad(part, (0, 0, 0, total - part.shape[1])))
    return x_BTF


def waves_to_steps_at_once(trunk: "Wav2Vec2Model", wave_BL: Tensor, length_B: Tensor) -> Tensor:
    """The same for rows of all lengths together: after the first convolution alone there is a norm,
    one mean and deviation a row and channel.
    """
    first, *others = trunk.feature_extractor.conv_layers
    norm = first.get_submodule("layer_norm")
    assert isinstance(norm, nn.GroupNorm)
    x_BFT = first.get_submodule("conv")(wave_BL[:, None])
    count_B = (length_B - trunk.config.conv_kernel[0]) // trunk.config.conv_stride[0] + 1
    own_B1T, count_B11 = in_length(count_B, x_BFT.shape[2])[:, None], count_B[:, None, None]
    centred_BFT = x_BFT - (x_BFT * own_B1T).sum(2, keepdim=True) / count_B11
    variance_BF1 = (centred_BFT.square() * own_B1T).sum(2, keepdim=True) / count_B11
    scale_BF1 = (variance_BF1 + norm.eps).rsqrt() * norm.weight[:, None]
    x_BFT = first.get_submodule("activation")(centred_BFT * scale_BF1 + norm.bias[:, None])
    for layer in others:
        x_BFT = layer(x_BFT)
    return x_BFT.transpose(1, 2)


def normalized(wave_BL: Tensor, length_B: Tensor) -> Tensor:
    """Each recording with mean 0 and deviation 1 over its own samples, zero after its end."""
    mask_BL = in_length(length_B, wave_BL.shape[1])
    mean_B1 = (wave_BL * mask_BL).sum(1, keepdim=True) / length_B[:, None]
    centred_BL = (wave_BL - mean_B1) * mask_BL
    variance_B1 = centred_BL.square().sum(1, keepdim=True) / length_B[:, None]
    return centred_BL * (variance_B1 + 1e-7).rsqrt()


def fewest_samples(settings: "Wav2Vec2Config") -> int:
    """Samples that give wav2vec2 one step."""
    samples = 1
    for kernel, stride in zip(
        reversed(settings.conv_kernel), reversed(settings.conv_stride), strict=True
    ):
        samples = (samples - 1) * stride + kernel
    return samples


def steps_in(settings: "Wav2Vec2Config", samples: Samples) -> Samples:
    """Steps that wav2vec2 makes of so many samples."""
    for kernel, stride in zip(settings.conv_kernel, settings.conv_stride, strict=True):
        samples = (samples - kernel) // stride + 1
    return samples


def some(states: list[Tensor]) -> list[Tensor]:
    """At most `LAYERS` of them, evenly spaced, the last one among them."""
    count = min(LAYERS, len(states))
    return [states[round(len(states) * (i + 1) / count) - 1] for i in range(count)]
