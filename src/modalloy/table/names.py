"""The name of a column in, what people usually keep under such a name out."""

import re

THINGS = (
    *("batch", "board", "card", "session", "run", "engine", "speaker", "subject", "vin"),
    *("patient", "person", "operator", "user", "video", "clip", "recording", "file", "document"),
    *("doc", "machine", "device", "vehicle", "asset", "serial", "lot", "wafer", "panel", "coil"),
)
# Who or what rows are about where the last word says so: `lab_sample`, not `sample_rate`.
WHO = (
    *("fold", "board", "speaker", "subject", "patient", "person", "operator", "user", "lot"),
    *("customer", "session", "recording", "video", "doc", "document", "file", "clip", "batch"),
    *("run", "wafer", "specimen", "sample", "experiment", "serial"),
)
ASSETS = ("machine", "engine", "asset", "device", "vehicle", "turbine", "pump", "motor", "plant")
TOOLS = ("tool", "mold", "mould", "heat", "unit", "robot", "furnace")
NUMBERS = ("id", "ids", "uid", "uuid", "no", "nr", "number", "sn", "serial")


def words(name: str) -> list[str]:
    """The words of a name in small letters: `fileNo_2` is file, no, 2."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.findall(r"[^\W_]+", spaced)]


def names_a_group(name: str) -> bool:
    """Whether rows with the same value probably come from one thing: `machine_id`, `batch`."""
    found = words(name)
    # `group` and `group_id` name things, `product_group` names a class of them.
    first = bool(found) and found[0] in (*THINGS, "group")
    return first or (bool(found) and found[-1] in (*THINGS, *WHO, *ASSETS, *TOOLS, *NUMBERS))


def names_rows(name: str) -> bool:
    """Whether the values probably number the rows: `id`, `serial`."""
    found = words(name)
    return bool(found) and found[-1] in (*NUMBERS, "index", "idx", "row", "key")


def tells(name: str, target: str) -> bool:
    """Whether a name holds the target's name as whole words: `freight_note` holds `freight`."""
    part, whole = words(target), words(name)
    starts = range(len(whole) - len(part) + 1)
    return bool(part) and any(whole[i : i + len(part)] == part for i in starts)
