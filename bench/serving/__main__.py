"""`python -m bench.serving`: greedy batching, a swap under load, memory, rows that are followed."""

import argparse
import csv
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.latency import SPLIT, TRAIN, job_of, minilm
from bench.line import Line, publish, table
from bench.serving.servers import ONE, free_port, litserve, loaded, ours, resident_mb
from bench.shared_sets import default_data

PAGE, MARKS = "performance.md", "serving"
ROUNDS, SECONDS = 3, 6.0
FREE = {"rate": 1e6}  # requests a second: the bench is one client
CLIENTS = (1, 32)


def main() -> None:
    """Each part that is named, all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench.serving")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--dry", action="store_true", help="print and write nothing")
    args = parser.parse_args()
    if unknown := [p for p in args.parts if p not in PARTS]:
        sys.exit(f"There is no part '{unknown[0]}'; there are {', '.join(PARTS)}.")
    for name in args.parts or PARTS:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            lines = list(PARTS[name](Path(folder), args.data))
        told = {
            "seconds": time.perf_counter() - start,
            "command": f"python -m bench.serving {name}",
        }
        lines = [line._replace(**told) for line in lines]
        if not args.dry:
            publish("serving", lines, PAGE, marks=MARKS)
        print(table(lines), flush=True)


def exported(job: dict[str, Any], folder: Path, name: str = "model") -> Path:
    """A short training as a bundle."""
    import modalloy as ma

    run = ma.train(job, out=folder / f"{name}-run", quiet=True)
    ma.export(run, out=folder / f"{name}.zip", quiet=True)
    return folder / f"{name}.zip"


def numbers(folder: Path, name: str = "plain", seed: int = 0) -> dict[str, Any]:
    """Three numbers and a category."""
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({c: draw.normal(size=300) for c in ("a", "b", "c")})
    frame["site"] = draw.choice(["x", "y"], 300)
    frame["kind"] = np.where(frame["a"] + frame["b"] > 0, "good", "bad")
    frame.to_parquet(folder / f"{name}.parquet", index=False)
    columns = {**{c: {"type": "number"} for c in ("a", "b", "c")}, "site": {"type": "category"}}
    job = job_of(folder / f"{name}.parquet", columns, "kind", seed=seed)
    return job | {"split": SPLIT, "train": TRAIN | {"epochs": 3}}


def some_rows(count: int) -> list[dict[str, Any]]:
    """Bodies of requests for the model of numbers."""
    draw = np.random.default_rng(1)
    return [
        {"rows": [{"a": float(a), "b": float(b), "c": float(c), "site": "x"}]}
        for a, b, c in draw.normal(size=(count, 3))
    ]


def batching(folder: Path, data: Path) -> Iterator[Line]:
    """Greedy batching beside none, and beside LitServe with the same graphs. Once of a network that
    takes the whole processor, and once of one that leaves most of it to the server.
    """
    jobs = {"MiniLM, 32 pieces": minilm, "own small text encoder": own_encoder}
    for name, make in jobs.items():
        place = folder / name.split()[0]
        place.mkdir()
        yield from batching_of(name, make(place, data), place)


def own_encoder(folder: Path, data: Path) -> dict[str, Any]:
    """The same questions, read by a small encoder that was learned from them."""
    job = minilm(folder, data)
    job["columns"]["text"] = {"type": "text", "max_tokens": 32}
    return job


def batching_of(name: str, job: dict[str, Any], folder: Path) -> Iterator[Line]:
    """The figures of one model."""
    model = exported(job, folder)
    texts = pd.read_parquet(folder / "t.parquet")["text"]
    bodies = [{"rows": [{"text": t}]} for t in texts[:200]]
    usual = {"keep_rows": False, "limits": FREE}
    with (
        ours(model, folder / "a.live", **usual) as (greedy, _),
        ours(model, folder / "b.live", **usual | {"limits": FREE | {"batch": 1}}) as (single, _),
        litserve(model, folder, 16) as lit,
    ):
        ports = {"greedy": greedy, "no batching": single, "LitServe": lit}
        found: dict[tuple[str, int], list[Any]] = {}
        for server, port in ports.items():  # what is asked first is slower
            assert loaded(port, "/predict", bodies, clients=4, seconds=2.0).failed == 0, server
        for _ in range(ROUNDS):
            for clients in CLIENTS:
                for server, port in ports.items():
                    one = loaded(port, "/predict", bodies, clients=clients, seconds=SECONDS)
                    assert one.failed == 0, f"{server}: {one.failed} failed"
                    found.setdefault((server, clients), []).append(one)
    most = graphs_alone(model, texts.tolist())
    anchor = f"16 rows together, one thread; {most[1]:.0f} one after the other"
    yield Line(name, "rows a second that its graphs alone answer", most[0], anchor=anchor)
    yield from compared(name, found, "no batching", (1.8, 1.1))
    yield from compared(name, found, "LitServe", (1.5, 0.5))


def graphs_alone(model: Path, texts: list[str]) -> tuple[float, float]:
    """Rows a second without a server: 16 together, and one by one."""
    from modalloy.answer.predictor import Predictor
    from modalloy.table.open_table import open_table

    predictor = Predictor(model, threads=1)
    loader, _ = predictor.open(open_table([{"text": t} for t in texts[:160]]))
    engine, rates = predictor.engine, []
    for size in (16, 1):
        given = [loader.batch(np.arange(i, i + size)) for i in range(0, 160, size)]
        with engine.answering():
            engine.decide(engine.encode(given[0], engine.inputs))
            start = time.perf_counter()
            for some in given:
                engine.decide(engine.encode(some, engine.inputs))
        rates.append(160 / (time.perf_counter() - start))
    return rates[0], rates[1]


def compared(
    name: str, found: dict[tuple[str, int], list[Any]], other: str, goals: tuple[float, float]
) -> Iterator[Line]:
    """Requests a second at 32 clients, and the median wait of one, beside another server's."""
    case = f"{name}, beside {'LitServe' if other == 'LitServe' else 'one at a time'}"
    own, its = found["greedy", 32], found[other, 32]
    ratios = [a.per_second / b.per_second for a, b in zip(own, its, strict=True)]
    x, rates = (
        statistics.median(ratios),
        [statistics.median(o.per_second for o in s) for s in (own, its)],
    )
    late = [s[-1].p99_ms for s in (own, its)]
    anchor = f"{rates[0]:.0f} and {rates[1]:.0f} a second; p99 {late[0]:.0f} and {late[1]:.0f} ms"
    goal = f">= {goals[0]:g}x"
    given = ((min(ratios), max(ratios)), anchor, goal, x >= goals[0])
    yield Line(case, "times as many requests a second, 32 clients", x, *given)
    own, its = found["greedy", 1], found[other, 1]
    ratios = [a.p50_ms / b.p50_ms for a, b in zip(own, its, strict=True)]
    x, p50 = statistics.median(ratios), [statistics.median(o.p50_ms for o in s) for s in (own, its)]
    anchor = f"p50 {p50[0]:.2f} and {p50[1]:.2f} ms"
    given = ((min(ratios), max(ratios)), anchor, f"<= {goals[1]:g}x", x <= goals[1])
    yield Line(case, "times the wait of one client", x, *given)


