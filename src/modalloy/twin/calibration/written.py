"""Writes a twin with other hidden defaults and deviations, so that `simulate` takes it."""

import io
import json
from pathlib import Path

from modalloy.machine.files import write_safely
from modalloy.twin.twin import Twin


def write_twin(twin: Twin, path: Path, remarks: list[str]) -> None:
    """A twin file with remarks above it. Its paths start at the root, as `load_twin` has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    above = "".join(f"# {line}\n" for remark in remarks for line in remark.splitlines())
    write_safely(path, (above + twin_text(twin)).encode())


def twin_text(twin: Twin) -> str:
    """The YAML of a twin; `load_twin` makes the same twin of it."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = None  # what holds no further groups on a line of its own
    yaml.width = 10_000
    yaml.sort_base_mapping_type_on_output = False
    data = twin.model_dump(mode="json", by_alias=True, exclude_none=True)
    yaml.allow_unicode = json.dumps(data, ensure_ascii=False).isprintable()
    text = io.StringIO()
    yaml.dump(data, text)
    return text.getvalue()
