"""How much faster `compress` answers than torch in float32, encoder by encoder, at what loss.

`python -m bench.latency` trains a short run for each row, compresses it, and reads what was found
beside torch in the same interleaved rounds. Rows that are there already are left; name them to have
them again. Goals assume products of half and 8-bit numbers in the processor (AMX); where they are
not here, the table says so beside the goal.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from bench.clip import SIZES, write_checkpoint
from bench.line import ROOT, Line, publish, read, table
from bench.shared_sets import default_data

PAGE, MARKS = "performance.md", "compress"
RESULTS = ROOT / "bench" / "results" / "latency.json"
SAME = 0.995
AMX = "amx_int8"
WORDS = ["pump", "bearing", "valve", "rotor", "seal", "loud", "worn", "cracked", "clean", "north"]
ENOUGH = 1600  # rows, of which 640 judge: 8 bits within half a point take 600
SPLIT = {"random": "stratified", "test": 0.1, "validation": 0.4}
TRAIN = {"epochs": 2, "batch": 32, "precision": "float32"}
PLAIN = {name: {"use": "never"} for name in ("blend", "calibrate", "unlike")}


class Case(NamedTuple):
    """job: makes the job of a row in a folder. column: whose graph is looked at, "" for the whole.
    goals: times as fast, of (one row, 16 rows), with the same decisions, and at half a point.
    """

    name: str
    job: Callable[[Path, Path], dict[str, Any]]
    column: str
    same: tuple[float | None, float | None]
    half: tuple[float | None, float | None]


def main() -> None:
    """Each row that is asked for, or is not there yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.latency")
    names = ["roofline", *CASES]
    parser.add_argument("rows", nargs="*", help=f"of {', '.join(names)}; those without a line")
    parser.add_argument("--data", type=Path, default=default_data())
    parser.add_argument("--dry", action="store_true", help="print and write nothing")
    args = parser.parse_args()
    there = {line["case"] for line in read(RESULTS)}
    cases = {"roofline": "roofline", **{name: case.name for name, case in CASES.items()}}
    wanted = args.rows or [name for name, case in cases.items() if case not in there]
    if unknown := [name for name in wanted if name not in names]:
        sys.exit(f"There is no row '{unknown[0]}'; there are {', '.join(names)}.")
    for name in wanted:
        with tempfile.TemporaryDirectory() as folder:
            lines = list(of_case(name, Path(folder), args.data))
        if not args.dry:
            publish("latency", lines, PAGE, marks=MARKS)
        print(table(lines), flush=True)


def of_case(name: str, folder: Path, data: Path) -> Iterator[Line]:
    """The figures of one row."""
    import modalloy as ma

    start = time.perf_counter()
    if name == "roofline":
        told = {"command": "python -m bench.latency roofline"}
        for line in roofline():
            yield line._replace(seconds=time.perf_counter() - start, **told)
        return
    case = CASES[name]
    run = ma.train(case.job(folder, data), out=folder / "run", quiet=True)
    place = folder / "fast.zip"
    ma.compress(run, out=place, quiet=True)
    report = json.loads((folder / "fast.compress.json").read_text())
    seconds, command = time.perf_counter() - start, f"python -m bench.latency {name}"
    for line in found_lines(case, report):
        yield line._replace(seconds=seconds, command=command)
    more = MORE.get(name)
    if more is not None:
        yield from (line._replace(command=command) for line in more(case.name, run, place, folder))


def found_lines(case: Case, report: dict[str, Any]) -> Iterator[Line]:
    """Of one graph, or of the whole network, what was the fastest within each promise."""
    if not case.column:
        yield from whole_lines(case, report)
        return
    own = [r for r in report["candidates"] if r["branch"] == case.column and r["guard"]]
    alike = [r for r in own if min(r["guard"]["agreement"].values()) >= SAME]
    kept = [r for r in own if not r["guard"]["reasons"]]
    plain = next(r for r in report["candidates"] if r["branch"] == case.column)["speed"]
    for promise, rows, goals in (
        ("same decisions", alike, case.same),
        ("half a point", kept, case.half),
    ):
        for at, goal in zip(("one", "many"), goals, strict=True):
            size = "1 row" if at == "one" else "16 rows"
            metric = f"times as fast, {size}, {promise}"
            if not rows:
                yield Line(case.name, metric, None, anchor="no candidate kept it", goal=said(goal))
                continue
            best = max(rows, key=lambda r: r["speed"][f"x_{at}"][0])
            x, low, high = best["speed"][f"x_{at}"]
            anchor = f"{best['candidate']}; torch {plain[f'ms_{at}']:.3g} ms"
            reached = None if goal is None else x >= goal
            yield Line(case.name, metric, x, (low, high), anchor, said(goal), reached)
    share = max((r["speed"]["share_of_peak"] or 0.0, r["candidate"]) for r in kept or alike or own)
    metric = "percent of this machine's peak, 16 rows, the candidate nearest to it"
    yield Line(case.name, metric, 100.0 * share[0], anchor=share[1])


