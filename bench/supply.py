"""What stocks of car parts cost when they are run by a model's orders, beside usual methods.

    python -m bench.supply [carparts] [--data FOLDER] [--only METHOD ...]

2,509 parts over 51 months, of which the last 12 are never learned from. At the start of each of
these an order is made that comes a month later, so that it has to last for two; a piece in stock
costs 1 a month, one that is owed 9. One row a part and month: what was sold in the months before,
as a list of numbers, and the demand of two months as the target. Learns from orders of months 24
to 37; which `distribution` to take is chosen by the last two of these. Every method is run twice:
once its orders replace what is owed, and once, as in the measurements that the goal was set by,
they look at the shelf alone. Writes bench/results/supply.json and the table of docs/supply.md;
seconds are of the processor.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.line import Line, publish, table
from bench.shared_sets import default_data
from modalloy.runs.run import Run
from modalloy.stock.methods import Cover, methods_for, sums_of
from modalloy.stock.run import StockRun, run_stock
from modalloy.verbs import predict, train

FIRST, TESTED = 24, 39  # the first month with an order to learn from, and the first one judged
HELD = 36  # orders of this month and the next choose the distribution
COVER = Cover(2, 0.9)
COSTS = {"lead_time": 1, "review": 1, "holding": 1.0, "shortage": 9.0}
GOAL_COST, GOAL_FILL = 3.40, 0.80
DISTRIBUTIONS = ("negative_binomial", "zero_inflated", "empirical")
ANCHORS = {  # cost a part and month, and fill rate, as they were measured before
    "quantile of 24 periods": "3.68, .76",
    "mean of all periods, Poisson": "4.56, .63",
    "Croston, Poisson": "6.58, .55",
    "SBA, Poisson": "6.75, .54",
    "TSB, Poisson": "3.85, .69",
}


def main() -> None:
    """Run each method, and publish."""
    parser = argparse.ArgumentParser(prog="python -m bench.supply")
    parser.add_argument("sets", nargs="*", choices=["carparts", []])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--only", nargs="*", choices=DISTRIBUTIONS, default=DISTRIBUTIONS)
    args = parser.parse_args()
    file = args.data / "carparts" / "long.parquet"
    if not file.is_file():
        sys.exit(f"No file {file}; give the data folder with --data.")
    sold_IT = read(file)
    lines = [*usual(sold_IT), *models(sold_IT, args.only)]
    lines = [line._replace(command="python -m bench.supply carparts") for line in lines]
    publish("supply", lines, "supply.md")
    print(table(lines), flush=True)


def read(file: Path) -> np.ndarray:
    """Pieces sold of each part that has all its months, (I, T)."""
    long = pd.read_parquet(file)
    wide = long.pivot(index="id", columns="month", values="sales").to_numpy(dtype=np.float64)
    return wide[np.isfinite(wide).all(1)]


def usual(sold_IT: np.ndarray) -> Iterator[Line]:
    """Figures of the usual methods, and of no stock at all."""
    after_IT = sold_IT[:, TESTED:]
    for name, level in methods_for(COVER).items():
        start = time.process_time()
        months = range(TESTED, sold_IT.shape[1])
        level_IT = np.stack([level(sold_IT[:, :month]) for month in months], 1)
        yield from figures(name, level_IT, after_IT, time.process_time() - start)
    nothing = run_stock(np.zeros(after_IT.shape), after_IT, **COSTS, count_owed=False)
    anchor = "before: 25.64, 0"
    yield Line("no stock", "cost, orders by the shelf", nothing.cost, anchor=anchor)


def models(sold_IT: np.ndarray, kinds: Sequence[str]) -> Iterator[Line]:
    """Figures of a run for each distribution; how well each fits the held-back months."""
    rows = rows_of(sold_IT)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "orders.parquet"
        rows.to_parquet(path, index=False)
        for kind in kinds:
            start = time.process_time()
            run = train(job_of(path, kind), out=Path(folder) / kind, quiet=True)
            said = predict(run, rows[rows["use"] == "test"], quiet=True)
            level_IT = said["demand.order_up_to"].to_numpy(float)
            seconds = time.process_time() - start
            level_IT = level_IT.reshape(-1, len(sold_IT)).T
            name = f"Modalloy, {kind}"
            yield Line(name, "CRPS of held-back months", held_back(run), seconds=seconds)
            yield from figures(name, level_IT, sold_IT[:, TESTED:], seconds)


def rows_of(sold_IT: np.ndarray) -> pd.DataFrame:
    """A row a part and month from `FIRST` on, but of those whose two months reach into months that
    are held back or judged; the target of the last month is not known.
    """
    months = [m for m in range(FIRST, sold_IT.shape[1]) if m not in (HELD - 1, TESTED - 1)]
    return pd.concat([month_rows(sold_IT, month) for month in months], ignore_index=True)


def month_rows(sold_IT: np.ndarray, month: int) -> pd.DataFrame:
    """One month's rows: of what was sold before it, and what is asked for then."""
    past_IT, count = sold_IT[:, :month], sold_IT.shape[1]
    seen = [past_IT[:, -k] for k in (1, 2, 3)]
    for window in (3, 6, 12, 24, month):
        seen += [past_IT[:, -window:].mean(1), (past_IT[:, -window:] > 0).mean(1)]
    seen += [past_IT[:, -24:].std(1), past_IT[:, -24:].max(1)]
    seen += [sums_of(past_IT[:, -24:], COVER.periods).max(1)]
    some_IT = past_IT[:, ::-1] > 0
    seen += [np.where(some_IT.any(1), some_IT.argmax(1), month).clip(0, 24)]
    demand = sold_IT[:, month : month + COVER.periods].sum(1)
    known = month + COVER.periods <= count
    use = "test" if month >= TESTED else "val" if month >= HELD else "train"
    own = {"part": np.arange(len(sold_IT)), "month": month, "sold": sold_IT[:, month]}
    past = list(np.log1p(np.stack(seen, 1)).astype(np.float32))
    return pd.DataFrame({**own, "past": past, "demand": demand if known else np.nan, "use": use})


