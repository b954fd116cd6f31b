"""What stands in a graph's way is told with the option of the job that decides it."""

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from conftest import make_job
from encoder_cases import CASES, series, text
from modalloy.deploy.changes import change_of
from modalloy.deploy.modules import EncoderGraph, HeadsGraph
from modalloy.deploy.unwritable import no_onnx, no_openvino, where_of
from modalloy.job.job_file import load_job

BOXES = {"type": "locate", "target": "boxes", "labels": "box_names", "on": "photo"}


def change(made: Any) -> str:
    """What to change about a case's encoder."""
    return change_of("x", EncoderGraph(made[0], (), pooled=False))


def test_the_option_of_each_encoder_is_named(tmp_path: Path) -> None:
    found = change(series(20, front=("learned", "statistics")))
    assert found == "choose others than `front: [learned, statistics]` for column 'x'"
    assert change(text("scratch")) == "choose another `encoder:` for column 'x'"
    case = CASES["image hf vit"](tmp_path)
    assert change(case) == "choose another `encoder:`, such as scratch, for column 'x'"
    assert change(CASES["table"](tmp_path)) == "choose another `embed:` for its numbers"
    assert change(CASES["vector"](tmp_path)) == "leave column 'x' out"
    assert change_of("x", nn.Identity()) == ""


def test_the_options_of_fusion_and_heads_are_named(small_table: Path) -> None:
    tasks = {"fault": {"type": "classify", "target": "fault_code"}, "spots": BOXES}
    told = make_job(small_table, columns=("photo", "load"), fuse={"type": "gated", "width": 16})
    heads: Any = HeadsGraph.__new__(HeadsGraph)
    nn.Module.__init__(heads)
    heads.model = nn.Module()
    heads.model.job = load_job(told | {"tasks": tasks})
    assert change_of("", heads) == (
        "choose another way to fuse than `fuse: {type: gated}`, or another `head:` of task 'spots'"
    )


def chained(*texts: str) -> Exception:
    """An error that came from another one, and so on."""
    error = None
    for said in reversed(texts):
        outer = RuntimeError(said)
        outer.__cause__ = error
        error = outer
    assert error is not None
    return error


def test_the_operation_is_found_where_the_exporter_names_it() -> None:
    change = "choose others than `front: [learned]` for column 'hum'"
    error = chained(
        "Failed to convert the exported program.",
        "Error when translating node %y: torch.ops.aten.gone.default",
        "No ONNX function found for <OpOverload(op='aten.digamma', overload='default')>.",
    )
    assert str(no_onnx("hum", change, error)) == (
        "the encoder of 'hum' cannot be written as ONNX: it has no operation 'digamma'. Choose "
        "others than `front: [learned]` for column 'hum', and train again; or `modalloy export "
        "--backend torch` keeps the network itself, which answers where torch is installed."
    )
    assert "as ONNX: no luck. `modalloy export --backend torch`" in str(
        no_onnx("", "", chained("no luck.\nmore"))
    )


@pytest.mark.parametrize("told", ["ops: Det", "no translator for Det-20\nsee Frontend Extension"])
def test_what_openvino_lacks_is_named(told: str) -> None:
    said = str(no_openvino(where_of("hum"), {"Det", "Add", "De"}, RuntimeError(told)))
    assert said.startswith(
        "the encoder of 'hum' cannot be written in OpenVINO's form: it has no operation 'Det'. "
        "Export it with --backend onnx"
    )
