"""Rows of the report on torch's other ways, which no bundle holds: what leaving torch is worth."""

import io

import torch

from modalloy.deploy.branch_search import BUILDS, Bench
from modalloy.deploy.candidate_builds.torch_ways import Way, timings_of
from modalloy.deploy.candidate_builds.trial import packed
from modalloy.deploy.feeds import Feed
from modalloy.deploy.onnx_graphs import Graph, quietly
from modalloy.deploy.speed import operations, speed_from
from modalloy.deploy.tried import Tried, failed

WHY = "no bundle holds it, since bundles need no torch"


def torch_rows(bench: Bench, graph: Graph, feed: Feed, *, compiled: bool) -> list[Tried]:
    """One row for bfloat16, and where there is time one for compiled code; none is begun
    after the minutes.
    """
    ways: list[Way] = ["bf16", *(["compiled"] if compiled else [])]
    found, program = [], b""
    for way in ways:
        if bench.budget.over():
            why = "not tried: the minutes were used up"
            found.append(Tried(graph.name, label_of(way), "failed", why))
            continue
        try:
            program = program or saved(graph)
            found.append(torch_row(bench, graph, feed, program, way))
        except Exception as error:  # what was found before is not lost for a comparison
            found.append(failed(Tried(graph.name, label_of(way), "failed"), error))
    return found


def label_of(way: Way) -> str:
    """What the report calls a way."""
    return "torch bf16" if way == "bf16" else "torch f32 compiled"


def saved(graph: Graph) -> bytes:
    """The module of a graph, for another process."""
    data = io.BytesIO()
    with quietly():
        program = torch.export.export(
            graph.module, graph.example, dynamic_shapes=(graph.shapes,), strict=False
        )
        torch.export.save(program, data)
    return data.getvalue()


def torch_row(bench: Bench, graph: Graph, feed: Feed, program: bytes, way: Way) -> Tried:
    """How fast one other way is."""
    label = label_of(way)
    feeds = [packed(feed.one), packed(feed.many)]
    given = {"program": program, "way": way, "feeds": feeds, "threads": bench.threads}
    made = bench.confine(f"{BUILDS}.torch_ways:build", given)
    tried = Tried(graph.name, label, "failed", build_s=made.seconds)
    if made.why is not None:
        return tried.now("failed", f"could not be built: {made.why}")
    one, many = (timings_of(rounds) for rounds in made.result["rounds"])
    work = operations(graph.module, tuple(torch.from_numpy(x) for x in feed.many.values()))
    rows = len(next(iter(feed.many.values())))
    family = "bfloat16" if way == "bf16" else "float32"
    speed = speed_from(one, many, rows, work=work, peak=bench.peak, family=family)
    said = f"cosine of its outputs to float32's: {made.result['cosine']:.5f}"
    return Tried(graph.name, label, "compared", WHY, speed=speed, build_s=made.seconds, said=said)