def job_of(path: Path, kind: str) -> dict[str, Any]:
    """A job that learns orders with one kind of distribution."""
    order = {**COSTS, "item": "part", "period": "month", "sold": "sold"}
    task = {"type": "regress", "target": "demand", "distribution": kind, "order": order}
    return {
        "table": str(path),
        "split": {"column": "use"},
        "columns": {"past": {"type": "vector"}},
        "tasks": {"demand": task},
        "fuse": {"type": "concat", "width": 64, "dropout": 0.0, "modality_dropout": 0.0},
        "train": {"epochs": 5, "batch": 256, "lr": 3e-3, "refit": True},
        "calibrate": {"use": "never"},
        "unlike": {"use": "never"},
        "seed": 0,
    }


def held_back(run: Run) -> float:
    """The lowest CRPS of the validation rows while it learned."""
    report = json.loads((run.path / "report.json").read_text())
    return min(float(epoch["validation"]["demand"]["crps"]) for epoch in report["curves"])


def figures(name: str, level_IT: np.ndarray, sold_IT: np.ndarray, seconds: float) -> Iterator[Line]:
    """Cost and fill of a stock by these levels, its orders by all that is owed and by the shelf."""
    for count_owed in (True, False):
        ran = run_stock(level_IT, sold_IT, **COSTS, count_owed=count_owed)
        before = "" if count_owed else ANCHORS.get(name, "")
        anchor = f"before: {before}" if before else ""
        by = "orders by all owed" if count_owed else "orders by the shelf"
        ours = name.startswith("Modalloy")
        cost = Line(name, f"cost, {by}", ran.cost, spread(ran), anchor, seconds=seconds)
        fill = Line(name, f"fill, {by}", ran.fill, None, anchor, seconds=seconds)
        if ours:
            cost = cost._replace(goal=f"<= {GOAL_COST}", reached=ran.cost <= GOAL_COST)
            fill = fill._replace(goal=f">= {GOAL_FILL}", reached=ran.fill >= GOAL_FILL)
        yield cost
        yield fill


def spread(ran: StockRun) -> tuple[float, float]:
    """95 % of mean costs when parts are drawn anew."""
    cost_I, draw = ran.cost_IT.mean(1), np.random.default_rng(0)
    drawn = [float(draw.choice(cost_I, len(cost_I)).mean()) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
