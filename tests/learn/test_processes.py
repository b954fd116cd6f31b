"""Several processes train the model that one would; each does its share, none waits for ever."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

import modalloy as ma
from conftest import make_job, write_table
from modalloy.judge.report import Report
from modalloy.learn import processes

# Each process draws chance for its own rows: it is switched off where weights are compared.
TRAIN = """
import collections, json, sys, torch
torch.set_num_threads(1)
import modalloy.judge.before as before
import modalloy.learn.train_run as train_run
import modalloy.learn.fitted_rows as fitted_rows
import modalloy.model.layers.dropout as dropout
dropout.dropout.__code__ = (lambda x, p, training: x).__code__
torch.nn.functional.dropout = lambda x, p=0.5, training=True, inplace=False: x
import modalloy.model.encoders.series as series
series.UNKNOWN = 0.0
from modalloy.learn import processes
from modalloy.model.encoders.encoder import Encoder
from modalloy.answer.kept_features import FrozenFeatures
rank, _ = processes.start()
# What a report needs is not looked at here.
train_run.evaluate_rows = lambda *given, **options: None
train_run.write_card = lambda *given: None
before.frozen_embeddings = lambda *given, **options: None
before.first_figures = lambda *given: {}
told = {}
def counting(module, name, key, of):
    real = getattr(module, name)
    def called(*given, **options):
        told[key] += of(*given)
        return real(*given, **options)
    setattr(module, name, called)
counting(train_run, "check", "checks", lambda *given: 1)
counting(fitted_rows, "fit_readers", "fits", lambda *given: 1)
counting(FrozenFeatures, "run", "rows", lambda self, rows: len(rows))
counting(processes, "answer_rows", "answered", lambda model, rows, which: len(which))
jobs, how = json.loads(sys.argv[1])
if how == "stop":  # after the second epoch
    import modalloy.learn.train as train
    real = train.store
    def store(path, state, best, notes, *rest):
        real(path, state, best, notes, *rest)
        if notes.epoch == 2:
            import os
            os._exit(9)
    train.store = store
import modalloy as ma
stop, processes.stop = processes.stop, lambda: None  # the group stays for the next job
for job, out in jobs:
    told.update(checks=0, rows=0, fits=0, answered=0)
    ma.train(job, out=out, resume=how == "resume", quiet=True)
    open(f"{out}/told{rank}.json", "w").write(json.dumps(told))
stop()
"""


def launch(
    processes: int, *command: str, ends: tuple[int, ...] = (0,), within_s: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a module or file in some processes on this machine."""
    port = str(20000 + os.getpid() % 20000)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*launcher, "--master-port", port, *command],
        capture_output=True,
        text=True,
        timeout=within_s,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode in ends, done.stderr[-5000:]
    return done


def train_in(
    count: int, jobs: dict[str, Any], folder: Path, how: str = "", ends: tuple[int, ...] = (0,)
) -> None:
    """Train jobs one after the other in so many processes; one needs no launcher."""
    script = folder / "train.py"
    script.write_text(TRAIN)
    some = [[job, str(folder / f"{name}-{count}")] for name, job in jobs.items()]
    words = (str(script), json.dumps([some, how]))
    if count == 1:
        subprocess.run([sys.executable, *words], check=True, timeout=600)
    else:
        launch(count, *words, ends=ends)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model.safetensors")


def told(out: Path, count: int = 2) -> list[dict[str, int]]:
    return [json.loads((out / f"told{rank}.json").read_text()) for rank in range(count)]