def swap(folder: Path, data: Path) -> Iterator[Line]:
    """Another model takes over, again and again, while requests come."""
    from modalloy.deployment.deployment import Deployment

    del data
    first, second = (exported(numbers(folder, n, s), folder, n) for s, n in enumerate("ab"))
    with ours(first, folder / "live", keep_rows=False, limits=FREE) as (port, _):
        deployment = Deployment.open(folder / "live")
        version = deployment.add(second, origin="bench")
        done: list[float] = []

        def swapping() -> None:
            for number in (version.number, 1) * 4:
                time.sleep(1.5)
                deployment.swap(number, "bench")
                done.append(time.perf_counter())

        thread = threading.Thread(target=swapping)
        thread.start()
        found = loaded(port, "/predict", some_rows(100), clients=8, seconds=14.0)
        thread.join()
    anchor = f"{found.requests} requests by 8 clients, {len(done)} swaps, p99 {found.p99_ms:.1f} ms"
    fine = found.failed == 0 and len(found.versions) == 2
    yield Line("a swap under load", "requests that failed", found.failed, None, anchor, "0", fine)


def memory(folder: Path, data: Path) -> Iterator[Line]:
    """Memory of the server after many requests, with rows and answers kept."""
    del data
    model = exported(numbers(folder), folder)
    with ours(model, folder / "live", limits=FREE) as (port, process):
        bodies, sizes, rate = some_rows(1000), [], []
        for _ in range(5):
            one = loaded(port, "/predict", bodies, clients=32, seconds=600.0, most=20_000)
            assert one.failed == 0, f"{one.failed} failed"
            sizes.append(resident_mb(process))
            rate.append(one.per_second)
    grown = sizes[-1] - sizes[0]
    told = ", ".join(f"{s:.0f}" for s in sizes)
    anchor = f"{told} MB after each 20,000; {statistics.median(rate):.0f} a second, rows kept"
    case, name = "100,000 requests", "MB more after the last 80,000"
    yield Line(case, name, grown, None, anchor, "flat: <= 10 MB", grown <= 10.0)


def follow(folder: Path, data: Path) -> Iterator[Line]:
    """Rows of a file that grows, while the process is killed three times."""
    del data
    model, inbox, live = exported(numbers(folder), folder), folder / "inbox", folder / "live"
    inbox.mkdir()
    answers = inbox / "answers" / "line.csv.answers.csv"
    rows, kills = 2000, 0
    start = time.perf_counter()
    with open(inbox / "line.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "c", "site"])
        process = started(model, live, inbox)
        for number in range(rows):
            writer.writerow([number / rows, 0.5, -0.1, "x"])
            if number % 50 == 49:
                file.flush()
                time.sleep(0.02)
            if number in (500, 1000, 1500):
                until(answers, number // 2)
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
                process = started(model, live, inbox)
    until(answers, rows)
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)
    with open(answers, newline="") as file:
        numbers_ = [int(r["followed.number"]) for r in csv.DictReader(file)]
    lost, twice = rows - len(set(numbers_)), len(numbers_) - len(set(numbers_))
    anchor = f"{rows} rows, killed {kills} times, {time.perf_counter() - start:.0f} s"
    yield Line("a followed file", "rows lost", lost, None, anchor, "0", lost == 0)
    yield Line("a followed file", "rows answered twice", twice, None, anchor, "0", twice == 0)


def started(model: Path, live: Path, inbox: Path) -> subprocess.Popen[bytes]:
    """`modalloy serve --follow`, as a plant runs it."""
    words = [sys.executable, "-m", "modalloy", "serve", str(model), "--live", str(live)]
    words += ["--port", str(free_port()), "--follow", str(inbox)]
    return subprocess.Popen(words, env=os.environ | ONE, start_new_session=True)


def until(answers: Path, rows: int) -> None:
    """Wait for so many answers."""
    last = time.monotonic() + 120
    while not answers.exists() or len(answers.read_bytes().splitlines()) - 1 < rows:
        assert time.monotonic() < last, "answers do not come"
        time.sleep(0.05)


PARTS: dict[str, Callable[[Path, Path], Iterator[Line]]] = {
    "batching": batching,
    "swap": swap,
    "memory": memory,
    "follow": follow,
}

if __name__ == "__main__":
    main()
