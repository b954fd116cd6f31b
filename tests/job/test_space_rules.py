"""A space that no column or option allows is named before anything is read, with its place."""

from typing import Any

import pytest

from conftest import make_job
from modalloy.errors import JobError
from modalloy.job.job_file import load_job


@pytest.mark.parametrize(
    ("columns", "pretrain", "said"),
    [
        (("load", "site"), {"contrast": {}}, "pretrain.contrast: needs two inputs or more"),
        (("note",), {"matching": {}}, "there is note alone"),
        (("note", "load"), {"contrast": {"anchor": "note"}}, "only loss: gram has an anchor"),
        (
            ("note", "load"),
            {"contrast": {"loss": "gram", "anchor": "nota"}},
            "there are: table, note. Did you mean 'note'?",
        ),
        (("note", "load"), {"contrast": {"neighbours": 1}}, "no column has an encoder with tune"),
    ],
)
def test_what_no_space_can_be_made_of(
    columns: tuple[str, ...], pretrain: dict[str, Any], said: str
) -> None:
    with pytest.raises(JobError) as caught:
        load_job(make_job("parts.csv", columns=columns, pretrain=pretrain))
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "contrast", [{}, {"loss": "gram", "anchor": "table"}, {"neighbours": 0}, {"mixup": 1}]
)
def test_what_one_can_be_made_of(contrast: dict[str, Any]) -> None:
    job = load_job(make_job("parts.csv", columns=("note", "load"), pretrain={"contrast": contrast}))
    assert job.pretrain.contrast is not None