def assert_near(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name, t in a.items():
        assert torch.allclose(t, b[name], rtol=2e-3, atol=2e-4), name


def uneven_job(table: Path, columns: tuple[str, ...], **train: Any) -> dict[str, Any]:
    """Batches of seven rows, so that shares are never alike; missing cells, two tasks.

    The optimiser is plain descent: Adam would blow the last digit of a tiny gradient up to a step.
    """
    settings = {"epochs": 2, "batch": 7, "precision": "float32", "optimizer": "sgd", "lr": 0.02}
    job = make_job(table, columns=columns, train=settings | train)
    job["fuse"] |= {"dropout": 0.0, "modality_dropout": 0.0}
    for options in job["columns"].values():
        if options["type"] in ("series", "audio"):
            options["augment"] = "none"
    return job


GRADIENTS = """
import sys, torch
from modalloy.errors import TableError
from modalloy.learn import processes
from modalloy.objectives.losses import Losses
rank, world = processes.start()
torch.manual_seed(0)
layer, x = torch.nn.Linear(3, 2), torch.randn(5, 3)
def losses_of(x, known):
    losses = Losses()
    losses.add("all", layer(x).square().mean(), torch.tensor(len(x)))
    some = layer(x[known])
    losses.add("some", some.abs().mean() if len(some) else some.sum(), known.sum())
    losses.add("least", layer(x[known]).sum() / max(1, known.sum()), known.sum(), 1.0)
    losses.add("none", layer(x[:0]).sum(), torch.tensor(0))
    return losses
def gradients():
    found = [p.grad.clone() for p in layer.parameters()]
    layer.zero_grad()
    return found
share = slice(None, 3) if rank == 0 else slice(3, None)
for known in ([1, 0, 1, 1, 0], [1, 0, 1, 0, 0]):  # of the second process's rows one, then none
    known = torch.tensor(known).bool()
    whole = losses_of(x, known)
    torch.stack(list(whole.values())).sum().backward()
    wanted = gradients()
    found = processes.mean_losses(losses_of(x[share], known[share]), world)
    for name in whole:
        torch.testing.assert_close(found[name], whole[name])
    torch.stack(list(found.values())).sum().backward()
    processes.average_gradients(layer.parameters(), world)
    for a, b in zip(wanted, gradients()):
        torch.testing.assert_close(a, b)
held, shared = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
if rank == 0:
    shared(x).sum().backward()
processes.average_gradients([*held.parameters(), *shared.parameters()], world)
assert all(p.grad is None for p in held.parameters())
torch.testing.assert_close(shared.bias.grad, torch.full((2,), 2.5))
assert processes.first_decides(lambda: rank + 7.0, world) == 7.0
assert processes.gathered(rank, world) == [0, 1]
def refuse():
    assert rank == 0
    raise TableError("what was found")
try:
    processes.first_decides(refuse, world)
except TableError as error:
    assert str(error) == "what was found"
    open(sys.argv[1] + str(rank), "w").write("equal")
processes.stop()
"""


BUDGETS = """
import json, sys, torch
from datetime import timedelta
torch.set_num_threads(1)
from modalloy.learn import frozen_features as frozen, processes
processes.PATIENCE = timedelta(seconds=30)
frozen.READ_AT_ONCE = 4
import numpy as np
from modalloy.job.job_file import load_job
from modalloy.learn.fitted_rows import open_loader
from modalloy.answer.cache import Budget
from modalloy.model.model import Model
from modalloy.table.split import split_job
from modalloy.table.table import open_table
job, out, budgets = load_job(json.loads(sys.argv[1])), sys.argv[2], json.loads(sys.argv[3])
rank, world = processes.start()
table = open_table(job.table)
def kept_with(budget):
    rows = open_loader(job, table, split_job(table, job))
    rows.budget = Budget(budget / 1e9)
    for cache in rows.decoded.values():
        cache._budget = rows.budget
    model = Model(job, rows.readers, rows.targets, pretrained=True)
    which = np.arange(table.rows)
    kept = []
    for _ in range(2):  # as a training on all rows goes on after the first one
        frozen.frozen_features(model, rows, which, quiet=True)
        kept.append({n: len(f.kept) for n, f in rows.features.items()})
        rows.budget.give_back(600)
    batch = rows.batch(which)
    sums = [float(batch.values[n]["features"].sum()) for n in sorted(rows.features)]
    assert processes.gathered(sums, world) == [sums, sums]
    return kept
open(f"{out}{rank}", "w").write(json.dumps([kept_with(both[rank]) for both in budgets]))
processes.stop()
"""


@pytest.mark.torchrun
def test_processes_with_unequal_disk_budgets_stop_after_the_same_rows(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    budgets = [(3_000, 10**9), (10**9, 3_000), (10**9, 0)]
    frame = pd.read_parquet(small_table)
    frame.assign(second=frame["vibration"][::-1].to_numpy()).to_parquet(small_table)
    job = job_dict(small_table, columns=("load",))
    series = {"type": "series", "length": 32, "rate_hz": 100, "front": ["statistics"]}
    job["columns"] |= {"vibration": series, "second": series}
    script = tmp_path / "budgets.py"
    script.write_text(BUDGETS)
    words = (json.dumps(job), str(tmp_path / "rank"), json.dumps(budgets))
    launch(2, str(script), *words, within_s=180)
    found = [json.loads((tmp_path / f"rank{rank}").read_text()) for rank in (0, 1)]
    for of_both in zip(*found, strict=True):
        for first, second in zip(*of_both, strict=True):
            for name in ("vibration", "second"):
                assert abs(first[name] - second[name]) <= 17  # two groups of the last turn, a blank
                assert min(first[name], second[name]) < 80
    assert [kept[0]["vibration"] > 0 for kept in found[0]] == [True, True, False]


@pytest.mark.torchrun
def test_uneven_halves_of_a_batch_give_its_losses_and_gradients(tmp_path: Path) -> None:
    script = tmp_path / "gradients.py"
    script.write_text(GRADIENTS)
    launch(2, str(script), str(tmp_path / "rank"))
    assert (tmp_path / "rank0").read_text() == (tmp_path / "rank1").read_text() == "equal"


@pytest.mark.parametrize(
    ("rows", "world", "shares"),
    [
        (5, 1, [[0, 1, 2, 3, 4]]),
        (5, 2, [[0, 2, 4], [1, 3]]),
        (3, 3, [[0], [1], [2]]),
        (1, 2, [[0], [0]]),
        (2, 5, [[0], [1], [0], [1], [0]]),
    ],
)
def test_every_process_has_a_row_of_every_batch(
    rows: int, world: int, shares: list[list[int]]
) -> None:
    found = [processes.share_of(np.arange(rows), rank, world).tolist() for rank in range(world)]
    assert found == shares


def mixed_job(folder: Path) -> dict[str, Any]:
    """Two tasks with missing answers, missing cells, batch norms, own heads, consistency."""
    table = write_table(folder)
    frame = pd.read_parquet(table)
    frame.loc[frame.index % 3 == 1, "fault_code"] = None
    frame.to_parquet(table)
    job = uneven_job(table, ("photo", "sound", "vibration", "note", "load", "site"), ema=0.9)
    job["columns"]["vibration"]["front"] = ["statistics", "learned"]
    job["tasks"]["fault"]["class_weights"] = "balanced"
    job["fuse"] |= {"consistency": 0.1, "auxiliary": 0.3}
    return job


def frozen_job(folder: Path) -> dict[str, Any]:
    """A frozen series, which some rows lack, in batches of three; learned weights of the tasks."""
    table = write_table(folder)
    frame = pd.read_parquet(table)
    frame.loc[frame.index % 4 == 0, "vibration"] = None
    frame.to_parquet(table)
    job = uneven_job(table, ("vibration", "load"), epochs=4, batch=3, patience=0)
    job["columns"]["vibration"] |= {"front": ["statistics", "spectrum"]}
    job["train"]["weighting"] = "uncertainty"
    return job


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `NAME-1` and `NAME-2` of one and of two processes; `frozen-2` was stopped and resumed.

    Starting processes takes longer than these trainings: all of a kind share them.
    """
    folder = tmp_path_factory.mktemp("processes")
    mixed, frozen = mixed_job(folder / "mixed"), frozen_job(folder / "frozen")
    single = uneven_job(Path(frozen["table"]), ("note", "load"), epochs=1, batch=1)
    jobs = {"mixed": mixed, "single": single}
    train_in(1, jobs | {"frozen": frozen}, folder)
    train_in(2, {"frozen": frozen}, folder, "stop", ends=(1, 9))
    assert not (folder / "frozen-2" / "run.json").exists()
    train_in(2, jobs | {"frozen": frozen}, folder, "resume")
    return folder


@pytest.mark.torchrun
def test_two_processes_end_with_the_weights_of_one(trained: Path) -> None:
    one, two = trained / "mixed-1", trained / "mixed-2"
    assert_near(weights(one), weights(two))
    runs = [ma.load_run(path).notes for path in (one, two)]
    assert [r["processes"] for r in runs] == [1, 2]
    for a, b in zip(*(r["curves"] for r in runs), strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-3)
        assert b["score"] == pytest.approx(a["score"], abs=0.02)
    first, second = told(two)
    assert (first["checks"], second["checks"]) == (1, 0)
    assert (first["fits"], second["fits"]) == (1, 0)
    assert abs(first["answered"] - second["answered"]) <= 2
    assert first["answered"] + second["answered"] == told(one, 1)[0]["answered"]


@pytest.mark.torchrun
def test_resumed_by_two_after_an_interruption_the_weights_are_those_of_one(trained: Path) -> None:
    one, two = trained / "frozen-1", trained / "frozen-2"
    assert_near(weights(one), weights(two))
    shares = [t["rows"] for t in told(two)]
    known = pd.read_parquet(trained / "frozen" / "parts.parquet")["vibration"].notna().sum()
    assert sum(shares) == told(one, 1)[0]["rows"] == known
    assert max(shares) < 0.7 * sum(shares)


@pytest.mark.torchrun
def test_a_batch_of_one_row_trains_in_two_processes(trained: Path) -> None:
    assert_near(weights(trained / "single-1"), weights(trained / "single-2"))


@pytest.mark.torchrun
def test_what_the_first_process_refuses_all_refuse_at_once(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    from modalloy.job.job_file import load_job, save_job

    frame = pd.read_parquet(small_table)
    frame["photo"] = "img/none.png"
    frame.to_parquet(small_table)
    save_job(load_job(job_dict(small_table, columns=("photo", "load"))), tmp_path / "job.yaml")
    words = ("-m", "modalloy", "train", str(tmp_path / "job.yaml"), "-o", str(tmp_path / "two"))
    done = launch(2, *words, ends=(1, 2))
    assert "none.png" in done.stderr
    assert "Traceback" not in done.stderr.split("ChildFailedError")[0].split("torch/distributed")[0]
    assert not (tmp_path / "two").exists()


@pytest.mark.torchrun
def test_two_processes_train_evaluate_and_report(
    small_table: Path, job_dict: Any, tmp_path: Path
) -> None:
    from modalloy.job.job_file import load_job, save_job

    columns, train = ("note", "load", "site"), {"epochs": 8, "batch": 8, "lr": 3e-3}
    job = job_dict(small_table, columns=columns, train=train, blend={})
    save_job(load_job(job), tmp_path / "job.yaml")
    launch(2, "-m", "modalloy", "train", str(tmp_path / "job.yaml"), "-o", str(tmp_path / "two"))
    two = ma.load_run(tmp_path / "two")
    assert two.notes["processes"] == 2
    report = Report.load(two.path / "report.json")
    assert report.failed == []
    assert report.tasks["fault"]["accuracy"] > 0.8
    assert len(ma.predict(two, small_table, quiet=True)) == 80
