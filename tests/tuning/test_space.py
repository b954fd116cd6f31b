"""What a search tries: from the job itself, or the job's own ranges, each checked with its line."""

from pathlib import Path
from typing import Any

import pytest

from modalloy.errors import JobError
from modalloy.job.job_file import load_job
from modalloy.job.ranges import Between, OneOf, plain, value_at, with_values
from modalloy.tuning.space import from_json, own_values, space_of, to_json


def test_the_default_space_holds_what_the_job_has_and_nothing_else(job_dict: Any) -> None:
    job = load_job(job_dict("parts.csv"))
    space = space_of(job)
    assert space["train.lr"] == Between(2e-4, 5e-3, log=True)
    assert "train.encoder_lr" not in space  # nothing is pretrained
    assert space["columns.photo.augment"] == OneOf(("none", "shift"))
    assert space["columns.photo.pixels"] == OneOf((16, 32))
    assert ["learned", "statistics", "spectrum", "envelope"] in space[
        "columns.vibration.front"
    ].values
    assert space["columns.*.bins"] == Between(2, 8, whole=True)
    assert not any(path.startswith("columns.note.") for path in space)
    own = own_values(job, space)
    lacking = [path for path, values in space.items() if not values.holds(own.get(path))]
    assert lacking == []  # trial 0, the job as it is, lies inside
    assert from_json(to_json(space)) == space


def test_a_pretrained_encoder_brings_its_own_options(job_dict: Any) -> None:
    job = job_dict("parts.csv", columns=("photo", "load"))
    job["columns"]["photo"] |= {"encoder": "efficientnet_lite0", "augment": "flip"}
    space = space_of(load_job(job))
    assert space["columns.photo.tune"] == OneOf(("frozen", "last_n", "full"))
    assert "train.encoder_lr" in space
    frozen = load_job(with_values(plain(load_job(job)), {"columns.photo.tune": "frozen"}))
    assert frozen.columns["photo"].augment == "shift"  # flips would change nothing


def test_what_does_not_fit_is_not_tried(job_dict: Any) -> None:
    job = load_job(job_dict("parts.csv"))
    space = space_of(job, lambda other: other.fuse.width <= job.fuse.width)
    assert space["fuse.width"] == OneOf((8, 16))
    assert "columns.photo.pixels" in space
    assert "fuse.width" not in space_of(job, lambda other: other.fuse.width == 16)


def test_own_ranges_change_what_is_tried(job_dict: Any) -> None:
    own = {
        "train.lr": [1e-4, 1e-2, "log"],
        "fuse.type": ["concat", "attention"],
        "fuse.heads": [1, 4],
        "fuse.width": [8, 64],
        "columns.*.bins": {"any": [3, 5]},
        "columns.vibration.front": [["learned"], ["statistics"]],
    }
    job = load_job(job_dict("parts.csv", tune=own))
    assert space_of(job) == {
        "train.lr": Between(1e-4, 1e-2, log=True),
        "fuse.type": OneOf(("concat", "attention")),
        "fuse.heads": Between(1, 4, whole=True),
        "fuse.width": Between(8, 64, whole=True, step=8),
        "columns.*.bins": OneOf((3, 5)),
        "columns.vibration.front": OneOf((["learned"], ["statistics"])),
    }


def test_values_are_put_where_paths_point(job_dict: Any) -> None:
    data = plain(load_job(job_dict("parts.csv")))
    data["columns"]["load.2"] = dict(data["columns"]["load"])
    changed = with_values(data, {"fuse.heads": 2, "fuse.type": "attention", "columns.*.bins": 3})
    assert changed["fuse"]["heads"] == 2
    assert changed["fuse"]["layers"] == 1  # of the job, since both ways have layers
    assert [changed["columns"][n]["bins"] for n in ("load", "load.2")] == [3, 3]
    assert value_at(changed, "columns.load.2.bins") == 3
    assert "heads" not in with_values(changed, {"fuse.type": "gated"})["fuse"]
    assert "bins" not in with_values(data, {"columns.*.embed": "linear"})["columns"]["load"]


@pytest.mark.parametrize(
    ("path", "given", "said"),
    [
        ("train.lrr", [1, 2], "is no option that a search can change. Did you mean 'train.lr'"),
        ("columns.photo.pixel", [16, 32], "Did you mean 'columns.photo.pixels'"),
        ("fuse.heads", [1, 2], "is no option that a search can change"),  # of another fusion
        ("train.folds", [0, 5], "is no option that a search can change"),
        ("split.test", [0.1, 0.2], "is no option that a search can change"),
        ("train.lr", [2, 1], "must rise from low to high"),
        ("train.lr", [0, 1, "log"], "must be above 0 to be tried by its logarithm"),
        ("train.lr", 3, r"must be \[low, high\]"),
        ("train.lr", {"one": [1, 2]}, r"must be \[low, high\]"),
        ("train.lr", [-1.0, 1.0], "would try -1.0, and train.lr must be a number above 0"),
        ("train.epochs", [1.5, 3], "must be a whole number"),
        ("fuse.width", [8, 63], "must be a multiple of 8"),
        ("fuse.type", ["concat", "atention"], "Did you mean 'attention'"),
        ("columns.photo.augment", ["none", "shfit"], "Did you mean 'shift'"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_its_line(
    job_dict: Any, tmp_path: Path, path: str, given: Any, said: str
) -> None:
    with pytest.raises(JobError, match=rf"tune\.{path}: .*{said}".replace("*", "*")):
        load_job(job_dict("parts.csv", tune={path: given}))
    text = f"table: a.csv\nsplit: {{by: m}}\ntasks: {{}}\ntune:\n  {path}: 3\n"
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(JobError, match=rf"job.yaml:5: tune\.{path}"):
        load_job(tmp_path / "job.yaml")
