"""The life of a model whose table, folders, files, columns, classes and texts are all Chinese."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML
from typer.testing import CliRunner

import modalloy as ma
from modalloy.cli import app
from modalloy.judge.baselines.baselines import Baselines
from modalloy.report import evaluate
from modalloy.report.lettering import fonts_for
from served import serving

ROWS = 32
CLASSES = ["裂纹", "合格"]
SEEN = {"裂纹": ["有裂纹", "边缘有暗线"], "合格": ["表面良好", "光滑无伤"]}
JOB = """
table: 零件表.csv
split: {by: 机床编号, test: 0.25, validation: 0.2}
columns:
  照片: {type: image, pixels: 16}
  备注: {type: text, max_tokens: 16}
  载荷: {type: number, unit: kN}
  班次: {type: category}
  机床编号: {type: group}
fuse: {type: concat, width: 16}
tasks:
  缺陷: {type: classify, target: 缺陷}
train: {epochs: 1, batch: 16}
blend: {use: never}
"""


def write_parts(folder: Path) -> pd.DataFrame:
    """A table in GB18030 and its pictures, named `图片/中文0.png` and so on."""
    draw = np.random.default_rng(0)
    (folder / "图片").mkdir(parents=True)
    rows = []
    for i in range(ROWS):
        fault = CLASSES[i % 3 == 0]
        Image.fromarray(draw.integers(0, 255, (16, 16), dtype=np.uint8)).save(
            folder / f"图片/中文{i}.png"
        )
        rows.append(
            {
                "照片": f"图片/中文{i}.png" if i % 7 else None,
                "备注": f"{draw.choice(SEEN[fault])},第{i}件,{draw.choice(['夜班', '白班'])}复检",
                "载荷": round(draw.normal(9, 2), 2),
                "班次": str(draw.choice(["早班", "夜班"])),
                "机床编号": f"{i % 8}号机",
                "缺陷": fault,
            }
        )
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "零件表.csv", index=False, encoding="gb18030")
    frame.drop(columns="缺陷").to_csv(folder / "新零件.csv", index=False, encoding="utf-8-sig")
    return frame


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the table, and a run that learned from it for an epoch."""
    folder = tmp_path_factory.mktemp("first") / "质检项目"
    write_parts(folder)
    (folder / "任务.yaml").write_text(JOB, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:  # simple methods take longer than the model
        patch.setattr(evaluate, "baselines", lambda *_, **__: Baselines({}, {}, {}))
        ma.train(folder / "任务.yaml", out=folder / "模型", quiet=True)
    return folder


def test_what_init_makes_of_it(folder: Path) -> None:
    text = ma.init(folder / "零件表.csv", target="缺陷")
    assert "# Read so: not UTF-8; read as GB18030" in text
    job = YAML(typ="safe").load(text)
    found = {name: options["type"] for name, options in job["columns"].items()}
    assert found["照片"] == "image"
    assert found["备注"] == "text"
    assert "encoder" not in job["columns"]["备注"]  # MiniLM lacks the letters
    assert (found["载荷"], found["班次"], found["机床编号"]) == ("number", "category", "group")
    assert job["split"] == {"by": "机床编号"}
    assert job["tasks"] == {"缺陷": {"type": "classify", "target": "缺陷"}}


def test_the_terminal_says_how_a_table_was_read(folder: Path) -> None:
    done = CliRunner().invoke(app, ["check", str(folder / "任务.yaml")])
    assert "read as GB18030, as Chinese is written" in " ".join(done.output.split())
    assert "\ufffd" not in done.output


def test_report_and_card_name_classes_and_columns(folder: Path) -> None:
    page = (folder / "模型" / "report.html").read_text("utf-8")
    card = (folder / "模型" / "card.md").read_text("utf-8")
    for word in ("缺陷", *CLASSES, "备注", "载荷"):
        assert word in page
    assert "缺陷" in card
    assert "\ufffd" not in page + card
    # Where no font of the machine has the letters, charts are drawings whose texts stay texts.
    charts = re.findall(r'src="data:image/(svg\+xml|png);base64,', page)
    assert "svg+xml" in charts or all(map(fonts_for, CLASSES))


def test_answers_in_every_encoding_are_the_same(folder: Path) -> None:
    answers = ma.predict(folder / "模型", folder / "新零件.csv", quiet=True)
    wanted = {"缺陷", "缺陷.probability", "status.照片", "status.备注", "status.载荷"}
    assert wanted <= set(answers.columns)
    assert {f"缺陷.p[{name}]" for name in CLASSES} <= set(answers.columns)
    assert set(answers["缺陷"]) <= set(CLASSES)
    assert (answers["status.照片"] == "missing").sum() == sum(i % 7 == 0 for i in range(ROWS))
    other = ma.predict(folder / "模型", folder / "零件表.csv", quiet=True)
    assert any("GB18030" in note for note in other.attrs["notes"])
    pd.testing.assert_frame_equal(answers, other[answers.columns])
    assert ma.evaluate(folder / "模型", folder / "零件表.csv", quiet=True).tasks["缺陷"]


def test_answers_and_reasons_are_written_as_files(folder: Path) -> None:
    run, out = str(folder / "模型"), folder / "答案.csv"
    done = CliRunner().invoke(app, ["predict", run, str(folder / "新零件.csv"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert set(pd.read_csv(out)["缺陷"]) <= set(CLASSES)
    ma.explain(run, folder / "零件表.csv", row=0, out=folder / "解释.html", quiet=True)
    page = (folder / "解释.html").read_text("utf-8")
    assert all(word in page for word in ("备注", "载荷", "缺陷"))
    assert "\ufffd" not in page


def test_a_bundle_answers_as_the_run_does(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    ma.export(folder / "模型", folder / "模型包.zip", quiet=True)
    own = ma.predict(folder / "模型", folder / "新零件.csv", quiet=True)
    bundled = ma.predict(folder / "模型包.zip", folder / "新零件.csv", quiet=True)
    assert list(bundled["缺陷"]) == list(own["缺陷"])
    assert list(bundled.columns) == list(own.columns)


def test_the_page_of_a_server_asks_for_the_columns_by_name(folder: Path) -> None:
    pytest.importorskip("fastapi")
    with serving(folder / "模型") as client:
        form = client.get("/page/form", headers={"accept-language": "zh-CN"}).text
        for name in ("照片", "备注", "载荷", "班次"):
            assert f'data-column="{name}"' in form
        assert '<option value="夜班">' in form
        assert ">作答</button>" in form
        row = {"备注": "边缘有暗线,夜班复检", "载荷": 9.5, "班次": "夜班", "照片": None}
        found = client.post("/predict", json={"rows": [row]}).json()
        assert found["rows"][0]["answer"]["缺陷"] in CLASSES
        assert found["rows"][0]["cells"]["照片"] == "missing"
