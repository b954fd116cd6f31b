"""What trials share: what frozen encoders said is kept where it is still true, else let go."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from modalloy.answer.loader import Loader
from modalloy.job import config
from modalloy.job.job_file import load_job
from modalloy.tuning.trial import forget_unlike, job_with


def job_of(job_dict: Any, *, frozen_first: bool = True, **photo: Any) -> config.Job:
    """A job with a pretrained encoder of pictures, which is tuned."""
    job = job_dict("parts.csv", columns=("photo", "load"))
    job["columns"]["photo"] |= {"encoder": "efficientnet_lite0", "augment": "shift"} | photo
    job["train"]["frozen_first"] = frozen_first
    return load_job(job)


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        ({"tune": "frozen"}, True),
        ({"tune": "last_n", "last_n": 1}, True),  # it is frozen at first
        ({"augment": "none"}, True),  # a frozen encoder sees cells as they come
        ({"frozen_first": False}, False),  # it learns from the first step on
        ({"pixels": 32}, False),
        ({"encoder": "efficientnet_lite1"}, False),
        ({"augment": "flip", "all_views": True}, False),
    ],
)
def test_what_frozen_encoders_said_is_kept_where_it_is_true(
    job_dict: Any, now: dict[str, Any], kept: bool
) -> None:
    closed: list[str] = []
    features = SimpleNamespace(kept=SimpleNamespace(close=lambda: closed.append("photo")))
    loader = SimpleNamespace(features={"photo": features})
    forget_unlike(cast("Loader", loader), job_of(job_dict), job_of(job_dict, **now))
    assert list(loader.features) == ["photo"] * kept
    assert closed == ["photo"] * (not kept)


def test_the_default_is_the_job_as_it_was_given(job_dict: Any) -> None:
    job = job_of(job_dict).model_copy(update={"tune": {"train.lr": [1e-4, 1e-2]}})
    assert job_with(job, {"train.lr": 1.0}, default=True) == job_of(job_dict)
    changed = job_with(job, {"train.lr": 2e-3, "columns.photo.tune": "frozen"})
    assert changed.train.lr == 2e-3
    assert changed.tune == {}
    assert job_with(job, {}) == job_of(job_dict)
