"""Five series sets that `aeon` ships, as tables; nothing is fetched."""

from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa

from bench.defaults.case import LeftOutError
from bench.defaults.media_tables import lists, write_parquet

# Accuracy of aeon's MiniRocket with a ridge classifier on the official splits: the goal to reach.
MINIROCKET = {
    "GunPoint": 0.993,
    "ArrowHead": 0.863,
    "ItalyPowerDemand": 0.963,
    "BasicMotions": 1.0,
    "JapaneseVowels": 0.992,
}


def series_set(name: str, folder: Path) -> Path:
    """A set with its official split: a column of lists for each channel."""
    if find_spec("aeon") is None:
        raise LeftOutError(f"{name} comes with aeon, which is not installed here: pip install aeon")
    from aeon.datasets import load_classification

    columns: dict[str, list] = {}
    for part in ("train", "test"):
        rows, kinds = load_classification(name, split=part)
        for row, kind in zip(rows, kinds, strict=True):
            for k, channel in enumerate(row):
                column = "signal" if len(row) == 1 else f"channel_{k + 1}"
                columns.setdefault(column, []).append(channel)
            columns.setdefault("kind", []).append(f"kind {kind}")
            columns.setdefault("split", []).append(part)
    texts = {c: pa.array(columns.pop(c)) for c in ("kind", "split")}
    return write_parquet(folder, {c: lists(cells) for c, cells in columns.items()} | texts)
