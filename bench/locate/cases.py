"""The jobs that are measured: both heads on boards and on drawn scenes, and two tasks in one."""

from pathlib import Path
from typing import Any

from modalloy.job.job_file import load_job

JOINT = Path(__file__).parent / "joint.yaml"
HEADS = ("dense", "detr")
QUERIES = {"deeppcb": 25, "scenes": 12}  # the most boxes of a picture are 15 and 6


def head_of(head: str, queries: int) -> dict[str, Any]:
    """Options of a head."""
    return {"head": head} | ({"queries": queries} if head == "detr" else {})


def deeppcb(data: Path, head: str, epochs: int) -> dict[str, Any]:
    """Boards beside their templates, as on the scoreboard but for size and passes."""
    photo = {"type": "image", "pixels": 256, "augment": "rotate"}
    return {
        "table": str(data / "deeppcb" / "table.csv"),
        "split": {"column": "split", "validation": 0},
        "columns": {"test_image": photo, "template_image": photo},
        "tasks": {
            "defects": {
                "type": "locate",
                "target": "boxes",
                "labels": "box_labels",
                "on": "test_image",
                "template": "template_image",
                **head_of(head, QUERIES["deeppcb"]),
            }
        },
        "train": {"epochs": epochs, "batch": 8, "patience": 0, "precision": "float32"},
    }


def scenes(table: Path, tasks: tuple[str, ...], head: str, epochs: int) -> dict[str, Any]:
    """The job of `joint.yaml` on drawn scenes, with these of its tasks and their columns."""
    plain: dict[str, Any] = load_job(JOINT).model_dump(
        mode="json", by_alias=True, exclude_none=True
    )
    needs = {"things": "photo", "topic": "note"}
    plain["table"] = str(table)
    plain["columns"] = {needs[t]: plain["columns"][needs[t]] for t in tasks}
    plain["tasks"] = {t: plain["tasks"][t] for t in tasks}
    if "things" in tasks:
        plain["tasks"]["things"] |= head_of(head, QUERIES["scenes"])
    plain["train"]["epochs"] = epochs
    return plain
