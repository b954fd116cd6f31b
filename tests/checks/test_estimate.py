"""The estimate grows with what is dear, keeps its parts apart, and times the machine soundly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from modalloy.cells.cells import Cells
from modalloy.checks.estimate import (
    AGAIN,
    EARLY,
    PRICES,
    PROBED,
    START_S,
    Estimate,
    epochs,
    estimate,
    gflop_of,
    machine_gflops,
    works_of,
)
from modalloy.checks.flops import Work, fusion_work, tabular_weights
from modalloy.job import config
from modalloy.machine.limits import cores
from modalloy.model.encoders.table import TableEncoder
from modalloy.readers.number import NumberReader
from modalloy.table.open_table import open_table
from modalloy.table.split import Parts
from modalloy.table.table import Table

ROWS = 100


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """Ten pictures of 64 pixels, ten sounds of two seconds, texts of 20 words, series, numbers."""
    draw = np.random.default_rng(0)
    for i in range(10):
        Image.fromarray(draw.integers(0, 255, (64, 64), dtype=np.uint8)).save(tmp_path / f"{i}.png")
        soundfile.write(tmp_path / f"{i}.wav", draw.normal(0, 0.1, 16_000), 8000)
    frame = pd.DataFrame(
        {
            "photo": [f"{i % 10}.png" for i in range(ROWS)],
            "sound": [f"{i % 10}.wav" for i in range(ROWS)],
            "note": ["pump leaks again today " * 5 for _ in range(ROWS)],
            "wave": [draw.normal(size=1000) for _ in range(ROWS)],
            "load": draw.normal(size=ROWS),
            "fault": draw.choice(["a", "b", "c"], ROWS),
            "hours": draw.normal(size=ROWS),
        }
    )
    return open_table(frame, folder=tmp_path)


def make(columns: dict[str, Any], **changes: Any) -> config.Job:
    page: dict[str, Any] = {
        "table": "x",
        "split": {"random": "stratified"},
        "columns": columns,
        "tasks": {"t": {"type": "classify", "target": "fault"}},
    }
    return config.Job.model_validate(page | changes)


ALL = np.arange(ROWS)
PARTS = Parts(ALL[:70], ALL[70:80], ALL[80:])


def minutes(table: Table, columns: dict[str, Any], **changes: Any) -> float:
    return estimate(make(columns, **changes), table, PARTS, gflops=100.0).minutes


LITE = {"photo": {"type": "image", "encoder": "efficientnet_lite0", "pixels": 160}}
MINILM = {"note": {"type": "text", "encoder": "minilm"}}


def test_more_work_takes_longer(table: Table) -> None:
    base = minutes(table, LITE)  # 20 passes would be 180 steps: there are 34
    assert minutes(table, LITE, train={"epochs": 34}) == pytest.approx(base, rel=1e-3)
    assert minutes(table, {"photo": LITE["photo"] | {"pixels": 320}}) > 2 * base
    assert minutes(table, {"photo": LITE["photo"] | {"encoder": "efficientnet_lite2"}}) > base
    assert minutes(table, LITE, train={"epochs": 102}) > 2 * base
    frozen = minutes(table, {"photo": LITE["photo"] | {"tune": "frozen"}})
    last = minutes(table, {"photo": LITE["photo"] | {"tune": "last_n", "last_n": 2}})
    assert frozen < last < base
    assert minutes(table, MINILM) > minutes(table, {"note": {"type": "text"}})
    assert minutes(table, LITE | MINILM) > max(base, minutes(table, MINILM))


def test_learning_beside_layers_costs_less_than_learning_them(table: Table) -> None:
    def of(tune: str) -> Estimate:
        job = make({"note": MINILM["note"] | {"tune": tune}})
        return estimate(job, table, PARTS, gflops=100.0)

    frozen, beside, full = of("frozen"), of("lora"), of("full")
    assert frozen.minutes < beside.minutes < full.minutes
    assert frozen.memory_gb < beside.memory_gb < full.memory_gb - 0.5


def test_a_pass_of_frozen_encoders_before_tuning_them_is_counted(table: Table) -> None:
    once = {"train": {"frozen_first": False}}
    added = minutes(table, LITE | MINILM) - minutes(table, LITE | MINILM, **once)
    assert 0 < added < 0.5 * (minutes(table, LITE | MINILM, **once) - START_S / 60)
    frozen = {n: o | {"tune": "frozen"} for n, o in (LITE | MINILM).items()}
    assert minutes(table, frozen) == pytest.approx(minutes(table, frozen, **once), rel=0.05)


def test_a_faster_machine_is_done_sooner(table: Table) -> None:
    job = make(LITE, train={"epochs": 100})
    slow, fast = (estimate(job, table, PARTS, gflops=g).minutes for g in (50.0, 500.0))
    assert 3 < slow / fast < 10


def test_more_memory_for_more(table: Table) -> None:
    def memory(columns: dict[str, Any], **changes: Any) -> float:
        return estimate(make(columns, **changes), table, PARTS, gflops=100.0).memory_gb

    plain = memory({"load": {"type": "number"}})
    assert plain < 1
    assert memory(MINILM) > plain + 0.3  # 22.7 M parameters with their moments and copies
    assert memory({"note": MINILM["note"] | {"tune": "frozen"}}) < memory(MINILM)
    assert memory(LITE, train={"batch": 256}) > memory(LITE, train={"batch": 8}) + 1


def test_work_of_known_networks(table: Table) -> None:
    columns: dict[str, Any] = {
        **MINILM,
        "photo": LITE["photo"] | {"pixels": 224},
        "sound": {"type": "audio", "encoder": "whisper_tiny_en"},
    }
    note, photo, sound, _ = works_of(make(columns), table, PARTS)
    assert photo.gflop == pytest.approx(2 * 0.39, rel=0.05)  # published: 407 M multiply-adds
    assert note.parameters == pytest.approx(22.7e6, rel=0.05)
    assert note.words == 30_522 * 384
    assert 0.5 < sound.gflop / 2 < 1.1  # two seconds; torch's flop counter says 0.77 for one
    assert photo.read_s > 0
    assert {w.kind for w in (note, sound)} == {"trunk"}


def test_lengths_are_sampled_and_cut(table: Table) -> None:
    def gflop(columns: dict[str, Any]) -> float:
        return works_of(make(columns), table, PARTS)[0].gflop

    short, long = ({"note": MINILM["note"] | {"max_tokens": n}} for n in (8, 512))
    assert gflop(long) > 2 * gflop(short)
    one, two = ({"sound": {"type": "audio", "seconds": s}} for s in (1.0, 30.0))
    assert gflop(two) == pytest.approx(2 * gflop(one))  # the recordings last two seconds
    few, many = ({"wave": {"type": "series", "length": n}} for n in (100, 4096))
    assert 2 < gflop(many) / gflop(few) < 20


def test_an_hf_folder_is_described_by_its_config(table: Table, tmp_path: Path) -> None:
    folder = tmp_path / "bert"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"hidden_size": 32, "num_hidden_layers": 2}))
    tiny, _ = works_of(make({"note": {"type": "text", "encoder": f"hf:{folder}"}}), table, PARTS)
    hub, _ = works_of(make({"note": {"type": "text", "encoder": "hf:some/bert"}}), table, PARTS)
    assert tiny.gflop < hub.gflop / 1000


def test_passes_over_rows() -> None:
    job = make({"load": {"type": "number"}}, train={"epochs": 10, "patience": 0})
    price = PRICES["trunk"]
    full = gflop_of(Work("trunk", 1.0, 0.0), job, PARTS)
    assert full == pytest.approx(10 * 70 * price.train + (10 * 10 + 20 + PROBED) * price.forward)
    frozen = gflop_of(Work("trunk", 1.0, 0.0, changed=0.0), job, PARTS)
    assert frozen == pytest.approx(100 * price.forward)


def test_rows_without_an_answer_cost_nothing(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "note": ["pump leaks again today " * 5 for _ in range(ROWS)],
            "fault": ["a", "b", None, None, None] * (ROWS // 5),
            "hours": [1.0, None, None, None, 2.0] * (ROWS // 5),
        }
    )
    table = open_table(frame, folder=tmp_path)
    train = {"epochs": 500, "patience": 0}
    hours = {"h": {"type": "regress", "target": "hours"}}
    fault = {"f": {"type": "classify", "target": "fault"}}
    one = minutes(table, MINILM, train=train, tasks=fault)
    both = minutes(table, MINILM, train=train, tasks=fault | hours)
    assert 1.3 < both / one < 1.7  # 60 of 100 rows have an answer, against 40


def test_more_classes_than_boosting_has_rounds_for_cost_no_more(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"load": np.arange(800.0), **{f"c{n}": np.arange(800) % n for n in (20, 80)}}
    )
    table = open_table(frame, folder=tmp_path)
    rows = np.arange(800)
    parts = Parts(rows[:600], rows[600:700], rows[700:])
    load = {"load": {"type": "number"}}
    found = [
        estimate(
            make(load, tasks={"t": {"type": "classify", "target": f"c{n}"}}),
            table,
            parts,
            gflops=100.0,
        ).minutes
        for n in (20, 80)
    ]
    assert found[0] == pytest.approx(found[1])


def test_patience_shortens_only_where_rows_validate() -> None:
    job = make({"load": {"type": "number"}}, train={"epochs": 10, "patience": 3})
    assert epochs(job, PARTS) == pytest.approx(10 * EARLY)
    assert epochs(job, PARTS._replace(validation=ALL[:0])) == 10
    patient = make({"load": {"type": "number"}}, train={"epochs": 10, "patience": 0})
    assert epochs(patient, PARTS) == 10
    again = make({"load": {"type": "number"}}, train={"epochs": 10, "patience": 0, "refit": True})
    assert epochs(again, PARTS) == pytest.approx(10 + 10 * AGAIN * 80 / 70)
    assert epochs(again, PARTS._replace(train=ALL[:0])) > 10  # check says what is wrong with it


@pytest.mark.parametrize(
    "fuse", ["concat", "sum", "multilinear", "gated", "attention", "bottleneck", "tabm"]
)
def test_every_fusion_has_a_price(fuse: str) -> None:
    made = make({"load": {"type": "number"}}, fuse={"type": fuse}).fuse
    works = [Work("trunk", 1.0, 0.0, tokens=20.0)]
    alone, beside = fusion_work(made, works, 0), fusion_work(made, works * 2, 5)
    assert 0 < alone.gflop < beside.gflop
    assert alone.parameters > 0


def test_unreadable_files_do_not_matter(table: Table) -> None:
    frame = pd.DataFrame({"photo": ["no.png", None] * 50, "fault": ["a", "b"] * 50})
    made = estimate(make(LITE), open_table(frame, folder=table.folder), PARTS, gflops=100.0)
    assert made.minutes > 0


def test_files_outside_are_not_opened(table: Table, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    frame = pd.DataFrame({"sound": ["../0.wav"] * ROWS, "fault": ["a", "b"] * 50})
    columns = {"sound": {"type": "audio", "seconds": 30.0}}
    away = works_of(make(columns), open_table(frame, folder=inside), PARTS)[0]
    seen = works_of(make(columns, allow_outside=True), open_table(frame, folder=inside), PARTS)[0]
    assert away.gflop == pytest.approx(15 * seen.gflop)  # 30 s assumed against 2 s read


def test_the_machine_is_timed() -> None:
    found = machine_gflops(0.05)
    assert 0.5 * cores() < found < 5000 * cores()


def test_one_line_for_the_terminal() -> None:
    assert "42 seconds and 1.5 GB" in Estimate(0.7, 1.5, 300.0).text()
    assert "12 minutes" in Estimate(12.3, 1.5, 300.0).text()


# --- many tabular columns ------------------------------------------------------------------------


@pytest.mark.parametrize("size", ["small", "base"])
def test_weights_of_a_plain_column_are_those_of_its_encoder(size: str) -> None:
    options = config.Number(size=size)
    x = np.random.default_rng(0).normal(size=400)
    readers = [NumberReader.fit(n, options, Cells({n: list(x)})) for n in "abc"]
    counts = []
    for some in (readers[:1], readers):
        encoder = TableEncoder(some, {n: options for n in "abc"}, 64)
        counts.append(sum(p.numel() for p in encoder.parameters()))
    one = (counts[1] - counts[0]) / 2
    assert tabular_weights(options, 64.0) == pytest.approx(one, rel=0.05)


def wide(rows: int, columns: int) -> Estimate:
    draw = np.random.default_rng(0)
    names = [f"c{i}" for i in range(columns)]
    frame = pd.DataFrame(draw.normal(size=(rows, columns)), columns=names)
    frame["fault"] = draw.choice(["a", "b"], rows)
    part = np.arange(rows)
    parts = Parts(part[: rows // 2], part[rows // 2 : rows * 3 // 4], part[rows * 3 // 4 :])
    train = {"epochs": 20, "batch": 32}  # as many steps whatever the columns, and no folds
    job = make({n: {"type": "number"} for n in names}, train=train)
    return estimate(job, open_table(frame), parts, gflops=100.0)


def test_each_of_many_plain_columns_costs_seconds_and_memory_of_its_own() -> None:
    few, more, many = wide(100, 10), wide(100, 100), wide(100, 1000)
    assert few.minutes * 60 < START_S + 5
    one = (many.minutes - more.minutes) * 60 / 900
    assert 0.015 < one < 0.05  # looked at, learned, boosted and judged alone
    assert (many.minutes - more.minutes) == pytest.approx(
        10 * (more.minutes - few.minutes), rel=0.05
    )
    assert many.memory_gb > more.memory_gb + 900 * tabular_weights(config.Number(), 256) * 60e-9
    assert wide(1000, 100).minutes > more.minutes
