"""Pictures and sounds of designs: those that differ are shown, and nothing that lies elsewhere."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from modalloy.designing.page import runs_of
from modalloy.designing.pictures import apart, pictures
from modalloy.designing.summary import Point, summary_of
from modalloy.twin.twin import Twin
from searches import TWIN, Search


def shown_of(search: Search) -> str:
    found = summary_of(search.records, runs_of(search.folder), search.twin)
    return pictures(found, search.twin, search.folder)


def test_designs_that_are_shown_differ_from_one_another() -> None:
    """The farthest first; a copy of one that is shown is not shown, and no more than twelve are."""
    twin = Twin.model_validate(TWIN)
    usual = {"ribs": 0, "tube": 10, "material": "steel", "height": 20.0, "wall": 1.0}
    made = [
        Point(i, "final", {**usual, "width": width}, {"mass": 1.0 + i}, True)
        for i, width in enumerate([10.0, 10.0001, 60.0, 35.0, 34.0])
    ]
    assert [p.run for p in apart(made, twin)] == [0, 2, 3, 4]
    metal = made[0]._replace(run=9, values={**made[0].values, "material": "aluminium"})
    assert [p.run for p in apart([*made, metal], twin)] == [0, 2, 3, 4, 9]
    many = [made[0]._replace(run=i, values={**usual, "width": 10 + i / 2}) for i in range(100)]
    runs = [p.run for p in apart(many, twin)]
    assert len(runs) == 12
    assert {0, 99} < set(runs)
    assert np.diff(runs).min() >= 5


def test_recordings_are_played(tmp_path: Path) -> None:
    twin = {**TWIN, "outputs": {**TWIN["outputs"], "tap": {"type": "audio"}}}
    search = Search(tmp_path, twin=twin, final=4).plan().accept()
    told = search.records.last("accept").facts["accepted"]
    wave_L = 3.0 * np.sin(np.arange(800) / 3)
    soundfile.write(tmp_path / "media/tap.wav", wave_L, 8000, subtype="FLOAT")
    told[0]["media"]["tap"] = "media/tap.wav"
    for other in told[1:]:
        other["media"]["tap"] = "media/gone.wav"
    page = shown_of(search)
    best = told[0]["run"]
    assert re.findall('<audio controls title="([^"]*)"', page) == [f"Run {best}: tap"]
    data = re.findall('src="data:audio/mpeg;base64,([^"]*)"', page)[0]
    heard_L, _ = soundfile.read(io.BytesIO(base64.b64decode(data)))
    assert 0.8 < np.abs(heard_L).max() <= 1.05  # scaled, where it would be cut off
    assert "unreadable: " in page


def test_a_picture_that_is_gone_or_elsewhere_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "search"
    search = Search(folder, final=4).plan().accept()
    told = search.records.last("accept").facts["accepted"]
    (folder / told[0]["media"]["drawing"]).unlink()
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    for other in told[1:]:
        other["media"]["drawing"] = "../secret.png"
    page = shown_of(search)
    assert "unreadable: " in page
    assert "../secret.png lies outside the folder of the search" in page
    assert 'class="thumb"' not in page
