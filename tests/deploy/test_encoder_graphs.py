"""Every encoder as a graph in ONNX Runtime and OpenVINO: it answers as the module does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from checkpoints import PICTURE, WAVES, WORDS
from encoder_cases import CASES, Values, series
from in_engines import answers_alike, quick_onnx, sessions_of
from modalloy.deploy.modules import lengths_in
from modalloy.deploy.onnx_graphs import encoder_graph
from modalloy.model.encoders import series as encoders_of_series
from modalloy.model.encoders import text
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.encoders.table import TableEncoder
from modalloy.model.encoders.text import MINILM
from modalloy.model.trunks import hydra, minirocket, signal_features
from modalloy.model.trunks.whisper import TINY_EN

# BERT, ELECTRA and XLM-RoBERTa compute what RoBERTa does, HuBERT what wav2vec 2.0 does, detectors
# are heads beside their pictures; that all can be traced, `tests/model/test_export.py` says.
CHECKPOINTS = [f"text hf {n}" for n in ("deberta-v2", "roberta", "mpnet", "albert", "distilbert")]
CHECKPOINTS += ["text hf clip", "image hf clip", "image hf vit", "image hf dinov2"]
CHECKPOINTS += ["audio hf wav2vec2", "audio hf wav2vec2 stable", "audio hf whisper"]
CHECKPOINTS += ["series hf patchtst", "series hf patchtst mixing"]
# As another that is here.
SAME = ["tokens scratch", "text minilm", "image large", "image all views", "series base"]
SAME += ["series all", "series convolution"]  # as `FRONTS`, with fewer samples
# Samples: few make few dilations, or frames; 65 are the fewest that are halved.
FRONTS = {("hydra",): 5, ("recent", "order"): 64, ("convolution", "minirocket"): 65}
KINDS = [c for c in CASES if (" hf " not in c or c in CHECKPOINTS) and c not in SAME]


@pytest.fixture(autouse=True)
def _few_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer, one octave, and few taps and biases of each kernel stand for all of their kind."""
    monkeypatch.setitem(MINILM, "num_hidden_layers", 1)
    monkeypatch.setitem(TINY_EN, "encoder_layers", 1)
    monkeypatch.setattr(minirocket, "PER_KERNEL", 4)
    monkeypatch.setattr(minirocket, "MOST_DILATIONS", 2)
    monkeypatch.setattr(hydra, "TAPS", 3)
    monkeypatch.setattr(signal_features, "OCTAVES", 1)
    monkeypatch.setitem(text.SIZES, "small", (16, 1, 2))
    monkeypatch.setitem(encoders_of_series.SIZES, "small", (16, 2))
    for sizes in (WORDS, PICTURE, WAVES):
        monkeypatch.setitem(sizes, "num_hidden_layers", 1)


def given(encoder: Encoder, values: Values) -> Values:
    """What goes in, of a table every third cell missing."""
    if not isinstance(encoder, TableEncoder):
        return values
    shape = len(values["number"]), len(encoder.columns)
    return values | {"present": torch.arange(shape[0] * shape[1]).reshape(shape) % 3 != 1}


def shortened(values: Values, share: float) -> Values:
    """The first part of every text, sound or series, as it comes where none is longer."""
    cut: dict[str, Tensor] = dict(values)
    for name, dim in lengths_in(values):
        kept = max(1, round(share * values[name].shape[dim]))
        cut[name] = values[name].narrow(dim, 0, kept)
    if "length" in cut:
        cut["length"] = cut["length"].clamp(max=cut["wave"].shape[1])
    if "words" in cut:
        cut["words"] = cut["words"].where(cut["words"] < cut["ids"].shape[1], -1)
    return cut


@pytest.mark.parametrize("case", KINDS)
@torch.no_grad()
def test_encoders(case: str, tmp_path: Path) -> None:
    answers_as_in_torch(*CASES[case](tmp_path))


@pytest.mark.parametrize("front", FRONTS, ids=["hydra", "order", "convolution"])
@torch.no_grad()
def test_fronts(front: tuple[str, ...]) -> None:
    answers_as_in_torch(*series(FRONTS[front], front=front))


def answers_as_in_torch(encoder: Encoder, values: Callable[[int], Values]) -> None:
    """Its graph does in both engines: several rows, one row, and of any length."""
    encoder.eval()
    pooled = not isinstance(encoder, TableEncoder)
    graph = encoder_graph("x", encoder, given(encoder, values(3)), pooled=pooled)
    for session in sessions_of(quick_onnx(graph)).values():
        for rows in (1, 5):
            some = given(encoder, values(rows))
            answers_alike(graph, session, some)
            if not isinstance(encoder, TableEncoder):
                answers_alike(graph, session, shortened(some, 0.6))
                answers_alike(graph, session, shortened(some, 0.05))
