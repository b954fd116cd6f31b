"""Whether runs tell what they never learned from, and what decisions by cost are worth.

    python -m bench.unlike [SET ...] [--data FOLDER] [--runs FOLDER] [--rows 200]

The scoreboard's jobs, made cheap: pretrained encoders are frozen. Of each run, test rows as they
are beside the same rows with one thing changed: the picture is of another set, noise, or black; a
sensor's channel is dead (constant 0) or shifted by three deviations of its training samples.
Writes the AUROC of `unlike.score`, how often the column that was changed is the one that is named,
and the shares called unlike, to bench/results/unlike.json and the table of its page; of elpv also
what decisions cost. Runs that are in the folder already are taken as they are.
"""

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from bench.line import Line, publish, table
from bench.shared_sets import cheap_job, default_data
from modalloy.answer.predictor import Predictor
from modalloy.runs.run import Run, load_run
from modalloy.table.split import split_job
from modalloy.table.table import open_table
from modalloy.verbs import train

PAGE = "decide.md"
GOAL = 0.90  # AUROC
SHIFT = 3.0  # deviations
SETS = ("elpv", "cmapss_fd001", "cwru")
FOREIGN = {"deeppcb": ("test_img", "*.png"), "easy_vqa": ("img", "*.png")}
COSTS = {"costs": {"miss": 10, "false_alarm": 1, "ask": 0.5}, "positive": "1"}
CHANNELS = {  # column of the job -> the channels that are changed, one after the other
    "cmapss_fd001": ("sensors", ("s02", "s07", "s12", "s21")),
    "cwru": ("vibration", ("vib_drive_end", "vib_fan_end")),
}


class Odd(NamedTuple):
    """Rows with one thing changed, and the beginning of the name of what is unlike then."""

    what: str
    rows: pd.DataFrame
    column: str


def main() -> None:
    """Train what is not there yet, and judge it."""
    parser = argparse.ArgumentParser(prog="python -m bench.unlike")
    parser.add_argument("sets", nargs="*", choices=[*SETS, []])
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--rows", type=int, default=200)
    args = parser.parse_args()
    if not args.data.is_dir():
        sys.exit(f"No data folder at {args.data}; give it with --data.")
    with tempfile.TemporaryDirectory() as folder:
        runs = args.runs or Path(folder)
        for name in args.sets or SETS:
            start = time.perf_counter()
            run = run_of(name, args.data, runs)
            made = list(judge(run, name, args.data, args.rows))
            after = {
                "seconds": time.perf_counter() - start,
                "command": f"python -m bench.unlike {name}",
            }
            lines = [line._replace(**after) for line in made]
            publish("unlike", lines, PAGE)
            print(table(lines), flush=True)


def run_of(name: str, data: Path, runs: Path) -> Run:
    """The run of a set, trained where it is not there."""
    if (runs / name / "run.json").is_file():
        return load_run(runs / name)
    plain = cheap_job(name, data)
    if name == "elpv":
        plain["split"]["validation"] = 0.1
        plain["tasks"]["defective"]["decide"] = COSTS
    return train(plain, out=runs / name, quiet=True)


def judge(run: Run, name: str, data: Path, count: int) -> Iterator[Line]:
    """Figures of one set."""
    draw, predictor = np.random.default_rng(0), Predictor(run)
    opened = open_table(run.job.table)
    parts = split_job(opened, run.job)
    frame = frame_of(run.job.table)
    test = draw.permutation(parts.test)[:count]
    usual = with_bytes(frame.iloc[test], name, data)
    before = predictor.frame(usual)
    share = float((before["unlike"] == "yes").mean())
    expected = f"{run.job.unlike.share:.0%} expected"
    yield Line(name, "usual test rows called unlike", share, anchor=expected)
    for odd in odd_rows(name, usual, frame.iloc[parts.train], data, draw):
        after = predictor.frame(odd.rows)
        scores = [f["unlike.score"].to_numpy(float) for f in (after, before)]
        yes = after["unlike"] == "yes"
        named = after.loc[yes, "unlike.column"].str.startswith(odd.column)
        right = f", of which {named.mean():.0%} by their column" if len(named) else ""
        value, anchor = auroc(*scores), f"{yes.mean():.0%} called unlike{right}"
        given = (f"{name}, {odd.what}", "AUROC of unlike.score", value, spread(*scores, draw))
        yield Line(*given, anchor, f">= {GOAL}", value >= GOAL)
    report = json.loads((run.path / "report.json").read_text())
    for policy, line in report["decided"].get("defective", {}).get("policies", {}).items():
        yield Line(name, f"cost a row, {policy}", line["cost"], tuple(line["interval"]["cost"]))


def odd_rows(
    name: str, usual: pd.DataFrame, train_rows: pd.DataFrame, data: Path, draw: np.random.Generator
) -> Iterator[Odd]:
    """The same rows with one thing changed, one change after the other."""
    if name == "elpv":
        for other, (folder, ending) in FOREIGN.items():
            files = sorted((data / other / folder).glob(ending))
            some = [files[i] for i in draw.choice(len(files), len(usual), replace=False)]
            rows = usual.assign(image=[path.read_bytes() for path in some])
            yield Odd(f"pictures of {other}", rows, "image")
        pixels = draw.integers(0, 256, (len(usual), 160, 160), dtype=np.uint8)
        yield Odd("noise", usual.assign(image=[png(p) for p in pixels]), "image")
        black = png(np.zeros((160, 160), dtype=np.uint8))
        yield Odd("a black picture", usual.assign(image=[black] * len(usual)), "image")
        return
    column, channels = CHANNELS[name]
    for channel in channels:
        known = train_rows[channel].dropna()
        samples = np.concatenate([np.asarray(x, dtype=float) for x in known])
        there = usual[usual[channel].notna()]
        cells = [np.asarray(x, dtype=float) for x in there[channel]]
        dead = there.assign(**{channel: [0 * x for x in cells]})
        shifted = there.assign(**{channel: [x + SHIFT * samples.std() for x in cells]})
        yield Odd(f"{channel} dead", dead, f"{column}[{channel}]")
        yield Odd(f"{channel} shifted", shifted, f"{column}[{channel}]")


def with_bytes(rows: pd.DataFrame, name: str, data: Path) -> pd.DataFrame:
    """Rows whose pictures are in the cells, so that they may lie anywhere."""
    if name != "elpv":
        return rows
    return rows.assign(image=[(data / name / path).read_bytes() for path in rows["image"]])


def frame_of(table: str) -> pd.DataFrame:
    """A table as a frame."""
    return pd.read_csv(table) if table.endswith(".csv") else pd.read_parquet(table)


def png(pixels: np.ndarray) -> bytes:
    """A picture as a file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def auroc(odd: np.ndarray, usual: np.ndarray) -> float:
    """The share of pairs in which the odd row scores higher."""
    above = odd[:, None] > usual
    return float(above.mean() + 0.5 * (odd[:, None] == usual).mean())


def spread(odd: np.ndarray, usual: np.ndarray, draw: np.random.Generator) -> tuple[float, float]:
    """Its 95 % interval, both kinds of rows drawn anew."""
    drawn = [auroc(draw.choice(odd, len(odd)), draw.choice(usual, len(usual))) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
