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


# Chinese words of such names, longest first where one begins another, and what they are here.
CHINESE = {
    "时间戳": "timestamp", "时间": "time", "日期": "date", "时刻": "time",
    "机床": "machine", "机器": "machine", "设备": "machine", "机台": "machine", "发动机": "engine",
    "电机": "motor", "水泵": "pump", "泵号": "pump", "车辆": "vehicle", "批次": "batch",
    "批号": "lot", "炉号": "furnace", "炉次": "heat", "模号": "mold", "样品": "sample",
    "试样": "specimen", "操作员": "operator", "操作工": "operator", "客户": "customer",
    "编号": "id", "序号": "id", "序列号": "serial", "单号": "id", "代码": "code", "类别": "class",
    "类型": "type", "标签": "label", "状态": "state", "模式": "mode", "班次": "shift",
    "产线": "line", "工位": "station", "故障": "fault", "缺陷": "defect", "报警": "alarm",
    "地点": "place", "位置": "location", "车间": "hall", "工厂": "plant", "传感器": "sensor",
    "振动": "vibration", "电流": "current", "电压": "voltage", "压力": "pressure",
    "温度": "temperature", "转速": "speed", "流量": "flow", "扭矩": "torque", "功率": "power",
}  # fmt: skip
KNOWN = re.compile("|".join(sorted(CHINESE, key=len, reverse=True)))


def words(name: str) -> list[str]:
    """The words of a name in small letters, known Chinese ones in English: `fileNo_2` is file, no,
    2; `机床编号` is machine, id.
    """
    name = KNOWN.sub(lambda word: f" {CHINESE[word[0]]} ", name)
    return written_words(name)


def written_words(name: str) -> list[str]:
    """The words of a name in small letters, as they are written."""
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
    part, whole = written_words(target), written_words(name)
    starts = range(len(whole) - len(part) + 1)
    return bool(part) and any(whole[i : i + len(part)] == part for i in starts)


def is_asset(name: str) -> bool:
    """Whether a column names machines, an input where training rows know all of them."""
    return (words(name) or [""])[-1] in ASSETS
