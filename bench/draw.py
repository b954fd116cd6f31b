"""Whether a run that learned without labels completes digits: beside the mean and the nearest.

    python -m bench.draw [--data FOLDER] [--run FOLDER] [--minutes 10] [--sheet PNG]

Pretrains on the pictures of av_digits' training rows by next-patch prediction alone, then draws
the lower 16 of 28 lines of its held-out test pictures, of which it is shown the upper 12. Beside
it: the mean lower part of training pictures, and the lower part of the training picture whose upper
part is nearest. Squared errors are of pixels between 0 and 1; a support vector machine on the
pixels of whole training pictures says which digit each completed picture shows. Writes
bench/results/draw.json and the table of its page. A run that is in the folder is taken as it is.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.line import Line, publish, table
from bench.shared_sets import default_data
from modalloy.drawing.artist import Artist, Drawn
from modalloy.drawing.draw_run import artist_of
from modalloy.drawing.sheet import as_png, contact_sheet
from modalloy.learn.fitted_rows import open_loader
from modalloy.model.tokens import Batch
from modalloy.runs.run import load_run
from modalloy.table.open_table import open_table
from modalloy.table.split import split_job
from modalloy.verbs import pretrain

PAGE = "verbs/draw.md"
SHOWN = 12  # lines of 28
DRAWS = 8
SPREAD = 1000  # samples of rows, for intervals


class Digits(NamedTuple):
    """Pictures (R, 28, 28) between 0 and 1, and what they show."""

    pictures: np.ndarray
    digits: np.ndarray


class Way(NamedTuple):
    """A way to complete pictures: one or several lower parts of each, (S, R, 16, 28)."""

    name: str
    lower: np.ndarray
    seconds: float


def main() -> None:
    """Pretrain where no run is there yet, complete, and judge."""
    parser = argparse.ArgumentParser(prog="python -m bench.draw")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--run", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rows", type=int, help="test rows, all otherwise; writes no results")
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    if not (args.data / "av_digits").is_dir():
        sys.exit(f"No av_digits at {args.data}; give its folder with --data.")
    with tempfile.TemporaryDirectory() as folder:
        place, start = args.run or Path(folder) / "run", time.perf_counter()
        job = job_of(args.data, args.minutes)
        if not (place / "run.json").is_file():
            pretrain(job, out=place)
        run = load_run(place, pretrained=True)
        seconds = run.notes["seconds"]["training"]
        batch, learned, held = digits_of(job, args.rows)
        drawn = complete(artist_of(run), batch)
        ours = list(ways(drawn, seconds + time.perf_counter() - start))
    lines = list(judged([*simple(learned, held), *ours], learned, held, f"{args.minutes:g}"))
    if args.sheet:
        args.sheet.write_bytes(as_png(contact_sheet(some(drawn, 12), list(range(12)))))
    print(table(lines) if args.rows else table(publish("draw", lines, PAGE)))


def job_of(data: Path, minutes: float) -> dict[str, Any]:
    """Digits of 28 pixels, and nothing but next-patch prediction."""
    return {
        "table": str(data / "av_digits" / "table.csv"),
        "split": {"column": "split"},
        "columns": {"image": {"type": "image", "pixels": 28}},
        "tasks": {"digit": {"type": "classify", "target": "digit"}},
        "fuse": {"type": "concat", "width": 64, "layers": 1},
        "train": {"batch": 32, "lr": 3e-3},
        "pretrain": {
            "masked": {"weight": 0},
            "autoregress": {"width": 64, "layers": 2, "components": 6},
            "minutes": minutes,
            "epochs": 1000,
            "patience": 0,
            "judged": 0,
        },
    }


def digits_of(job: dict[str, Any], rows: int | None) -> tuple[Batch, Digits, Digits]:
    """Test rows as a network reads them; training and test pictures with their digits."""
    from modalloy.job.job_file import load_job

    loaded = load_job(job)
    opened = open_table(loaded.table)
    parts = split_job(opened, loaded)
    loader = open_loader(loaded, opened, parts)
    truth = opened.cells("digit", np.arange(opened.rows))
    found = []
    for part in (parts.train, parts.test[:rows]):
        batch = Batch.of(loader.batch(part))
        pixels = batch.values["image"]["pixels"][:, 0].numpy() / 255.0
        found.append((batch, Digits(pixels, np.array([str(truth[r]) for r in part]))))
    return found[1][0], found[0][1], found[1][1]


def complete(artist: Artist, batch: Batch) -> Drawn:
    """Every picture from its upper lines."""
    return artist.draw("image", batch, anew=1.0 - SHOWN / 28, each=DRAWS, seed=0)


def some(drawn: Drawn, rows: int) -> Drawn:
    """The first rows of it, four draws each."""
    return Drawn(
        drawn.canvas,
        drawn.given[:rows],
        drawn.seen_R[:rows],
        drawn.expected[:rows],
        [draws[:4] for draws in drawn.samples[:rows]],
    )


def ways(drawn: Drawn, seconds: float) -> Iterator[Way]:
    """What a run gives: single draws, and what is expected."""
    draws = np.array(drawn.samples)[:, :, 0, SHOWN:].swapaxes(0, 1) / 255.0
    expected = np.array(drawn.expected)[None, :, 0, SHOWN:] / 255.0
    yield Way("ours, one draw", draws, seconds)
    yield Way("ours, expected", expected, seconds)


def simple(learned: Digits, held: Digits) -> Iterator[Way]:
    """The mean lower part, and that of the nearest upper part."""
    start = time.perf_counter()
    upper, lower = learned.pictures[:, :SHOWN], learned.pictures[:, SHOWN:]
    mean = np.broadcast_to(lower.mean(0), (1, len(held.pictures), *lower.shape[1:]))
    yield Way("mean picture", mean, time.perf_counter() - start)
    a, b = (x.reshape(len(x), -1) for x in (held.pictures[:, :SHOWN], upper))
    apart = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    yield Way("nearest neighbour", lower[apart.argmin(1)][None], time.perf_counter() - start)


def judged(found: list[Way], learned: Digits, held: Digits, minutes: str) -> Iterator[Line]:
    """Both figures of each way; ours are to beat both simple ones."""
    from sklearn.svm import SVC

    command = f"python -m bench.draw --minutes {minutes}"
    judge = SVC(C=10.0).fit(flat(learned.pictures), learned.digits)
    true = judge.predict(flat(held.pictures)) == held.digits
    yield Line("real pictures", "agreement", *told(true), command=command)
    figures: dict[str, dict[str, float]] = {"error": {}, "agreement": {}}
    for way in found:
        error_SR = ((way.lower - held.pictures[:, SHOWN:]) ** 2).mean((2, 3))
        upper = np.broadcast_to(
            held.pictures[:, :SHOWN], (len(way.lower), len(held.digits), SHOWN, 28)
        )
        whole = np.concatenate([upper, way.lower], 2)
        right_SR = np.stack([judge.predict(flat(one)) == held.digits for one in whole])
        for metric, value_SR in (("error", error_SR), ("agreement", right_SR)):
            value, interval = told(value_SR.mean(0))
            figures[metric][way.name] = value
            better, goal = None, ""
            if way.name.startswith("ours"):
                rivals = [figures[metric][n] for n in ("mean picture", "nearest neighbour")]
                low = metric == "error"
                goal = f"{'< ' if low else '> '}{min(rivals) if low else max(rivals):.3g}"
                better = value < min(rivals) if low else value > max(rivals)
            name = "squared error" if metric == "error" else metric
            yield Line(
                way.name, name, value, interval, "both simple ways" if goal else "", goal, better,
                way.seconds, command,
            )  # fmt: skip


def flat(pictures: np.ndarray) -> np.ndarray:
    """A line of pixels a picture."""
    return pictures.reshape(len(pictures), -1)


def told(value_R: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The mean over rows, and its 95 % interval by samples of rows."""
    rng = np.random.default_rng(0)
    means = value_R[rng.integers(0, len(value_R), (SPREAD, len(value_R)))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(value_R.mean()), (float(low), float(high))


if __name__ == "__main__":
    main()
