"""Recordings become a text column: heard once for each content, refused in a sentence."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

import modalloy as ma
from modalloy.answer.dealt import DealtLoader, deal
from modalloy.answer.predictor import Predictor
from modalloy.errors import JobError, RunError, TableError
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.speech import heard
from modalloy.table.fingerprints import fingerprints
from modalloy.table.open_table import open_table
from untrained import untrained


class Listener:
    """Hears how often a wave swings."""

    rate_hz = 16_000

    def __init__(self) -> None:
        self.heard = 0

    def texts(self, waves: list[np.ndarray]) -> list[str]:
        self.heard += len(waves)
        tones = [int(np.abs(np.fft.rfft(w)).argmax() * self.rate_hz / len(w)) for w in waves]
        return ["low tone" if hz < 300 else "high tone" if hz < 1000 else "" for hz in tones]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Listener:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = Listener()
    monkeypatch.setattr(heard, "network", lambda: found)
    return found


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """60 rows with recordings of four tones, one of them missing; the cause follows the tone."""
    times = np.arange(4000) / 8000
    for i, hz in enumerate((100, 200, 500, 700)):
        soundfile.write(tmp_path / f"{i}.wav", 0.5 * np.sin(2 * np.pi * hz * times), 8000)
    draw = np.random.default_rng(0)
    which = draw.integers(0, 4, 60)
    frame = pd.DataFrame(
        {
            "call": [f"{i}.wav" for i in which],
            "load": draw.normal(size=60),
            "cause": ["worn bearing" if i < 2 else "loose belt" for i in which],
        }
    )
    frame.loc[3, "call"] = None
    frame.to_csv(tmp_path / "calls.csv", index=False)
    return tmp_path / "calls.csv"


def job(path: Path, **column: Any) -> dict[str, Any]:
    said = {"type": "text", "from_audio": "call", "transcribe": "whisper_tiny_en", "max_tokens": 8}
    return {
        "table": str(path),
        "split": {"random": "stratified"},
        "columns": {"load": {"type": "number"}, "said": said | column},
        "fuse": {"type": "concat", "width": 32},
        "tasks": {"cause": {"type": "classify", "target": "cause"}},
        "train": {"epochs": 8, "folds": 0, "precision": "float32", "batch": 8},
        "blend": {"use": "never"},
        "allow_leak": True,
    }


def test_from_audio_adds_what_transcribe_hears(
    calls: Path, tmp_path: Path, listener: Listener
) -> None:
    run = ma.train(job(calls), out=tmp_path / "run", quiet=True)
    assert listener.heard == 4  # each content once, however many rows name it
    answers = ma.predict(run, calls, quiet=True)
    assert set(answers["text.said"].dropna()) == {"low tone", "high tone"}
    assert pd.isna(answers["text.said"][3])
    assert answers["status.said"][3] == "missing"
    frame = pd.read_csv(calls)
    there = frame["call"].notna()
    assert (answers["cause"] == frame["cause"])[there].mean() > 0.9
    one = ma.predict(run, frame.iloc[5:6].assign(call=str(calls.parent / "x.wav")), quiet=True)
    assert "cannot be read and count as missing (row 0: " in one.attrs["notes"][0]
    assert listener.heard == 4
    shutil.copy(calls.parent / "0.wav", calls.parent / "again.wav")
    data = (calls.parent / "again.wav").read_bytes()
    alone = ma.predict(run, [{"call": data, "load": 0.0}], quiet=True)
    assert alone["text.said"][0] == "low tone"  # known by its content, under any name
    assert listener.heard == 4
    shutil.rmtree(calls.parent / "cache")
    some = ma.predict(run, calls, rows=slice(0, 1), quiet=True)
    assert list(some["text.said"]) == list(answers["text.said"][:1])
    assert listener.heard == 5  # of the rows that were asked for alone
    report = ma.evaluate(run, quiet=True)  # the rows are those that it was trained on
    assert report.tasks["cause"]["accuracy"] > 0.9


def test_explain_hears_the_rows_that_it_explains_and_predict_shows_how_far_it_is(
    calls: Path, tmp_path: Path, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    run = untrained(tmp_path / "run", calls, job=load_job(job(calls)))
    again(calls, listener)
    why = ma.explain(run, calls, row=0, past=0)
    assert listener.heard == 1
    assert "said" in why.as_dict()["tasks"]["cause"]["columns"]
    each = pd.concat([pd.read_csv(calls)] * 4, ignore_index=True)
    times = np.arange(4000) / 8000
    for i in range(len(each)):
        wave = 0.5 * np.sin(2 * np.pi * (90 + i) * times)
        soundfile.write(calls.parent / f"own{i}.wav", wave, 8000)
    each["call"] = [f"own{i}.wav" for i in range(len(each))]
    each.to_csv(table := calls.parent / "each.csv", index=False)
    again(calls, listener)
    ma.explain(run, table, quiet=True)
    assert listener.heard == 100  # of 240 rows
    capsys.readouterr()
    ma.predict(run, table, rows=slice(0, 3), quiet=True)
    assert "listening" not in capsys.readouterr().err
    ma.predict(run, table, rows=slice(0, 3))
    assert "listening to call" in capsys.readouterr().err


def test_economize_refuses_what_is_heard_before_anything_is_bought(
    calls: Path, tmp_path: Path, listener: Listener
) -> None:
    run = untrained(tmp_path / "run", calls, job=load_job(job(calls)))
    again(calls, listener)
    why = "column 'said' is heard in the recordings of 'call' before any column is bought"
    with pytest.raises(RunError, match=why):
        ma.economize(run, calls, out=tmp_path / "cheap", quiet=True)
    assert listener.heard == 0
    assert not (tmp_path / "cheap").exists()


def test_a_recording_and_its_text_are_dealt_out_together(
    calls: Path, tmp_path: Path, listener: Listener
) -> None:
    both = job(calls)
    both["columns"]["call"] = {"type": "audio", "rate_hz": 8000, "seconds": 0.5}
    run = untrained(tmp_path / "run", calls, job=load_job(both))
    report = ma.evaluate(run, calls, out=tmp_path / "page.html", quiet=True)
    assert set(report.shuffled["cause"]) == {"table", "said + call"}
    loader, which = Predictor(run).open(open_table(calls))[0], np.arange(60)
    other = deal(which, 60, 0)
    dealt = DealtLoader(loader, ["said", "call"], other)
    own, one, far = loader.batch(which), dealt.batch(which), loader.batch(other)
    for name in ("said", "call"):
        assert (one.present[name] == far.present[name]).all()
        for key, values in far.values[name].items():
            np.testing.assert_array_equal(one.values[name][key], values)
    np.testing.assert_array_equal(one.values["table"]["number"], own.values["table"]["number"])
    assert dealt.cells(["said"], which)["said"] == loader.cells(["said"], other)["said"]


def again(calls: Path, listener: Listener) -> None:
    """Nothing was heard yet."""
    shutil.rmtree(calls.parent / "cache", ignore_errors=True)
    listener.heard = 0


def test_rows_are_told_by_their_recordings_not_by_what_was_heard(
    calls: Path, listener: Listener
) -> None:
    loaded = config.Job.model_validate(job(calls))
    table = open_table(str(calls))
    assert (
        fingerprints(table, loaded) == fingerprints(heard.with_heard(table, loaded), loaded)
    ).all()


def test_what_cannot_be_heard_is_refused_or_counts_as_missing(
    calls: Path, listener: Listener
) -> None:
    (calls.parent / "2.wav").write_bytes(b"RIFF no sound")
    with pytest.raises(
        TableError, match=r"column 'call', row \d+: .*2\.wav.*set unreadable: missing"
    ):
        ma.check(job(calls))
    loaded = config.Job.model_validate(job(calls) | {"unreadable": "missing"})
    table = heard.with_heard(open_table(str(calls)), loaded)
    frame = pd.read_csv(calls)
    broken = frame["call"].eq("2.wav")
    texts = table.written("said")
    assert all(texts[row] is None for row in np.flatnonzero(broken))
    assert (
        f"column 'said': {broken.sum()} of the recordings in 'call' cannot be read"
        in table.notes[0]
    )


@pytest.mark.parametrize(
    ("column", "why"),
    [
        ({"from_audio": "cal"}, "has no column 'cal'. Did you mean 'call'"),
        ({"from_audio": "load"}, "must name a column of recordings; 'load' is of type number"),
        ({"from_audio": "said"}, "is the column itself"),
    ],
)
def test_a_wrong_column_is_told(calls: Path, column: dict[str, Any], why: str) -> None:
    with pytest.raises(JobError, match=rf"columns\.said\.from_audio: .*{why}"):
        ma.check(job(calls, **column))


def test_a_table_that_has_the_text_already_is_refused(calls: Path, listener: Listener) -> None:
    frame = pd.read_csv(calls).assign(said="x")
    frame.to_csv(calls, index=False)
    with pytest.raises(
        JobError, match=r"columns\.said\.from_audio: .* has a column 'said' already"
    ):
        ma.check(job(calls))
