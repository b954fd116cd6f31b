"""What people usually keep in a column of such a name."""

import re

# Machines and the like: an input where training rows know all of them.
ASSETS = {"machine", "engine", "asset", "device", "vehicle", "turbine", "pump", "motor", "plant"}
# What begins or ends the name of a column whose rows come from one thing: `machine_id`, `lot`.
FIRST = {
    "batch", "board", "card", "session", "run", "engine", "speaker", "subject", "vin", "patient",
    "person", "operator", "user", "video", "clip", "recording", "file", "document", "doc",
    "machine", "device", "vehicle", "asset", "serial", "lot", "wafer", "panel", "coil",
}  # fmt: skip
# `tool` names a thing as well, but `tool_wear` is measured on it: these only end such a name.
LAST = {
    "fold", "customer", "specimen", "sample", "experiment", "tool", "heat", "mold", "mould", "die",
    "robot", "furnace", "maschine", "anlage", "werkzeug", "charge", "kunde",
}  # fmt: skip
# Where something stands or was seen: what rows of one place share hardly holds elsewhere.
PLACES = {
    "place", "location", "site", "spot", "plot", "field", "farm", "room", "floor", "house",
    "building", "street", "hall", "scene", "station", "camera", "ort", "standort", "halle", "raum",
}  # fmt: skip
THINGS = FIRST | LAST | ASSETS
# The last word of the name of a column whose numbers are codes of classes, surely or perhaps.
CODES = {
    "code", "cavity", "class", "category", "kind", "type", "label", "zip", "plz", "klasse", "typ",
    "fehler",
}  # fmt: skip
CLASSES = CODES | {
    "status", "state", "mode", "shift", "line", "station", "fault", "defect", "alarm", "failure",
    "zustand", "schicht", "linie",
}  # fmt: skip
NUMBERS = {"id", "ids", "uid", "uuid", "no", "nr", "number", "sn", "serial"}


def words(name: str) -> list[str]:
    """The words of a name in small letters: `fileNo_2` is file, no, 2."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    return [word.lower() for word in re.findall(r"[^\W_]+", spaced)]


def names_a_class(name: str, *, surely: bool = False) -> bool:
    """Whether whole numbers under this name probably stand for classes: `fault_code`, `cavity`.

    surely: however many different ones there are.
    """
    last = (words(name) or [""])[-1]
    return last in (CODES if surely else CLASSES) or last.endswith(("code", "klasse", "typ"))


def names_a_place(name: str) -> bool:
    """Whether the values probably name places, whose rows may belong together."""
    return bool(set(words(name)) & PLACES)


def names_a_group(name: str) -> bool:
    """Whether rows with the same value probably come from one thing: `machine_id`, `batch`."""
    found = words(name)
    # `group` and `group_id` name things, `product_group` names a class of them.
    first = bool(found) and found[0] in FIRST | {"group"}
    return first or (bool(found) and found[-1] in THINGS | NUMBERS)


def names_rows(name: str) -> bool:
    """Whether the values probably number the rows: `id`, `serial`."""
    found = words(name)
    return bool(found) and found[-1] in NUMBERS | {"index", "idx", "row", "key"}


def tells(name: str, target: str) -> bool:
    """Whether a name holds the target's name as whole words: `freight_note` holds `freight`."""
    part, whole = words(target), words(name)
    starts = range(len(whole) - len(part) + 1)
    return bool(part) and any(whole[i : i + len(part)] == part for i in starts)


def is_asset(name: str) -> bool:
    """Whether a column names machines, an input where training rows know all of them."""
    return (words(name) or [""])[-1] in ASSETS
