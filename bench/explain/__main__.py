"""`python -m bench.explain`: how often planted causes come first, and how much sooner an answer is
lost, or won, by its strongest parts than by parts in any order.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest

import modalloy as ma
from bench.explain.curves import areas
from bench.explain.planted import hits, planted_job, write_planted
from bench.line import Line, publish, table
from bench.shared_sets import default_data, job_files, open_job
from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.explain_row import explain_row
from modalloy.attribution.outcome import find_outcome
from modalloy.machine.limits import rest_soon
from modalloy.runs.run import Run
from modalloy.table.split import split_job
from modalloy.table.table import open_table

SETS = {"elpv": "defective", "financial_phrasebank": "sentiment", "cwru": "condition"}
PAGE = "verbs/explain.md"
FIRST, TIMES = 0.95, 2.0  # share of causes that come first; how much smaller an area is


def planted(folder: Path, rows: int, epochs: int, asked: int) -> Line:
    """Bad rows of a generated table that were not learned from."""
    path = write_planted(folder, rows=rows)
    front = ("learned", "statistics")
    run = ma.train(planted_job(path, epochs=epochs, front=front), out=folder / "run", quiet=True)
    frame, predictor = pd.read_parquet(path), Predictor(run)
    loader, _ = predictor.open(open_table(path))
    which = frame.index[(frame.part == "test") & (frame.state == "bad")][:asked]
    found = 0
    for row in which:
        why = explain_row(predictor, loader, int(row), tasks=["state"], label="bad", past=0)
        said = why.as_dict()["tasks"]["state"]
        found += int(hits(said, frame.cause[row], list(frame.place[row])))
    count, share = len(which), found / len(which)
    ends = tuple(binomtest(found, count).proportion_ci())
    given = ("planted causes", "share that come first", share, ends, f"{found} of {count} rows")
    return Line(*given, f">= {FIRST}", share >= FIRST)


def curves(run: Run, name: str, task: str, rows: int) -> list[Line]:
    """Media cells of test rows of a run."""
    predictor = Predictor(run)
    loader, _ = predictor.open(open_table(run.job.table))
    which = split_job(loader.table, run.job).test
    which = which[np.unique(np.linspace(0, len(which) - 1, rows).round().astype(int))]
    draw, found = np.random.default_rng(0), []
    for row in which.tolist():
        asked = AskedRow(predictor, loader, row)
        outcome = find_outcome(asked, task, label=None, item=0)
        assert outcome is not None
        media = [c for c in asked.columns if c not in asked.plain]
        found += [areas(asked, outcome, c, draw) for c in media]
    area_N = np.array(found)
    at_RN = draw.integers(0, len(area_N), (400, len(area_N)))
    lines = []
    for k, what in enumerate(("deletion", "insertion")):
        strength, chance = area_N[:, 2 * k], area_N[:, 2 * k + 1]
        value = ratio(chance.mean(), strength.mean())
        drawn = [ratio(chance[at].mean(), strength[at].mean()) for at in at_RN]
        low, high = np.quantile(drawn, [0.025, 0.975])
        anchor = f"area {strength.mean():.3f}, by chance {chance.mean():.3f}"
        asked_for = (f">= {TIMES:g}", value >= TIMES)
        given = (name, f"{what}, times smaller than by chance", value, (float(low), float(high)))
        lines.append(Line(*given, anchor, *asked_for))
    return lines


def ratio(by_chance: float, by_strength: float) -> float:
    """How many times smaller an area is; 100 at most, since a curve may pass its end."""
    return float(by_chance / max(by_strength, 0.01 * by_chance))


def train_set(name: str, data: Path, folder: Path, minutes: float) -> Run:
    """A run of a shared set, the network alone, in so many minutes."""
    job = open_job(job_files(name)[0], data)
    train = job.train.model_copy(update={"minutes": minutes, "refit": False})
    blend = job.blend.model_copy(update={"use": "never"})
    job = job.model_copy(update={"train": train, "blend": blend})
    return ma.train(job, out=folder / name, quiet=True)


def main() -> None:
    """Prints lines and keeps them in bench/results/explain.json and on their page."""
    reads = argparse.ArgumentParser(description=__doc__)
    reads.add_argument("--sets", nargs="*", default=list(SETS), help="of curves; none for none")
    reads.add_argument("--rows", type=int, default=40, help="rows of each set's curves")
    reads.add_argument("--planted", type=int, default=1000, help="rows of the table, 0 for none")
    reads.add_argument("--epochs", type=int, default=12, help="of the planted table's run")
    reads.add_argument("--minutes", type=float, default=4.0, help="of training a set")
    reads.add_argument("--data", type=Path, default=default_data())
    given = reads.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.planted:
            start = time.perf_counter()
            line = planted(Path(folder), given.planted, given.epochs, 100)
            keep([line], start, "python -m bench.explain --sets")
        for name in given.sets:
            start = time.perf_counter()
            run = train_set(name, given.data, Path(folder), given.minutes)
            lines = curves(run, name, SETS[name], given.rows)
            keep(lines, start, f"python -m bench.explain --planted 0 --sets {name}")


def keep(lines: list[Line], start: float, command: str) -> None:
    """Write these lines and show them."""
    after = {"seconds": time.perf_counter() - start, "command": command}
    made = [line._replace(**after) for line in lines]
    publish("explain", made, PAGE)
    print(table(made), flush=True)


if __name__ == "__main__":
    rest_soon()
    main()
