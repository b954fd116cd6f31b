"""A followed file is answered as `predict` answers it, through the service that HTTP asks."""

import asyncio
import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from PIL import Image

from golden_rows import BUNDLE, FOLDER, golden_rows
from modalloy.answer.predictor import Predictor
from modalloy.deployment.deployment import Deployment
from modalloy.errors import JobError, ModalloyError, TableError
from modalloy.following.inbox import Kinds
from modalloy.following.journal import Taken
from modalloy.serving.followed import Followed, in_numbers, kinds_of, lacking
from modalloy.serving.limits import Limits
from modalloy.serving.schema import Column, data_address
from modalloy.serving.service import Service
from modalloy.serving.sources import Sources


async def eventually(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it does not come")


def read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_followed_table_is_answered_as_predict_answers_it(tmp_path: Path) -> None:
    inbox, said = tmp_path / "inbox", []
    inbox.mkdir()
    shutil.copy(FOLDER / "parts.csv", inbox)
    deployment = Deployment.of(BUNDLE, tmp_path / "live")
    followers = Sources(follow=inbox).followers(deployment.path, said.append)
    out = inbox / "answers" / "parts.csv.answers.csv"

    async def serve() -> pd.DataFrame:
        service = Service(deployment, Limits(), beside=followers)
        service.start()
        await eventually(lambda: len(read(out)) == len(golden_rows()))
        assert service.rows is not None
        kept = service.rows.frame()
        await service.close()
        return kept

    kept = asyncio.run(serve())
    expected = Predictor(BUNDLE).frame(FOLDER / "parts.csv")
    got = read(out)
    assert [r["fault"] for r in got] == expected["fault"].tolist()
    assert [float(r["life"]) for r in got] == pytest.approx(expected["life"].tolist(), rel=1e-5)
    assert {r["followed.error"] for r in got} == {""}
    assert {r["followed.version"] for r in got} == {"1"}
    assert kept["source"].unique().tolist() == ["follow:parts.csv"]
    assert sorted(map(int, kept["request"])) == list(range(len(got)))
    assert all(sentence.startswith("parts.csv") for sentence in said)


COLUMNS = {"photo": Column("photo", "image"), "load": Column("load", "number")}


def followed(folder: Path | None) -> Followed:
    """With no more of a service than cells are read by."""
    service: Any = SimpleNamespace(model=SimpleNamespace(columns=COLUMNS), limits=Limits())
    loop: Any = None
    return Followed(service, loop, folder)


def test_cells_of_a_row_are_read_as_those_of_a_table(tmp_path: Path) -> None:
    ask = followed(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    cells = {"photo": "a.png", "load": "3,5", "extra": "x", "y": " "}
    row = ask.cells_of(Taken("s", 0, cells), COLUMNS)
    assert row == {
        "photo": (tmp_path / "a.png").read_bytes(),
        "load": 3.5,
        "extra": "x",
        "y": None,
    }
    (tmp_path / "b.png").write_bytes(row["photo"][:20])
    for name, why in (("b.png", "picture"), ("none.png", "No such file"), ("../x.png", "outside")):
        with pytest.raises(ModalloyError, match=why):
            ask.cells_of(Taken("s", 3, {"photo": name}), COLUMNS)
    (faulty,) = ask([Taken("s", 3, {"photo": "none.png"})])
    assert faulty.answer is None
    assert "s, row 3, column 'photo'" in str(faulty.fault)


def test_a_message_holds_its_files() -> None:
    ask = followed(None)
    with pytest.raises(ModalloyError, match="No path or address"):
        ask.cells_of(Taken("m", 0, {"photo": "a.png"}), COLUMNS)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    cell = data_address("image/png", out.getvalue())
    assert ask.cells_of(Taken("m", 0, {"photo": cell}), COLUMNS) == {"photo": out.getvalue()}


def test_a_picture_alone_is_a_row_where_the_model_has_one_column_of_pictures() -> None:
    assert kinds_of(COLUMNS) == Kinds(image="photo")
    assert kinds_of(COLUMNS | {"back": Column("back", "image")}) == Kinds()


def test_sources_that_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no such folder to follow"):
        Sources(follow=tmp_path / "none").check()
    with pytest.raises(JobError, match="there is no broker"):
        Sources(password=tmp_path / "p").check()
    with pytest.raises(JobError, match="cannot be read"):
        Sources(mqtt="mqtt://h/t", password=tmp_path / "p").check()
    (tmp_path / "p").write_text("secret\n")
    Sources(mqtt="mqtt://h/t", password=tmp_path / "p").check()
    told = list(Sources(follow=tmp_path, mqtt="mqtt://h/t").told())
    assert told[1] == "Messages of t at h are answered on t/answers."


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        ({"load": "28,5"}, {"load": 28.5}),
        ({"load": " 28.5 "}, {"load": 28.5}),
        ({"load": "3.302", "width": "6,5"}, {"load": 3302.0, "width": 6.5}),
        ({"load": "3.302", "width": "6.5"}, {"load": 3.302, "width": 6.5}),
        ({"load": "3,302"}, {}),  # 3.302 or 3302: it stays as it is, and is told as unreadable
        ({"load": "28.5 kN", "note": "1,5"}, {}),
    ],
)
def test_a_row_is_read_by_the_decimal_sign_that_it_writes(cells: Any, numbers: Any) -> None:
    columns = {"load": Column("load", "number"), "width": Column("width", "number")}
    assert in_numbers(cells, columns | {"note": Column("note", "text")}) == numbers


def test_a_column_that_a_row_does_not_name_is_told() -> None:
    model: Any = SimpleNamespace(columns=COLUMNS | {"note": Column("note", "text")})
    told = lacking(Taken("a.csv", 0, {"laod": 1, "note": "x", "photo": "a.png"}), model)
    assert told == "answered without 'load': the row has no such column. Did you mean 'laod'?"
    assert lacking(Taken("a.csv", 0, {"load": None, "note": "x", "photo": None}), model) is None
    assert lacking(Taken("a.png", 0, {"photo": "a.png"}), model) is None
    told = lacking(Taken("a.csv", 0, {"3.5": "4.5"}), model)
    assert told == "answered without 'photo', 'load', 'note': the row has no such column."
