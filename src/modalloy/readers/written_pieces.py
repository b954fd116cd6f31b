"""The pieces that a decoder writes with: learned here, from a folder or from a pip package."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.readers.smollm2 import smollm2_network, smollm2_tokenizer
from modalloy.readers.tokenizer import find_file, load_tokenizer

START, END = "[START]", "[END]"
CAUSAL = ("ForCausalLM", "LMHeadModel")  # how transformers names classes that write from left


PLACES = ("max_position_embeddings", "n_positions")  # names that families give them


class Pieces(NamedTuple):
    """A tokenizer as JSON, the numbers of its start and its end, and the configuration of the
    pretrained network that goes with it, as JSON; "" for one from scratch.
    """

    tokenizer: str
    start: int
    end: int
    network: str = ""


def pieces_of(options: config.Generate, texts: Iterable[str]) -> Pieces:
    """The pieces of a decoder. texts: what training rows answer.

    JobError where a folder holds no causal language model, or a package is not installed.
    """
    if options.decoder == "scratch":
        return Pieces(learn_bytes(texts, options.vocabulary), 0, 1)
    if options.decoder == "smollm2":
        network = smollm2_network()
        tokenizer = smollm2_tokenizer()
    else:
        where = options.decoder.removeprefix("hf:").strip()
        network = causal_config(where)
        tokenizer = load_tokenizer(where, "decoder")
    end = first_of(network.get("eos_token_id"))
    if end is None:
        raise JobError(
            f"decoder {options.decoder}: its config.json names no eos_token_id, so nothing says "
            "where a text ends; add the number of the piece that ends one"
        )
    start = first_of(network.get("bos_token_id"))
    begin = end if start is None else start
    return Pieces(tokenizer.to_str(), begin, end, json.dumps(network))


def learn_bytes(texts: Iterable[str], vocabulary: int) -> str:
    """Byte pairs learned from texts (Sennrich et al. 2016, 1508.07909): pieces join to exactly the
    text that they came from, and single bytes write whatever is in no training answer.

    Numbers 0 and 1 are the start and the end of a text.
    """
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=[START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer.to_str()


def causal_config(where: str) -> dict[str, Any]:
    """`config.json` of a folder; JobError where it is of no causal language model."""
    path = find_file(where, "config.json", "decoder")
    if path is None:
        raise JobError(
            f"decoder hf:{where}: there is no config.json; give the folder that save_pretrained "
            "wrote"
        )
    try:
        network = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise JobError(f"decoder hf:{where}: {path} is no JSON: {error}") from error
    classes = network.get("architectures") or []
    if not any(str(name).endswith(CAUSAL) for name in classes):
        held = " and ".join(map(str, classes)) or f"a {network.get('model_type', 'nameless')} model"
        raise JobError(
            f"decoder hf:{where}: holds {held}, which writes no text from left to right; give the "
            "folder of a causal language model, such as LlamaForCausalLM"
        )
    return network


def places_of(network: Mapping[str, Any]) -> int | None:
    """How many pieces a network can read in a row, by its configuration; None where it says not."""
    settings = network.get("text_config") or network
    found = [settings.get(name) for name in PLACES]
    places = next((n for n in found if isinstance(n, int)), None)
    # RoBERTa and its kin count positions from the padding id + 1.
    skipped = 2 if "roberta" in str(settings.get("model_type", "")) else 0
    return None if places is None else places - skipped


def first_of(number: Any) -> int | None:
    """The only or the first number of a setting that may hold several."""
    return number[0] if isinstance(number, list) and number else number


def unwritable(
    tokenizer: Tokenizer, names: Sequence[str], most: int, never: Collection[int]
) -> str:
    """Why one of these texts cannot be written with these pieces, "" where all can.

    most: pieces of an answer. never: pieces that stand in no text, the end among them.
    """
    seen: dict[tuple[int, ...], str] = {}
    unknown = unknown_piece(tokenizer)
    for name in names:
        ids = tokenizer.encode(name, add_special_tokens=False).ids
        if not ids or unknown in ids:
            return f"its vocabulary has no pieces for {name!r:.60}"
        mark = next((i for i in ids if i in never), None)
        if mark is not None:
            return f"to its vocabulary {name!r:.60} holds the mark {tokenizer.id_to_token(mark)!r}"
        if len(ids) > most:
            return f"{name!r:.60} takes {len(ids)} pieces, and max_tokens is {most}"
        other = seen.setdefault(tuple(ids), name)
        if other != name:
            return f"its vocabulary writes {other!r:.60} and {name!r:.60} with the same pieces"
    return ""


def unknown_piece(tokenizer: Tokenizer) -> int | None:
    """The number of the piece that stands for what has none."""
    model = json.loads(tokenizer.to_str())["model"]
    name = model.get("unk_token")
    if name is None and isinstance(model.get("unk_id"), int):
        return model["unk_id"]
    return None if name is None else tokenizer.token_to_id(name)