def roofline() -> Iterator[Line]:
    """What this machine computes and copies at most: whatever is faster was measured wrong."""
    import torch

    from modalloy.machine.fingerprint import processor
    from modalloy.machine.peak import peak

    found = peak(threads=torch.get_num_threads())
    anchor = f"{found.threads} threads, {processor()}"
    for kind, rate in found.operations.items():
        best = max((r, e) for e, r in found.engines.items() if e.endswith(f"/{kind}"))[1]
        told = f"{best.partition('/')[0]}; {anchor}"
        yield Line("roofline", f"GFLOP/s of {kind} products", rate / 1e9, anchor=told)
    if found.copied is not None:
        yield Line("roofline", "GB/s copied", found.copied / 1e9, anchor=anchor)


def whole_lines(case: Case, report: dict[str, Any]) -> Iterator[Line]:
    """What a whole answer of one row takes."""
    before, after = report["compute_ms"]["one"]
    taken = [r["candidate"] for r in report["candidates"] if r["verdict"] == "chosen"]
    anchor = f"p50 {before:.3g} ms and {after:.3g} ms; {', '.join(taken)}"
    goal = case.half[0]
    x = before / after
    name = "times as fast, 1 row, p50, half a point"
    yield Line(case.name, name, x, None, anchor, said(goal), None if goal is None else x >= goal)
    yield Line(case.name, "milliseconds to read one row", report["feed_ms"])


def said(goal: float | None) -> str:
    """A goal in words, with what it assumes."""
    from modalloy.machine.fingerprint import cpu_flags

    if goal is None:
        return ""
    return f">= {goal:g}x" if AMX in cpu_flags() else f">= {goal:g}x (AMX not here)"


# --- jobs --------------------------------------------------------------------------------------


def job_of(place: Path, columns: dict[str, Any], target: str, **more: Any) -> dict[str, Any]:
    """A job that trains in seconds."""
    fuse = {"type": "concat", "width": 64, "layers": 1}
    tasks = {"answer": {"type": "classify", "target": target}}
    return {
        "table": str(place), "allow_outside": True, "split": SPLIT, "columns": columns,
        "fuse": fuse, "tasks": tasks, "train": TRAIN, **PLAIN, **more,
    }  # fmt: skip


def minilm(folder: Path, data: Path) -> dict[str, Any]:
    """Banking77's questions of twelve kinds, 32 pieces, MiniLM frozen."""
    import pandas as pd

    frame = pd.read_csv(data / "banking77" / "table.csv")
    kinds = sorted(frame["intent"].unique())[:12]
    frame = frame[frame["intent"].isin(kinds)].sample(ENOUGH, random_state=0)
    frame[["text", "intent"]].to_parquet(folder / "t.parquet", index=False)
    text = {"type": "text", "encoder": "minilm", "max_tokens": 32, "tune": "frozen"}
    return job_of(folder / "t.parquet", {"text": text}, "intent", train=TRAIN | {"epochs": 15})


def efficientnet(folder: Path, data: Path) -> dict[str, Any]:
    """Solar cells, EfficientNet-lite0 frozen, 224 pixels."""
    import pandas as pd

    frame = pd.read_csv(data / "elpv" / "table.csv").sample(ENOUGH, random_state=0)
    frame["image"] = [str(data / "elpv" / path) for path in frame["image"]]
    frame["defective"] = frame["defective"].astype(str)
    frame[["image", "defective"]].to_parquet(folder / "t.parquet", index=False)
    image = {"type": "image", "encoder": "efficientnet_lite0", "pixels": 224, "tune": "frozen"}
    return job_of(folder / "t.parquet", {"image": image}, "defective", train=TRAIN | {"epochs": 10})


def vit(folder: Path, data: Path) -> dict[str, Any]:
    """ViT-B/16 with random weights on noise; too few rows for a promise of 8 bits."""
    import transformers as t

    del data
    t.ViTModel(t.ViTConfig(), add_pooling_layer=False).save_pretrained(folder / "vit")
    image = {"type": "image", "encoder": f"hf:{folder / 'vit'}", "pixels": 224, "tune": "frozen"}
    return job_of(noise(folder, 60), {"image": image}, "kind")


def clip(folder: Path, data: Path) -> dict[str, Any]:
    """CLIP ViT-B/32 with random weights, picture and text; its L/14 does not fit a short bench."""
    del data
    (folder / "clip").mkdir()
    write_checkpoint(folder / "clip", "ViT-B/32")
    tower = {"encoder": f"hf:{folder / 'clip'}", "tune": "frozen"}
    image = {"type": "image", "pixels": SIZES["ViT-B/32"].pixels, **tower}
    columns = {"image": image, "text": {"type": "text", "max_tokens": 77, **tower}}
    return job_of(noise(folder, 48), columns, "kind")


