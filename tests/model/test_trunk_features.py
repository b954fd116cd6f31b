"""Trunks run once for all that looks at a batch, as their encoders run them, in every process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from checkpoints import dual
from modalloy.job import config
from modalloy.model.body import Body
from modalloy.model.encoders import encoder as encoders
from modalloy.model.tokens import Batch
from modalloy.model.trunk_features import with_trunks
from modalloy.objectives.contrast import Contrast
from spaces import columns_of

SCRIPT = """
import sys, numpy as np, torch
from pathlib import Path
torch.set_num_threads(1)
from modalloy.job import config
from modalloy.learn import processes, sharded
from modalloy.model.body import Body
from modalloy.model.layers.shared_norms import share_figures
from modalloy.model.tokens import Batch
from modalloy.objectives.contrast import Contrast
from spaces import columns_of
from model.test_trunk_features import two_towers
rank, world = processes.start()
loader = columns_of(Path(sys.argv[1]), two_towers(sys.argv[2], "full"))
def made():
    torch.manual_seed(0)
    body = Body(loader.job, loader.readers, pretrained=True)
    return body, Contrast(body, config.Contrast(row=False))
def batch_of(rows):
    batch = Batch.of(loader.batch(rows))
    batch.present["photo"] &= torch.from_numpy(rows < 6)  # the second process has none
    return batch
def gradients(body):
    return {n: sharded.whole(p.grad) for n, p in body.named_parameters() if p.grad is not None}
body, contrast = made()
losses = contrast(body, batch_of(np.arange(12)))
losses["contrast/photo~note"].backward()
wanted, expected = losses["contrast/photo~note"].detach(), gradients(body)
body, contrast = made()
sharded.shard(body, world)
share_figures(body), share_figures(contrast)
sharded.take_part(body)
rows = np.arange(0, 6) if rank == 0 else np.arange(6, 12)
found = contrast(body, batch_of(rows))["contrast/photo~note"]
torch.testing.assert_close(found.detach(), wanted)
found.backward()
own = gradients(body)
parted = [n for n, p in body.named_parameters() if sharded.is_parted(p) and n in expected]
assert parted and {n for n in parted if "photo" in n} and {n for n in parted if "note" in n}
for name in parted:  # averaged over processes by then
    torch.testing.assert_close(own[name], expected[name], rtol=1e-3, atol=1e-5)
open(sys.argv[3] + str(rank), "w").write("equal")
processes.stop()
"""


def two_towers(place: str, tune: str) -> dict[str, dict[str, object]]:
    """A picture and a note that both towers of a checkpoint read."""
    photo = {"type": "image", "encoder": place, "pixels": 16, "tune": tune, "augment": "none"}
    note = {"type": "text", "encoder": place, "max_tokens": 24, "tune": tune}
    return {"photo": photo, "note": note, "load": {"type": "number"}}


def towers(table: Path, folder: Path) -> tuple[Body, Contrast, Batch]:
    """Two towers that learn, and a batch."""
    loader = columns_of(table, two_towers(dual(folder / "clip", "clip"), "full"))
    torch.manual_seed(0)
    body = Body(loader.job, loader.readers, pretrained=True)
    contrast = Contrast(body, config.Contrast(row=False))
    return body, contrast, Batch.of(loader.batch(np.arange(8)))


def test_they_work_in_the_number_type_of_their_encoders(small_table: Path, tmp_path: Path) -> None:
    body, contrast, batch = towers(small_table, tmp_path)
    body.in_bfloat16, ran = True, list[bool]()
    for name in ("photo", "note"):
        block = body.encoder(name).blocks[0]
        block.register_forward_hook(lambda *_: ran.append(torch.is_autocast_enabled("cpu")))
    seen = contrast.space.see(body, batch)
    assert ran == [True, True]
    assert {x.dtype for x in seen.latents.values()} == {torch.float32}
    loss = contrast(body, batch)["contrast/photo~note"]
    loss.backward()
    assert loss.isfinite()
    with_trunks(body.eval(), batch, ["note"])
    assert not ran[-1]


def test_a_process_without_a_row_runs_the_trunk_where_others_do(
    small_table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, contrast, batch = towers(small_table, tmp_path)
    batch.present["photo"][:] = False
    monkeypatch.setattr(encoders, "anywhere", lambda rows: True)
    ran: list[str] = []
    for name in ("photo", "note"):
        encoder = body.encoder(name)
        encoder.together = True
        encoder.blocks[0].register_forward_hook(lambda *_, name=name: ran.append(name))
    losses = contrast(body, batch)
    assert ran == [n for n in body.inputs if n != "table"]
    torch.stack(list(losses.values())).sum().backward()
    grads = [p.grad for p in body.encoder("photo").blocks[0].parameters() if p.grad is not None]
    assert grads  # zeros, which other processes wait for
    assert not any(g.any() for g in grads)


@pytest.mark.torchrun
def test_shared_out_towers_learn_where_a_process_has_no_row(
    small_table: Path, tmp_path: Path
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    port = str(40_000 + os.getpid() % 20_000)
    place = dual(tmp_path / "clip", "clip")
    words = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    words += ["--master-port", port, str(tmp_path / "script.py")]
    words += [str(small_table), place, str(tmp_path / "rank")]
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=240, env={**os.environ, "PYTHONPATH": paths}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text() == "equal"
