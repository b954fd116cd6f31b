"""What hiding leaves of a row: never nothing, where a job has several inputs."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from modalloy.job.job_file import load_job
from modalloy.learn.training import open_loader
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.objectives.supervised import drop_modalities, has_any
from modalloy.readers.batch import TABLE
from modalloy.table.split import split_job
from modalloy.table.table import open_table

ROWS = 20_000


def make_model(table: Path, job_dict: Any, columns: tuple[str, ...]) -> Model:
    fuse = {"type": "concat", "width": 16, "layers": 1, "modality_dropout": 0.5}
    job = load_job(job_dict(table, columns=columns, fuse=fuse))
    opened = open_table(job.table)
    read = open_loader(job, opened, split_job(opened, job))
    return Model(job, read.readers, read.targets, pretrained=False)


def any_of(present: dict[str, Tensor]) -> Tensor:
    """(B,) whether a row shows anything."""
    return torch.stack([has_any(p) for p in present.values()], 1).any(1)


@pytest.mark.parametrize("plain", [("load",), ("load", "site")])
def test_a_row_of_several_inputs_never_loses_everything(
    plain: tuple[str, ...], small_table: Path, job_dict: Any
) -> None:
    model = make_model(small_table, job_dict, (*plain, "note"))
    present = {TABLE: torch.rand(ROWS, len(plain)) < 0.8, "note": torch.rand(ROWS) < 0.7}
    left = drop_modalities(model, Batch({}, present)).present
    assert any_of(present).float().mean() < 0.99  # some rows have nothing, and get nothing
    assert torch.equal(any_of(left), any_of(present))
    assert not (left[TABLE] & ~present[TABLE]).any()
    both_B = present["note"] & present[TABLE].all(1)
    hidden = 1 - left[TABLE][both_B & left["note"]].float().mean().item()
    # The table goes in a half, both in a quarter that keeps them; cells of what stays in a tenth.
    assert hidden == pytest.approx(1 - (0.25 + 0.25) / 0.75 * 0.9, abs=0.02)


def test_rows_that_would_keep_something_see_the_masks_that_they_always_saw(
    small_table: Path, job_dict: Any
) -> None:
    model = make_model(small_table, job_dict, ("load", "site", "note"))
    present = {TABLE: torch.ones(ROWS, 2).bool(), "note": torch.rand(ROWS) < 0.7}
    torch.manual_seed(3)
    left = drop_modalities(model, Batch({}, present)).present
    torch.manual_seed(3)
    any_B2 = torch.stack([torch.ones(ROWS).bool(), present["note"]], 1)
    hide_B2 = torch.rand(ROWS, 2) < 0.5
    hide_B2 &= (any_B2 & ~hide_B2).any(1, keepdim=True)
    cells_B2 = ~hide_B2[:, :1] & ~(torch.rand(ROWS, 2) < 0.1)
    note_B = present["note"] & ~hide_B2[:, 1]
    keeps_B = note_B | cells_B2.any(1)
    assert 0.98 < keeps_B.float().mean() < 1
    assert torch.equal(left["note"], note_B)
    assert torch.equal(left[TABLE][keeps_B], cells_B2[keeps_B])
    assert left[TABLE][~keeps_B].all()


def test_the_only_input_is_hidden_a_fifth_as_often(small_table: Path, job_dict: Any) -> None:
    model = make_model(small_table, job_dict, ("load", "site"))
    left = drop_modalities(model, Batch({}, {TABLE: torch.ones(ROWS, 2).bool()})).present[TABLE]
    # Hidden whole in a tenth, or cell by cell: 0.9 * 0.1 * 0.1.
    assert 1 - left.any(1).float().mean().item() == pytest.approx(0.1 + 0.009, abs=0.008)
