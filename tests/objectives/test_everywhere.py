"""Two processes, each with some of the rows, take the contrast of all of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from modalloy.objectives.everywhere import everywhere

SCRIPT = """
import sys, torch
import torch.nn.functional as F
from modalloy.learn import processes
from modalloy.objectives.everywhere import everywhere
from modalloy.objectives.gram import gram
from modalloy.objectives.losses import Losses
from modalloy.objectives.pairwise import infonce, sigmoid
rank, world = processes.start()
torch.manual_seed(0)
left, right = torch.nn.Linear(3, 4), torch.nn.Linear(3, 4)
scale = torch.nn.Parameter(torch.tensor(2.0))
weights = [*left.parameters(), *right.parameters(), scale]
x, shown = torch.randn(5, 3), torch.tensor([[1, 1], [1, 0], [0, 1], [1, 1], [0, 1]]).bool()
def losses_of(x, shown, together):
    def whole(v):
        return everywhere(v, together=together)
    a, b = whole(F.normalize(left(x), dim=1)), whole(F.normalize(right(x), dim=1))
    both = whole(shown)
    losses = Losses()
    losses.add("infonce", infonce(a, b, scale), torch.tensor(len(a)))
    losses.add("sigmoid", sigmoid(a, b, scale, scale - 9), torch.tensor(len(a)))
    losses.add("gram", gram(a, torch.stack([b, -a + b], 1), both, scale), torch.tensor(len(a)))
    return losses
def gradients():
    found = [p.grad.clone() for p in weights]
    for p in weights:
        p.grad = None
    return found
wanted = losses_of(x, shown, False)
torch.stack(list(wanted.values())).sum().backward()
expected = gradients()
for share in (slice(None, 3) if rank == 0 else slice(3, None),
              slice(None) if rank == 1 else slice(0, 0)):  # then one of them has no row at all
    found = processes.mean_losses(losses_of(x[share], shown[share], True), world)
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name])
    torch.stack(list(found.values())).sum().backward()
    processes.average_gradients(weights, world)
    for a, b in zip(expected, gradients()):
        torch.testing.assert_close(a, b)
open(sys.argv[1] + str(rank), "w").write("equal")
processes.stop()
"""


@pytest.mark.torchrun
def test_two_processes_take_the_loss_and_gradient_of_one(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    port = str(40_000 + os.getpid() % 20_000)
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words += ["--master-port", port, str(tmp_path / "script.py"), str(tmp_path / "rank")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text() == "equal"


def test_alone_the_rows_are_its_own() -> None:
    x = torch.randn(3, 2)
    assert everywhere(x, together=False) is x
