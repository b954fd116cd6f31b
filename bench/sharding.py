"""From which size on an encoder has to be shared out over processes while it learns.

    python -m bench.sharding [--dry]

Counts the bytes that one parameter takes while it learns - weight, gradient, two moments, moving
average, best weights so far - in the state that a training really builds, and multiplies. Nothing
large is made. Writes the tables of docs/sharding.md. Activations come on top; they grow with the
batch, and no sharding makes them smaller.
"""

import argparse
import sys
from typing import NamedTuple

import torch
from torch import nn

from bench.line import ROOT
from bench.written import put_between_marks
from modalloy.job import config
from modalloy.learn.change import Scheduled
from modalloy.learn.state import State, shown_weights

PAGE = ROOT / "docs" / "sharding.md"
GB = 1e9
DEVICES_GB = (8, 16, 24, 80)
PROCESSES = (2, 4, 8)


class Known(NamedTuple):
    """A network by its millions of parameters, and how many of them its blocks hold, and how many
    blocks these are."""

    name: str
    millions: float
    in_blocks: float
    blocks: int


NETWORKS = (  # a block of width w has 12 w^2 + 13 w parameters, with four times as wide a middle
    Known("MiniLM-L6 (`minilm`)", 22.6, 10.6, 6),
    Known("BERT base", 108.9, 85.1, 12),
    Known("CLIP, both towers, ViT-B/32", 151.3, 122.9, 24),
    Known("BERT large", 334.0, 302.3, 24),
    Known("CLIP, both towers, ViT-L/14", 427.6, 387.4, 36),
    Known("1 billion, 24 blocks", 1000.0, 950.0, 24),
    Known("3 billion, 32 blocks", 3000.0, 2900.0, 32),
    Known("7 billion, 32 blocks", 7000.0, 6700.0, 32),
)


def main() -> None:
    """Print the page's tables, and write them."""
    parser = argparse.ArgumentParser(prog="python -m bench.sharding")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    args = parser.parse_args()
    text = tables(bytes_a_parameter())
    if not args.dry:
        put_between_marks(text, PAGE)
    sys.stdout.write(text)


def bytes_a_parameter() -> dict[str, float]:
    """What a parameter takes while it learns, counted on a small network after one step."""
    model, settings = nn.Linear(64, 64, bias=False), config.Train()
    state = State.begin(model, lambda losses: losses["x"], settings, 10)
    model(torch.ones(1, 64)).sum().backward()
    count = model.weight.numel()
    assert model.weight.grad is not None
    gradient = model.weight.grad.nbytes / count
    Scheduled(settings)(state)
    moments = [t for t in state.optimizer.state[model.weight].values() if t.numel() == count]
    return {
        "weight": model.weight.nbytes / count,
        "gradient": gradient,
        "moments of AdamW": sum(t.nbytes for t in moments) / count,
        "moving average (`ema`)": sum(t.nbytes for t in state.average.values()) / count,
        "best weights so far": sum(t.nbytes for t in shown_weights(state).values()) / count,
    }


def tables(parts: dict[str, float]) -> str:
    """Markdown: bytes, sizes that fit devices, and networks."""
    whole = sum(parts.values())
    lines = ["", "| of each parameter | bytes |", "| --- | --- |"]
    lines += [f"| {name} | {size:g} |" for name, size in parts.items()]
    lines += [f"| together | **{whole:g}** |", ""]
    lines += ["| device | whole on one: up to | shared out over 8: up to |", "| --- | --- | --- |"]
    for device in DEVICES_GB:
        alone = device * GB / whole / 1e6
        looked = device * GB / (parts["weight"] + whole / 8) / 1e6
        lines.append(f"| {device} GB | {alone:,.0f} M | {looked:,.0f} M |")
    head = ["network", "parameters", "whole on one", *(f"over {n}" for n in PROCESSES)]
    lines += ["", f"| {' | '.join(head)} |", "| --- " * len(head) + "|"]
    for known in NETWORKS:
        alone = f"{known.millions * 1e6 * whole / GB:,.1f} GB"
        shared = [f"{shared_gb(known, parts, n):,.1f} GB" for n in PROCESSES]
        lines.append(f"| {known.name} | {known.millions:,.0f} M | {alone} | {' | '.join(shared)} |")
    lines += ["", "Printed by `python -m bench.sharding`.", ""]
    return "\n".join(lines)


def shared_gb(known: Known, parts: dict[str, float], processes: int) -> float:
    """Memory of each process: what lies outside of blocks, its part of them, and the more of one
    block whole with its gradient, and of all blocks' weights whole for a look."""
    whole = sum(parts.values())
    outside = known.millions - known.in_blocks
    running = (parts["weight"] + parts["gradient"]) * known.in_blocks / known.blocks
    looking = parts["weight"] * known.in_blocks
    own = whole * (outside + known.in_blocks / processes)
    return (own + max(running, looking)) * 1e6 / GB


if __name__ == "__main__":
    main()
