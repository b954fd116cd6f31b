"""OpenVINO's int8 candidate: activations and weights in 8 bits, with ranges of real rows."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from modalloy.deploy.candidate_builds.trial import tried, unpacked
from modalloy.deploy.openvino_graphs import rename
from modalloy.graphs.openvino_session import name_of

LAYERS = ("MatMul", "Convolution", "GroupConvolution", "ConvolutionBackpropData")
TESTED = 16  # rows that say how much a layer in float brings back


def build(
    graph: bytes,
    rows: list[bytes],
    feeds: list[bytes],
    threads: int,
    attention: bool,
    true_ranges: bool = True,
    float_layers: list[str] | None = None,
    float_inputs: bool = False,
) -> dict[str, Any]:
    """The graph in 8 bits.

    rows: that ranges are taken from. attention: take NNCF's preset for transformers. true_ranges:
    the least and the greatest value of all rows; NNCF's own default is their mean over rows, which
    clips whatever varies from row to row. float_layers: that stay float32; float_inputs: the first
    layers after each input as well.
    """
    model = read(graph)
    kept = [*(float_layers or ()), *(first_layers(model) if float_inputs else ())]
    quantised = quantise(model, rows, attention=attention, true_ranges=true_ranges, kept=kept)
    files = saved(quantised)
    return tried(files, "openvino", "int8", feeds, threads, float_layers=kept)


def read(graph: bytes) -> Any:
    """The graph as an OpenVINO model whose layers are called alike in every process."""
    import openvino

    model = openvino.Core().read_model(graph)
    rename(model)
    return model


def saved(model: Any) -> list[bytes]:
    """The two files of a model in OpenVINO's own form."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return [path.read_bytes(), path.with_suffix(".bin").read_bytes()]


def quantise(
    model: Any, rows: list[bytes], *, attention: bool, true_ranges: bool, kept: list[str]
) -> Any:
    """An OpenVINO model in 8 bits but for some layers."""
    import nncf
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    given: dict[str, Any] = {}
    if true_ranges:
        given["activations_range_estimator_params"] = RangeEstimatorParametersSet.MINMAX
    return nncf.quantize(
        model,
        nncf.Dataset([fed(model, row) for row in rows]),
        subset_size=len(rows),
        model_type=nncf.ModelType.TRANSFORMER if attention else None,
        ignored_scope=nncf.IgnoredScope(names=kept, validate=False) if kept else None,
        advanced_parameters=AdvancedQuantizationParameters(**given),
    )


def fed(model: Any, row: bytes) -> dict[str, np.ndarray]:
    """What a model reads of a row: an input that no layer reads is not in it any more."""
    values = unpacked(row)
    return {name: values[name] for name in map(name_of, model.inputs)}


def rank(
    graph: bytes,
    rows: list[bytes],
    threads: int,
    attention: bool,
    kept: list[str],
) -> dict[str, Any]:
    """Which layers lose most in 8 bits, the worst first, `layers`; and `apart`, how far outputs are
    then from float32's.

    One at a time, the activations that a layer reads are left as they are in the 8-bit graph, and
    what brings outputs nearest to float32's stands first. Source: the order in which NNCF's
    accuracy control reverts quantisers; theirs asks a metric, ours the graph's own outputs, without
    answers.
    """
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    some = [unpacked(row) for row in rows[:TESTED]]
    right = outputs(core.compile_model(read(graph), "CPU", settings), some)
    given = {"attention": attention, "true_ranges": True, "kept": kept}
    quantised = quantise(read(graph), rows, **given)
    found: dict[str, float] = {}
    for node in [n for n in quantised.get_ordered_ops() if n.get_type_name() == "FakeQuantize"]:
        targets = list(node.output(0).get_target_inputs())
        layers = [name for t in targets for name in layers_behind(t.get_node())]
        if not layers:
            continue
        source = node.input(0).get_source_output()
        for target in targets:
            target.replace_source_output(source)
        apart = distance(right, outputs(core.compile_model(quantised, "CPU", settings), some))
        for target in targets:
            target.replace_source_output(node.output(0))
        for name in layers:
            found[name] = min(apart, found.get(name, np.inf))
    order = sorted(found, key=lambda name: found[name])
    return {"layers": order, "apart": [found[name] for name in order]}


def outputs(compiled: Any, rows: list[Any]) -> list[np.ndarray]:
    """All numbers that come out for each row."""
    found = []
    for row in rows:
        given = {port: row[name_of(port)] for port in compiled.inputs}
        out = compiled(given)
        own = [out[port] for port in compiled.outputs]
        found.append(np.concatenate([x.ravel() for x in own if x.dtype.kind == "f"]))
    return found


def distance(right: list[np.ndarray], other: list[np.ndarray]) -> float:
    """Mean over rows of how far outputs are apart, in parts of their length."""
    gaps = [np.linalg.norm(a - b) / (np.linalg.norm(a) + 1e-12) for a, b in zip(right, other)]  # noqa: B905
    return float(np.mean(gaps))


def layers_behind(node: Any) -> list[str]:
    """Names of the layers that read what a node gives, past nodes that only rearrange it."""
    if node.get_type_name() in LAYERS:
        return [node.get_friendly_name()]
    if node.get_type_name() in ("Reshape", "Transpose", "Squeeze", "Unsqueeze", "Split", "Slice"):
        after = [t.get_node() for o in node.outputs() for t in o.get_target_inputs()]
        return [name for one in after for name in layers_behind(one)]
    return []


def first_layers(model: Any) -> list[str]:
    """Names of the layers that no other layer stands before."""
    found: list[str] = []
    behind: set[str] = set()  # nodes that a layer stands before
    for node in model.get_ordered_ops():
        name, is_layer = node.get_friendly_name(), node.get_type_name() in LAYERS
        before = [i.get_source_output().get_node() for i in node.inputs()]
        late = any(b.get_friendly_name() in behind for b in before)
        if is_layer and not late:
            found.append(name)
        if is_layer or late:
            behind.add(name)
    return found
