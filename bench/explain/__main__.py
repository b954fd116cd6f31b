"""`python -m bench.explain`: how often planted causes come first, and how much sooner an answer is
lost, or won, by its strongest parts than by parts in any order.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import modalloy as ma
from bench.explain.curves import Areas, areas
from bench.explain.planted import hits, planted_job, write_planted
from bench.shared_sets import default_data, job_files, open_job
from modalloy.answer.predictor import Predictor
from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.explain_row import explain_row
from modalloy.attribution.outcome import find_outcome
from modalloy.machine.limits import rest_soon
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job

SETS = {"elpv": "defective", "financial_phrasebank": "sentiment", "cwru": "condition"}
RESULTS = Path(__file__).parent.parent / "results" / "explain.json"


def planted(folder: Path, rows: int, epochs: int, asked: int) -> dict[str, Any]:
    """Bad rows of a generated table that were not learned from."""
    table = write_planted(folder, rows=rows)
    front = ("learned", "statistics")
    run = ma.train(planted_job(table, epochs=epochs, front=front), out=folder / "run", quiet=True)
    frame, predictor = pd.read_parquet(table), Predictor(run)
    loader, _ = predictor.open(open_table(table))
    which = frame.index[(frame.part == "test") & (frame.state == "bad")][:asked]
    found = 0
    for row in which:
        why = explain_row(predictor, loader, int(row), tasks=["state"], label="bad", past=0)
        found += hits(why.as_dict()["tasks"]["state"], frame.cause[row], list(frame.place[row]))
    return {"what": "planted", "rows": len(which), "first": found}


def curves(run: Run, task: str, rows: int) -> dict[str, Any]:
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
    whole = Areas(*np.mean(found, axis=0).tolist())
    return {
        "rows": len(which),
        **whole._asdict(),
        "deletion_ratio": ratio(whole.deletion_by_chance, whole.deletion),
        "insertion_ratio": ratio(whole.insertion_by_chance, whole.insertion),
    }


def ratio(by_chance: float, by_strength: float) -> float:
    """How many times smaller an area is; 100 at most, since a curve may pass its end."""
    return by_chance / max(by_strength, 0.01 * by_chance)


def train_set(name: str, data: Path, folder: Path, minutes: float) -> Run:
    """A run of a shared set, the network alone, in so many minutes."""
    job = open_job(job_files(name)[0], data)
    train = job.train.model_copy(update={"minutes": minutes, "refit": False})
    blend = job.blend.model_copy(update={"use": "never"})
    job = job.model_copy(update={"train": train, "blend": blend})
    return ma.train(job, out=folder / name, quiet=True)


def main() -> None:
    """Prints a line each and keeps them in bench/results/explain.json."""
    reads = argparse.ArgumentParser(description=__doc__)
    reads.add_argument("--sets", nargs="*", default=list(SETS), help="of curves; none for none")
    reads.add_argument("--rows", type=int, default=40, help="rows of each set's curves")
    reads.add_argument("--planted", type=int, default=1000, help="rows of the table, 0 for none")
    reads.add_argument("--epochs", type=int, default=12, help="of the planted table's run")
    reads.add_argument("--minutes", type=float, default=4.0, help="of training a set")
    reads.add_argument("--data", type=Path, default=default_data())
    given = reads.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        if given.planted:
            start = time.perf_counter()
            line = planted(Path(folder), given.planted, given.epochs, 100)
            lines.append({**line, "seconds": round(time.perf_counter() - start)})
            print(json.dumps(lines[-1]), flush=True)
        for name in given.sets:
            start = time.perf_counter()
            run = train_set(name, given.data, Path(folder), given.minutes)
            line = {"what": name, **curves(run, SETS[name], given.rows)}
            lines.append({**line, "seconds": round(time.perf_counter() - start)})
            print(json.dumps(lines[-1]), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(lines, indent=1) + "\n")


if __name__ == "__main__":
    rest_soon()
    main()
