from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from modalloy.checks.finding import Finding
from modalloy.checks.media_findings import file_findings
from modalloy.checks.media_scan import Media, scan
from modalloy.job import config
from modalloy.table.open_table import open_table

DRAW = np.random.default_rng(0)


def findings(cells: list[str], folder: Path, options: Media) -> list[Finding]:
    table = open_table(pd.DataFrame({"m": cells}), folder=folder)
    files = scan(table, "m", options, np.arange(len(cells)), allow_outside=False)
    return list(file_findings("m", files, options, unreadable="refuse"))


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(DRAW.integers(0, 256, (16, 16), dtype=np.uint8)).save(path)


def sound(path: Path, factor: float, subtype: str = "FLOAT") -> None:
    soundfile.write(path, DRAW.normal(0, 0.1 * factor, 800), 8000, subtype=subtype)


def test_paths_that_are_mended_are_counted_with_an_example(tmp_path: Path) -> None:
    for name in ("img/a.png", "img/b.png", "img/c.png"):
        picture(tmp_path / name)
    cells = ["img/a.png", "img/B.PNG ", r"C:\x\img\c.png", r"D:\y\img\c.png"]
    spelled, moved, one_file = findings(cells, tmp_path, config.Image())
    assert (spelled.level, spelled.rows) == ("note", [1])
    assert "'img/B.PNG ' is read from img/b.png" in spelled.what
    assert (moved.level, moved.rows) == ("warning", [2, 3])
    assert "begin in another place" in moved.what
    assert one_file.rows == [2, 3]
    assert "were they two?" in one_file.what
    assert findings(["img/a.png", "img/b.png", "img/a.png"], tmp_path, config.Image()) == []


def test_pages_behind_the_first_are_told(tmp_path: Path) -> None:
    frames = [Image.fromarray(DRAW.integers(0, 256, (9, 9), dtype=np.uint8)) for _ in range(2)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    picture(tmp_path / "b.tif")
    (found,) = findings(["a.tif", "b.tif"], tmp_path, config.Image())
    assert (found.level, found.rows) == ("note", [0])
    assert "several pages or frames; only the first" in found.what


@pytest.mark.parametrize(
    ("factors", "level", "rows", "words"),
    [
        ([1.0, 2.0], None, [], ""),
        ([1000.0, 3000.0], "note", [0, 1], "not scaled to 1; all such files are heard relative"),
        ([1000.0, 1.0, 1000.0], "warning", [0, 2], "1 others stay within 1"),
        ([1.0] * 5 + [1e6], "warning", [5], "clicks, or another unit"),
    ],
)
def test_floats_that_are_not_scaled_to_one_are_told(
    tmp_path: Path, factors: list[float], level: str | None, rows: list[int], words: str
) -> None:
    for i, factor in enumerate(factors):
        sound(tmp_path / f"{i}.wav", factor)
    found = findings([f"{i}.wav" for i in range(len(factors))], tmp_path, config.Audio())
    assert [(f.level, f.rows) for f in found] == ([(level, rows)] if level else [])
    assert all(words in f.what for f in found)


def test_channels_that_cancel_each_other_are_told(tmp_path: Path) -> None:
    x = DRAW.normal(0, 0.1, 800)
    soundfile.write(tmp_path / "a.wav", np.stack([x, -x], axis=1), 8000)
    sound(tmp_path / "b.wav", 1.0, "PCM_16")
    (found,) = findings(["b.wav", "a.wav"], tmp_path, config.Audio())
    assert (found.level, found.rows) == ("warning", [1])
    assert "cancel each other" in found.what


def test_recordings_that_lack_high_tones_are_told(tmp_path: Path) -> None:
    for name, rate_hz in (("a", 8000), ("b", 16_000), ("c", 44_100)):
        soundfile.write(tmp_path / f"{name}.wav", DRAW.normal(0, 0.1, 800), rate_hz)
    (found,) = findings(["b.wav", "a.wav", "c.wav"], tmp_path, config.Audio(rate_hz=16_000))
    assert (found.level, found.rows) == ("warning", [1])
    assert "rate_hz: 8000 hears all of them alike" in found.what
    assert findings(["a.wav", "c.wav"], tmp_path, config.Audio(rate_hz=8000)) == []
    assert findings(["a.wav", "a.wav"], tmp_path, config.Audio(rate_hz=16_000)) == []


def series(folder: Path, name: str, columns: str, heading: bool = True) -> None:
    names = columns.split(",")
    frame = pd.DataFrame(DRAW.normal(size=(9, len(names))).round(3), columns=names)
    frame.to_csv(folder / name, index=False, header=heading)


def told(found: list[Finding]) -> list[tuple[str, list[int], str]]:
    return [(f.level, f.rows, f.what) for f in found]


def test_channels_of_series_files_are_named_and_compared(tmp_path: Path) -> None:
    series(tmp_path, "0.csv", "force,sound")
    series(tmp_path, "1.csv", "sound,force")
    cells = ["0.csv", "1.csv"]
    order = "; files list them in different orders, they are read by name"
    assert told(findings(cells, tmp_path, config.Series())) == [
        ("note", [], f"channels force, sound{order}")
    ]
    for i in range(2, 12):
        series(tmp_path, f"{i}.csv", "force,sound")
    series(tmp_path, "12.csv", "force,sound,temp")
    series(tmp_path, "13.csv", "force,temp")
    series(tmp_path, "14.csv", "force,sound", heading=False)
    cells = [f"{i}.csv" for i in (*range(0, 1), *range(2, 15))]
    channels, more, unfit, mixed = told(findings(cells, tmp_path, config.Series()))
    assert channels == ("note", [], "channels force, sound")
    assert mixed == (
        "warning", [13], "1 row with files without names beside others with them"
    )  # fmt: skip
    assert unfit[:2] == ("error", [12])
    assert "13.csv lacks the channel sound of training; it has force, temp" in unfit[2]
    assert more[:2] == ("note", [11])
    assert "12.csv left out temp, no channel of training" in more[2]


def test_what_counts_beside_the_channels_is_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"t": np.arange(9) / 4, "x": DRAW.normal(size=9)})
    frame.to_csv(tmp_path / "0.csv")
    counted, channels = told(findings(["0.csv"], tmp_path, config.Series()))
    assert counted == ("note", [0], "no channels, left out: row numbers, times in column t")
    assert channels[2] == "channels x"


def test_a_few_files_with_a_heading_do_not_name_the_channels_of_the_others(
    tmp_path: Path,
) -> None:
    for i in range(20):
        series(tmp_path, f"{i}.csv", "a,b", heading=i == 3)
    (found,) = told(findings([f"{i}.csv" for i in range(20)], tmp_path, config.Series()))
    assert found[:2] == ("warning", [3])
    assert "with names beside others without; all go by the order" in found[2]


def test_headings_that_name_the_file_are_told(tmp_path: Path) -> None:
    for i in range(4):
        series(tmp_path, f"{i}.csv", f"specimen {i}")
    (found,) = told(findings([f"{i}.csv" for i in range(4)], tmp_path, config.Series()))
    assert found[0] == "warning"
    assert "differ from file to file; channels go by their order" in found[2]
