"""Floating-point operations and bytes of one row in each encoder and fusion."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, assert_never

import numpy as np

from modalloy.cells.cells import Cells, empty
from modalloy.errors import TableError
from modalloy.job import config
from modalloy.media.blob import File
from modalloy.media.media import open_image, source_of
from modalloy.media.resonance_sizes import lines_for
from modalloy.media.sound import read_audio
from modalloy.readers.text import to_words

FILES = 16  # files that are opened for their size and time
LETTERS = 4.2  # of a word piece
WORDS = {"small": (128, 2), "base": (256, 4)}  # width and layers of texts from scratch
MINILM = (384, 6)
WHISPER = (384, 4)
BERT = (768, 12)
PADDED = 1.2  # texts of one batch are as long as the longest of them
LITES = {  # FLOP a pixel, parameters
    "efficientnet_lite0": (15_700.0, 4.2e6),
    "efficientnet_lite1": (18_900.0, 5.0e6),
    "efficientnet_lite2": (23_200.0, 5.7e6),
}
LITE_BLOCKS = 16
CNNS = {"small": (9_500.0, 1e6), "base": (38_000.0, 4e6)}  # FLOP a pixel, parameters
LEAST_AREA = 56.0**2  # pixels: smaller pictures are halved less often
STRIDED = {"small": (64, 3), "base": (128, 5)}  # width and dilated layers of series from scratch
FRONT = 400.0  # for each sample and octave of a fixed front: transforms are slow for their FLOP
RANDOM = {"minirocket": 5e4, "hydra": 1e5}  # for each sample of a front of random convolutions
BESIDE = 0.03  # parameters that adapters have, for each of the network
BACK = 0.6  # of the work of learning, what is left where weights themselves have no gradient
HEADS = 3e6  # FLOP of a series' layers after its fronts
MOST_TOKENS = 64.0
CELL = {"small": 12, "base": 32}  # numbers that a plain cell becomes
BINS = 25  # weights of a plain cell's embedding for each of these


class Work(NamedTuple):
    """One input: its kind, GFLOP of one row forward, parameters, seconds to read a row once.

    changed: share of its blocks that training changes; 0 for a frozen trunk, which runs once.
    tokens: what it hands to the fusion. words: parameters of its word table, of which a step
    changes only a few rows. beside: small parts learn beside its layers, and nothing else.
    """

    kind: str
    gflop: float
    parameters: float
    read_s: float = 0.0
    changed: float = 1.0
    tokens: float = 1.0
    words: float = 0.0
    beside: bool = False

    @property
    def changing(self) -> float:
        """Parameters that training changes, but for the word table."""
        own = self.parameters - self.words
        return own * (BESIDE if self.beside else self.changed)


def work(name: str, options: config.Column, cells: Cells) -> Work | None:
    """The work of one input; None for tabular columns and vectors, which cost next to nothing.

    cells: a sample of the table columns that the input reads.
    """
    match options:
        case config.Text():
            return _text(name, options, cells)
        case config.Image():
            return _image(name, options, cells)
        case config.Audio():
            return _audio(name, options, cells)
        case config.Series():
            return _series(name, options, cells)
        case _:
            return None


def tabular_weights(options: config.Tabular, width: float) -> float:
    """Parameters of one number, category or time: its embedding, its token and its way inward."""
    size = CELL[options.size]
    return size * (2.0 * width + BINS) + width


def fusion_work(
    fuse: config.Fuse, works: list[Work], tabular: int, plain_parameters: float = 0.0
) -> Work:
    """The work of joining all inputs; `plain` columns are a token each and one input together.

    plain_parameters: of these columns; they change in every step, which of thousands takes longer
    than computing with them.
    """
    many, width = len(works) + (tabular > 0), float(fuse.width)
    tokens = 1 + many + tabular + sum(w.tokens for w in works)
    match fuse:
        case config.Attention() | config.Bottleneck():
            flop = tokens * fuse.layers * (24 * width**2 + 4 * tokens * width)
            weights = 12 * fuse.layers * width**2
        case config.Tabm():
            flop = 2 * fuse.members * width**2 * (many + fuse.layers)
            weights = width**2 * (many + fuse.layers)
        case config.Multilinear():
            flop = 2 * many * fuse.rank * width**2
            weights = many * fuse.rank * width**2
        case config.Concat() | config.Sum() | config.Gated():
            weights = width**2 * (many + 8 * fuse.layers)
            flop = 2 * weights
        case _:
            assert_never(fuse)
    # Each input's projections and embeddings are of the same size as joining them.
    weights += many * width**2 + plain_parameters
    return Work("fusion", (flop + 2 * tokens * width**2) / 1e9, weights)


def _text(name: str, options: config.Text, cells: Cells) -> Work:
    texts = [_joined(cell) for cell in cells[name] if not empty(cell)]
    pieces = [min(options.max_tokens, 2 + len(text) / LETTERS) for text in texts]
    tokens = PADDED * float(np.mean(pieces)) if pieces else 2.0
    match options.encoder:
        case "scratch":
            size = WORDS[options.size]
            return _transformer(options, tokens, size, vocabulary=options.vocabulary)
        case "minilm":
            return _transformer(options, tokens, MINILM, vocabulary=30_522)
        case folder:
            return _transformer(options, tokens, _described(folder), vocabulary=30_522)


def _joined(cell: Any) -> str:
    words = to_words(cell)
    return words if isinstance(words, str) else " ".join(words)


def _image(name: str, options: config.Image, cells: Cells) -> Work:
    side = (options.pixels, options.pixels)

    def read(path: File) -> float:
        open_image(path, options.pixels).resize(side)
        return 0.0

    _, read_s = _timed(name, cells, read)
    area = float(options.pixels**2)
    if options.encoder == "scratch":
        flop, weights = CNNS[options.size]
        gflop = max(area, LEAST_AREA) * flop / 1e9
        return Work("cnn", gflop, weights, read_s, tokens=min(MOST_TOKENS, area / 16**2))
    if options.encoder in LITES:
        flop, weights = LITES[options.encoder]
        changed = _changed(options, LITE_BLOCKS)
        tokens = min(MOST_TOKENS, area / 32**2) if changed else 1.0
        return Work("efficientnet", area * flop / 1e9, weights, read_s, changed, tokens)
    return _transformer(options, area / 16**2, _described(options.encoder), read_s=read_s)


def _audio(name: str, options: config.Audio, cells: Cells) -> Work:
    def read(path: File) -> float:
        sound = read_audio(path, options.seconds)
        return len(sound.wave) / sound.rate_hz

    lengths, read_s = _timed(name, cells, read)
    seconds = float(np.mean(lengths)) if lengths else options.seconds
    if options.resonances:
        samples = lines_for(round(options.seconds * options.rate_hz))
        flop = FRONT * samples * math.log2(samples) + HEADS
        return Work("series", flop / 1e9, 1e6, read_s, changed=0.0)
    if options.encoder == "scratch":
        flop, weights = CNNS[options.size]
        # A picture of 64 bands and a frame each 10 ms.
        return Work("cnn", seconds * 100 * 64 * flop / 1e9, weights, read_s, tokens=MOST_TOKENS)
    size = WHISPER if options.encoder == "whisper_tiny_en" else _described(options.encoder)
    # A token each 20 ms; two convolutions before them.
    found = _transformer(options, seconds * 50, size, read_s=read_s)
    return found._replace(gflop=found.gflop + 0.06 * seconds)


def _series(name: str, options: config.Series, cells: Cells) -> Work:
    """Convolutions that halve the samples until 64 steps are left, then dilated ones."""
    channels, length = len(options.channels or (name,)), options.length
    if options.history is not None:
        length = options.history.rows
    else:
        held = [c for c in cells[(options.channels or (name,))[0]] if isinstance(c, np.ndarray)]
        length = min(length, int(np.mean([x.size for x in held]))) if held else length
    if options.encoder != "scratch":
        return _transformer(options, channels * length / 16, _described(options.encoder))
    plain = set(options.front) - {"learned", "convolution", *RANDOM}
    fixed = FRONT * length * math.log2(max(2, length)) * channels * len(plain)
    fixed += length * sum(flop for front, flop in RANDOM.items() if front in options.front)
    if not {"learned", "convolution"} & set(options.front):
        changed = float(options.augment != "none")
        fronts = len(set(options.front))
        return Work("series", (fixed + HEADS) / 1e9, 1e6, changed=changed, tokens=fronts)
    width, layers = STRIDED[options.size]
    steps, halved = length, 0.0
    while steps > 64:
        steps /= 2
        halved += steps
    flop = 14.0 * channels * width * length + width**2 * (10.0 * halved + 12.0 * layers * steps)
    return Work("series", (flop + fixed + HEADS) / 1e9, 1e6, tokens=min(MOST_TOKENS, length))


def _transformer(
    options: config.Trunk,
    tokens: float,
    size: tuple[int, int],
    *,
    read_s: float = 0.0,
    vocabulary: int = 0,
) -> Work:
    """12 width^2 weights a layer: two operations for each weight and token, and attention's own."""
    width, layers = size
    gflop = tokens * layers * (24.0 * width**2 + 4.0 * tokens * width) / 1e9
    kind = "small transformer" if options.encoder == "scratch" else "trunk"
    words = float(vocabulary * width)
    weights = 12.0 * layers * width**2 + words
    changed = _changed(options, layers)
    given = min(MOST_TOKENS, tokens) if changed else 4.0
    return Work(kind, gflop, weights, read_s, changed, given, words)


