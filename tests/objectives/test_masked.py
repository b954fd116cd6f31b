"""What is hidden of which column, and what it costs not to know it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import make_job, write_table
from modalloy.job.job_file import load_job
from modalloy.learn.unlabelled_rows import open_unlabelled
from modalloy.model.body import Body
from modalloy.model.tokens import Batch
from modalloy.objectives.masked import Masked
from modalloy.readers.batch import TABLE
from modalloy.table.open_table import open_table

ALL = ("photo", "sound", "vibration", "note", "load", "site", "taken_at")


class Small:
    """A body over the small table with a batch of its rows."""

    def __init__(self, folder: Path, columns: tuple[str, ...] = ALL) -> None:
        job = make_job(write_table(folder), columns=columns)
        self.job = load_job(job)
        table = open_table(self.job.table)
        rows = open_unlabelled(self.job, [table], [np.arange(table.rows)], most=0)
        self.loader = rows.loader
        torch.manual_seed(0)
        self.body = Body(self.job, self.loader.readers, pretrained=True)
        self.batch = Batch.of(self.loader.batch(np.arange(40)))

    def masked(self, **options: Any) -> Masked:
        """What hides, with its options changed, from the same random start."""
        torch.manual_seed(1)
        given = self.job.pretrain.masked.model_copy(update=options)
        return Masked(self.body, given)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """All kinds of columns."""
    return Small(tmp_path_factory.mktemp("small"))


def losses(small: Small, **options: Any) -> dict[str, float]:
    """What each input costs under these options, chance being the same."""
    masked = small.masked(**options).eval()
    torch.manual_seed(2)
    with torch.no_grad():
        return {n: float(x) for n, x in masked(small.body.eval(), small.batch).items()}


def test_each_option_changes_what_is_lost(small: Small) -> None:
    usual = losses(small)
    assert set(usual) == {f"masked/{n}" for n in small.body.inputs}
    touched = {
        "patches": {"masked/photo", "masked/sound", "masked/vibration"},
        "pieces": {"masked/note"},
        "cells": {f"masked/{TABLE}"},
        "columns": set(usual),
        "summary": set(usual),
        "width": set(usual),
        "layers": set(usual),
    }
    other = {"patches": 0.3, "pieces": 0.5, "cells": 0.6, "columns": 0.0, "summary": 0.0}
    other |= {"width": 64, "layers": 1}
    for option, names in touched.items():
        found = losses(small, **{option: other[option]})
        assert all(found[n] != usual[n] for n in names), option