def spectrogram(folder: Path, data: Path) -> dict[str, Any]:
    """Recordings of two seconds, their spectrogram and a small convolution network."""
    import pandas as pd

    frame = pd.read_csv(data / "esc10" / "table.csv")
    frame["audio"] = [str(data / "esc10" / path) for path in frame["audio"]]
    frame[["audio", "label"]].to_parquet(folder / "t.parquet", index=False)
    audio = {"type": "audio", "rate_hz": 16000, "seconds": 2.0}
    return job_of(folder / "t.parquet", {"audio": audio}, "label", train=TRAIN | {"epochs": 8})


def series(folder: Path, data: Path) -> dict[str, Any]:
    """Vibration of bearings through a learned convolution."""
    import pandas as pd

    frame = pd.read_parquet(data / "cwru" / "table.parquet").sample(frac=1.0, random_state=0)
    frame[["vib_drive_end", "condition"]].to_parquet(folder / "t.parquet", index=False)
    column = {"type": "series", "length": 1024, "front": ["learned"]}
    job = job_of(folder / "t.parquet", {"vib_drive_end": column}, "condition")
    return job | {"train": TRAIN | {"epochs": 8}}


def fused(folder: Path, data: Path) -> dict[str, Any]:
    """Text, picture, series, number and category of a made-up plant."""
    del data
    columns = {
        "text": {"type": "text", "encoder": "minilm", "max_tokens": 32, "tune": "frozen"},
        "image": {
            "type": "image",
            "encoder": "efficientnet_lite0",
            "pixels": 160,
            "tune": "frozen",
        },
        "series": {"type": "series", "length": 256, "front": ["learned"]},
        "load": {"type": "number"},
        "site": {"type": "category"},
    }
    return job_of(noise(folder, ENOUGH), columns, "kind", train=TRAIN | {"epochs": 8})


def exposure(folder: Path, data: Path) -> dict[str, Any]:
    """Drawn defects under a light that varies from picture to picture, and a small network."""
    del data
    train = TRAIN | {"epochs": 12}
    image = {"type": "image", "pixels": 64, "augment": "none"}
    return job_of(noise(folder, ENOUGH, light=True), {"image": image}, "kind", train=train)


def noise(folder: Path, rows: int, *, light: bool = False) -> Path:
    """A table of drawn pictures, series, words and numbers in which the kind of a row shows."""
    import pandas as pd

    draw = np.random.default_rng(0)
    (folder / "img").mkdir(exist_ok=True)
    lines = []
    for row in range(rows):
        kind = row % 4
        picture = 90 + 25 * draw.normal(size=(96, 96))
        at = draw.integers(16, 72, 2)
        cross, size = kind in (1, 3), 3 if kind < 2 else 7
        picture[at[0] : at[0] + size, at[1] - 14 : at[1] + 14] += 110
        if cross:
            picture[at[0] - 14 : at[0] + 14, at[1] : at[1] + size] += 110
        scale = float(np.exp(draw.normal(-0.9, 0.9))) if light else 1.0
        array = np.clip(scale * picture, 0, 255).astype(np.uint8)
        Image.fromarray(array).save(folder / "img" / f"{row}.png")
        wave = np.sin(np.arange(256) / (2 + 2 * kind)) + 0.5 * draw.normal(size=256)
        words = [WORDS[kind], *draw.choice(WORDS, draw.integers(3, 24))]
        load, site = float(kind + draw.normal()), f"s{draw.integers(3)}"
        lines.append(
            {"image": f"img/{row}.png", "series": wave, "text": " ".join(words), "load": load,
             "site": site, "kind": "abcd"[kind]}
        )  # fmt: skip
    place = folder / "t.parquet"
    pd.DataFrame(lines).to_parquet(place, index=False)
    return place


# --- more of single rows -----------------------------------------------------------------------