def _changed(options: config.Trunk, blocks: int) -> float:
    """Share of the blocks whose weights change."""
    match options.tune:
        case "full":
            return 1.0
        case "frozen":
            return 0.0
        case "last_n":
            return min(1.0, options.last_n / blocks)
        case "lora" | "rslora" | "dora" | "pissa" | "adalora" | "ia3" | "vera" | "layernorm":
            return BACK
        case other:
            assert_never(other)


def _described(encoder: str) -> tuple[int, int]:
    """Width and layers of an `hf:` folder by its config.json; BERT base's for a hub id."""
    path = Path(encoder.removeprefix("hf:")) / "config.json"
    if not path.is_file():
        return BERT
    told = json.loads(path.read_text())
    told = told.get("vision_config") or told.get("text_config") or told
    width = told.get("hidden_size") or told.get("d_model") or BERT[0]
    layers = told.get("num_hidden_layers") or told.get("encoder_layers") or BERT[1]
    return int(width), int(layers)


def _timed(name: str, cells: Cells, read: Callable[[File], float]) -> tuple[list[float], float]:
    """What `read` says of some files, and its processor seconds a file; broken ones left out."""
    given = [c for c in cells[name] if not empty(c)]
    found = []
    start = time.thread_time()
    for at in np.linspace(0, len(given) - 1, min(FILES, len(given))).astype(int):
        try:
            found.append(read(source_of(given[at], cells.folder, cells.allow_outside).file))
        except TableError:  # `check` has a finding of its own for such files
            continue
    return found, (time.thread_time() - start) / max(1, len(found))
