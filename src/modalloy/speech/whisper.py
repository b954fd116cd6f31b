"""Whisper tiny.en from recordings to text (Radford et al. 2022, 2212.04356)."""

import json
import zlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from modalloy.model.decoders.decoder import Decoder, Going, Memory, cache_name
from modalloy.model.decoders.search import Manner, write
from modalloy.model.trunks.logmel import log_mel, whisper_scale
from modalloy.model.trunks.pretrained import read_whisper
from modalloy.model.trunks.whisper import RATE_HZ, TINY_EN

WINDOW_S = 30  # Whisper hears so many seconds, silence behind the recording included
MOST = 224  # pieces of a window's text: half of what it was trained with, as in OpenAI's code
END, START, PLAIN = 50256, 50257, 50362  # end of text; start of transcript; without times
AT_ONCE = 4  # windows that go through the network together
LOOPED = 2.4  # times that a text can be packed smaller from which it repeats itself, as in theirs
APART = 3  # pieces in a row that then may not stand twice
SILENT = 1e-4  # loudest sample, of the full scale, below which nothing is said


@dataclass
class WhisperGoing:
    """What the network keeps of the recording and of the words that stand already."""

    heard_BTF: Tensor
    cache: Any

    def take(self, index_N: Tensor) -> Self:
        """Some of the texts."""
        self.cache.reorder_cache(index_N)
        return type(self)(self.heard_BTF[index_N], self.cache)


class WhisperDecoder(Decoder):
    """The words of a recording one piece after the other, given the encoder's states of it."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__(PLAIN)
        self.decoder = decoder

    def forward(self, memory: Memory, y_BL: Tensor) -> Tensor:
        """(B, L, V)."""
        start_B1 = y_BL.new_full((len(y_BL), 1), START)
        ids_BL = torch.cat([start_B1, self.shifted(y_BL)], 1)
        out = self.decoder(input_ids=ids_BL, encoder_hidden_states=memory.x_BTD, use_cache=False)
        return self.foretold(out.last_hidden_state)[:, 1:]

    def begin(self, memory: Memory) -> WhisperGoing:
        """After the piece that starts every transcript."""
        from transformers import DynamicCache, EncoderDecoderCache

        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        going = WhisperGoing(memory.x_BTD, cache)
        self.step(going, torch.full((memory.rows,), START, device=memory.x_BTD.device))
        return going

    def step(self, going: Going, ids_N: Tensor) -> Tensor:
        """(N, V)."""
        assert isinstance(going, WhisperGoing)
        kept = {cache_name(self.decoder): going.cache}
        out = self.decoder(
            input_ids=ids_N.unsqueeze(1),
            encoder_hidden_states=going.heard_BTF,
            use_cache=True,
            **kept,
        )
        return self.foretold(out.last_hidden_state[:, -1])

    def foretold(self, x_F: Tensor) -> Tensor:
        """Of the next piece; the output's weights are the pieces' vectors."""
        return x_F @ self.decoder.get_parameter("embed_tokens.weight").T


class Whisper:
    """The network, read once. JobError where its package is not there or not the one we know."""

    rate_hz = RATE_HZ

    def __init__(self) -> None:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperDecoder as Words
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        encoder, decoder, folder = read_whisper()
        settings = WhisperConfig(
            **TINY_EN,
            vocab_size=len(decoder["embed_tokens.weight"]),
            decoder_layers=4,
            decoder_attention_heads=6,
            decoder_ffn_dim=1536,
            max_target_positions=len(decoder["embed_positions.weight"]),
            pad_token_id=END,
            bos_token_id=END,
            eos_token_id=END,
            decoder_start_token_id=START,
        )
        self.encoder = WhisperEncoder(settings).eval().requires_grad_(False)
        words = Words(settings).eval().requires_grad_(False)
        self.encoder.load_state_dict(encoder)
        words.load_state_dict(decoder)
        self.decoder = WhisperDecoder(words).eval()
        self.pieces = Tokenizer.from_file(str(folder / "tokenizer.json"))
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        silent = set(told["suppress_ids"]) | set(range(START, len(decoder["embed_tokens.weight"])))
        self.manner = Manner(MOST, END, tuple(sorted(silent - {END})), least=1)

    @torch.no_grad()
    def texts(self, waves: list[np.ndarray]) -> list[str]:
        """What is said in each recording, mono samples at `rate_hz`; "" in one without a sound.

        Recordings longer than half a minute are heard in windows of that length. A window whose
        text repeats itself, as in noise it may without end, is written again without repetitions;
        OpenAI's code draws by chance then.
        """
        windows = [(i, part) for i, wave in enumerate(waves) for part in cut(wave)]
        said: list[list[str]] = [[] for _ in waves]
        for start in range(0, len(windows), AT_ONCE):
            some = windows[start : start + AT_ONCE]
            heard = self.hear(np.stack([part for _, part in some]))
            memory = Memory(heard, torch.ones(heard.shape[:2], dtype=torch.bool))
            texts = self.written(memory, self.manner)
            if loops := [k for k, text in enumerate(texts) if repeats_itself(text)]:
                index = torch.tensor(loops)
                again = Memory(heard[index], memory.mask_BT[index])
                for k, text in zip(
                    loops, self.written(again, self.manner._replace(apart=APART)), strict=True
                ):
                    texts[k] = text
            for (i, _), text in zip(some, texts, strict=True):
                said[i].append(text)
        return [" ".join(filter(None, parts)) for parts in said]

    def written(self, memory: Memory, manner: Manner) -> list[str]:
        """The text of each window."""
        ids_BL = write(self.decoder, memory, manner, None).ids_BL
        return [self.pieces.decode(ids_L[ids_L >= 0].tolist()).strip() for ids_L in ids_BL]

    def hear(self, wave_BL: np.ndarray) -> Tensor:
        """States of half a minute each, (B, T, F)."""
        waves = torch.from_numpy(wave_BL)
        length = torch.full((len(waves),), waves.shape[1])
        mel = log_mel(waves, length, rate_hz=RATE_HZ, n_mels=80, n_fft=400, hop=160)
        return self.encoder(whisper_scale(mel)).last_hidden_state


def repeats_itself(text: str) -> bool:
    """Whether a text packs so well that it says the same again and again."""
    data = text.encode()
    return len(data) > LOOPED * len(zlib.compress(data)) if data else False


def cut(wave: np.ndarray) -> list[np.ndarray]:
    """Windows of half a minute, silence behind the last; none of a recording without a sound."""
    if np.abs(wave).max(initial=0.0) < SILENT:
        return []
    size = WINDOW_S * RATE_HZ
    parts = [wave[i : i + size] for i in range(0, len(wave), size)]
    parts = [part for part in parts if np.abs(part).max(initial=0.0) >= SILENT]
    return [np.pad(part, (0, size - len(part))).astype(np.float32) for part in parts]