def notes(case: str, run: Any, place: Path, folder: Path) -> Iterator[Line]:
    """All questions end to end: every one padded to 128 pieces in torch, as a plain script does,
    against the bundle, which answers texts of like length together.
    """
    from modalloy.answer.network import answer_rows
    from modalloy.answer.predictor import Predictor
    from modalloy.machine.bursts import faster, interleaved
    from modalloy.table.open_table import open_table

    del folder
    before, after = Predictor(run), Predictor(place)
    opened = open_table(run.job.table)
    loaders = [p.open(opened).loader for p in (before, after)]
    loaders[0].features.clear()
    rows = np.arange(128)

    def padded() -> None:
        engine = before.engine
        with engine.answering():
            for i in range(0, len(rows), 16):
                given = loaders[0].batch(rows[i : i + 16])
                values = given.values["text"]
                for name, x in values.items():
                    if x.ndim > 1:
                        values[name] = np.pad(x, ((0, 0), (0, 128 - x.shape[1])))
                engine.decide(engine.encode(given, engine.inputs))

    def quick() -> None:
        answer_rows(after.engine, loaders[1], rows)

    start = time.perf_counter()
    timings = interleaved({"slow": padded, "fast": quick}, rounds=5, most_s=90)
    x = faster(timings["slow"], timings["fast"])
    anchor = f"{timings['slow'].p50_ms:.0f} ms and {timings['fast'].p50_ms:.0f} ms of 128 rows"
    metric = "times as fast, a table end to end, against padding to 128"
    given = (anchor, said(22.0), x.value >= 22.0, time.perf_counter() - start)
    yield Line(case, metric, x.value, (x.low, x.high), *given)


def repair(case: str, run: Any, place: Path, folder: Path) -> Iterator[Line]:
    """Points that 8 bits cost with the tool's own ranges, and with ours."""
    import torch

    from modalloy.answer.predictor import Predictor
    from modalloy.answer.torch_engine import TorchEngine
    from modalloy.deploy.branch_search import BUILDS, Bench, build_of, session_from
    from modalloy.deploy.budget import Budget
    from modalloy.deploy.calibration_rows import own_table
    from modalloy.deploy.candidates import Candidate
    from modalloy.deploy.contract import Contract
    from modalloy.deploy.guard import Guard
    from modalloy.deploy.ladder import climb
    from modalloy.deploy.network import graphed, operations_in

    del place, folder
    predictor, one = Predictor(run), Candidate("openvino", "int8", "calibrated")
    rows, threads = own_table(predictor), torch.get_num_threads()
    network = graphed(predictor, predictor.model, rows, threads, quiet=True)
    guard = Guard(predictor, rows, TorchEngine(predictor.model), Contract("latency", 0.5))
    bench = Bench("latency", threads, Budget(None), None, network.base, guard)
    data, feed = network.data["image"], network.feeds["image"]
    function, given = build_of(bench, data, operations_in(data), feed, one)
    assert function == f"{BUILDS}.nncf_int8:build", "the build of int8"

    def judged(result: Any) -> Any:
        """What the guard says of a build; it passes here where half a point is lost at most."""
        session = session_from(one, tuple(result["files"]), threads)
        found = bench.judge("image", one, session, feed)
        lost = found.losses["answer"][0]
        return replace(found, reasons=() if lost <= 0.5 else (f"{lost:.2f} points lost",))

    name = "points lost, ranges averaged over rows (NNCF's default)"
    made = bench.confine(function, given | {"true_ranges": False})
    if made.why is not None:
        yield Line(case, name, None, anchor=made.why)
    else:
        found = judged(made.result)
        lost, most = found.losses["answer"]
        anchor = f"{found.rows} held-back rows, at most {most:.2f}; built in {made.seconds:.0f} s"
        yield Line(case, name, lost, None, anchor)
    name, goal = "points lost, ours", "<= 0.5 in < 60 s"
    made = bench.confine(function, given)
    if made.why is not None:
        yield Line(case, name, None, anchor=made.why, goal=goal, reached=False)
        return
    found, seconds, said = judged(made.result), made.seconds, "true ranges"
    if not found.passed:
        climbed = climb(given, bench.confine, judged, Budget(None), failed=found)
        found, seconds = climbed.judged or found, seconds + climbed.seconds
        said = climbed.text
    lost, most = found.losses["answer"]
    anchor = f"{found.rows} held-back rows, at most {most:.2f}; {seconds:.0f} s: {said}"
    yield Line(case, name, lost, None, anchor, goal, lost <= 0.5 and seconds < 60)


CASES = {
    "minilm": Case("MiniLM, 32 pieces", minilm, "text", (4.5, 3.3), (5.5, 4.0)),
    "efficientnet": Case("EfficientNet-lite0", efficientnet, "image", (4.0, 4.3), (5.0, 5.5)),
    "vit": Case("ViT-B/16, random weights", vit, "image", (4.4, None), (5.8, None)),
    "clip": Case("CLIP ViT-B/32 pair, random weights", clip, "", (3.6, None), (5.5, None)),
    "spectrogram": Case("spectrogram CNN", spectrogram, "audio", (10.0, None), (10.0, None)),
    "series": Case("1-D convolution", series, "vib_drive_end", (7.5, None), (7.5, None)),
    "fused": Case("five columns fused", fused, "", (4.0, None), (6.0, None)),
    "exposure": Case("an int8 that default ranges break", exposure, "image", *2 * ((None, None),)),
}
MORE = {"minilm": notes, "exposure": repair}

if __name__ == "__main__":
    main()
