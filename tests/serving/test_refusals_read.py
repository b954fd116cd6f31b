"""Refusals that a person meets on the page are read in the language of the browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from test_bad_requests import cut
from test_serving_rows import BOMB, b64

from modalloy.serving.limits import Limits
from modalloy.serving.refusals import phrases, refusal_in
from served import JSON, rows_of, serving, small_run

LIMITS = Limits(body_mb=1.0, megapixels=1.0)
CHINESE = {"accept-language": "zh-CN,zh;q=0.9"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("read"))


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    with serving(run, limits=LIMITS) as client:
        yield client


def said(answer: Any) -> str:
    """The sentence of a refusal, with nothing English in it but names."""
    text = answer.json()["error"]
    assert answer.headers["content-language"] == "zh-Hans", text
    assert re.search(r"[\u4e00-\u9fff]", text), text
    assert not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", text), text
    return text


@pytest.mark.parametrize(
    ("change", "chinese"),
    [
        ({"load": "heavy"}, "第 0 行，列“load”：内容是文字，应为数值。"),
        ({"note": 7}, "内容是数值，应为文字。"),
        ({"load": 10**399}, "数值过大。"),
        ({"photo": b64(BOMB)}, "图片为 2000 x 2000 像素，超过上限（1 百万像素）。"),
        ({"photo": b64(b"no picture")}, "请另存为 PNG 或 JPEG。"),
        ({"photo": {"base64": ""}}, "文件是空的。"),
        ({"sound": cut()}, "文件不完整"),
        ({"vibration": [[1, 2], [3, 4]]}, "有 2 个通道，应为 1 个。请更正"),
        ({"vibration": ["a"]}, "内容中有文字，采样序列只能由数值组成。"),
        ({"taken_at": "yesterday"}, "不是可读取的日期"),
        ({"new": 1}, "现在的模型不读取列“new”"),
    ],
)
def test_a_refused_cell(client: TestClient, run: Path, change: Any, chinese: str) -> None:
    (row,) = rows_of(run, 1)
    body = {"row": row | change}
    answer = client.post("/page/answer", json=body, headers=CHINESE)
    assert answer.status_code == 422
    assert chinese in said(answer)
    english = client.post("/page/answer", json=body)
    assert english.headers["content-language"] == "en"
    assert not re.search(r"[\u4e00-\u9fff]", english.json()["error"])


def test_limits_tokens_and_bundles(client: TestClient, run: Path) -> None:
    columns = {name: None for name in client.service.model.columns}
    assert "没有填写" in said(client.post("/page/answer", json={"row": columns}, headers=CHINESE))
    big = client.post("/page/answer", content=bytes(1 << 21), headers={**JSON, **CHINESE})
    assert said(big) == "内容过大，最多接受 1 MB。"
    label = {"id": "none", "task": "fault", "label": "ok"}
    assert "不在记录中" in said(client.post("/feedback", json=label, headers=CHINESE))
    label["label"] = ["ok"]
    assert "应为一个类别，不是列表" in said(client.post("/feedback", json=label, headers=CHINESE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(client.service.model), "is_bundle", True)
        for path, name in (("/page/why", "row"), ("/page/alike", "like")):
            assert "部署包" in said(client.post(path, json={name: {}}, headers=CHINESE))
    _, token = client.gate.tokens.add("read")
    assert said(client.get("/page/form", headers=CHINESE)) == "请提供令牌。"
    given = CHINESE | {"authorization": f"Bearer {token}"}
    assert "权限" in said(client.post("/page/answer", json={"row": columns}, headers=given))


@pytest.mark.parametrize(
    "sentence",
    [
        "no answer within 30 s; ask again.", "no answer within 0.5 s; ask for less.",
        "4096 rows wait already; ask again.", "5 long questions wait; ask again.",
        "the body did not arrive within 60 s.", "more than 2000 requests a second; slow down.",
        "the service is ending; ask again.", "this token is none of this service.",
        "the service failed; its log says where, under 0123456789abcdef.",
    ],
)  # fmt: skip
def test_sentences_of_a_busy_service(sentence: str) -> None:
    """As tests of the batcher, of limits and of the gate have them."""
    chinese, language = refusal_in("zh", sentence)
    assert language == "zh"
    assert not re.search(r"[a-z]{2,} [a-z]{2,}", chinese)
    assert all(number in chinese for number in re.findall(r"\b\d[\d.]*\b", sentence.rstrip(".")))


def test_what_has_no_pattern_stays_english() -> None:
    assert refusal_in("zh", "row 1: something new.") == ("row 1: something new.", "en")
    assert refusal_in("en", "the service is ending; ask again.")[1] == "en"
    for pattern, chinese in phrases("zh").patterns:
        assert set(re.findall(r"{(\w+)}", chinese)) <= set(pattern.groupindex), chinese
