"""Columns in memory in, the draft of their table and the job of its own text out."""

from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from modalloy.infer.infer import Draft, infer, job_yaml
from modalloy.job import config
from modalloy.job.rules import broken_rules
from modalloy.table.open_table import open_table

N = 200
WORDS = ["seal", "pump", "leak", "worn", "crack", "weld", "bolt", "loose", "hot", "noise"]


def draft_of(columns: dict[str, Any], target: str | list[str] = "y", **options: Any) -> Draft:
    return infer(
        open_table(pd.DataFrame(columns), **options),
        [target] if isinstance(target, str) else target,
    )


def valid(draft: Draft) -> config.Job:
    """The job of the draft's own text, without a fault."""
    data = YAML(typ="safe").load(job_yaml(draft, "t.csv"))
    assert list(broken_rules(data)) == []
    return config.Job.model_validate(data)


def sentences(count: int, words: int) -> list[str]:
    rng = np.random.default_rng(2)
    return [" ".join(rng.choice(WORDS, words)) + f" {i}" for i in range(count)]


def lists(length: int | None) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.normal(size=length or rng.integers(5, 9)) for _ in range(N)]
