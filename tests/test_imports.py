"""The house holds: rooms import one way, cells are read without torch, the file map is true."""

import ast
import functools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import modalloy as ma

REPO = Path(__file__).resolve().parent.parent
SOURCE = REPO / "src" / "modalloy"

# Every room may import from itself and from the rooms above it. A name without a room of its own
# is a file of the package; a new file must be given its place here.
ROOMS: list[set[str]] = [
    {"errors", "files", "limits", "progress", "config", "options", "faults", "page", "rules"}
    | {"headings", "job", "__init__"},
    {"table"},
    {"model"},
    {"objectives"},
    {"learn", "judge", "report", "run"},
    {"verbs", "demonstration", "diagnosis", "hardware", "imports", "vitals", "reference"},
    {"cli", "__main__"},
]
FORBIDDEN = {"torchvision", "torchaudio", "torchcodec", "timm", "open_clip", "pickle", "yaml"}
HEAVY = {"torch", "transformers", "safetensors", "peft"}
# Metrics are computed from arrays alone; what asks the model for answers may use torch.
TORCH_FREE_JUDGE = ("metrics", "tally", "classes", "quantities", "spans", "detection", "ranking")
TORCH_FREE_JUDGE += ("bootstrap", "wording", "plots", "html", "charts", "lettering")


class Import(NamedTuple):
    """One import statement: the full name it reaches, its line, whether it runs at import."""

    name: str
    line: int
    at_import: bool


def modules() -> list[str]:
    """Every file of the package as a dotted path inside it."""
    paths = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
    return [".".join(path.with_suffix("").parts) for path in paths]


@functools.cache
def tree_of(module: str) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse((SOURCE / (module.replace(".", "/") + ".py")).read_text())


@functools.cache
def imports_of(module: str) -> list[Import]:
    """All imports of a file but those for type checkers."""
    return list(_walk(tree_of(module), at_import=True))


def _walk(node: ast.AST, *, at_import: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child.lineno, at_import) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports are absolute"
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (Import(name, child.lineno, at_import) for name in names)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, at_import=at_import and not inside)


def room_of(name: str) -> int:
    """Number of the room that a dotted path inside the package belongs to."""
    first = name.split(".")[0]
    places = [number for number, room in enumerate(ROOMS) if first in room]
    assert places, f"src/modalloy/{first} has no place in ROOMS of tests/test_imports.py; add it"
    return places[0]


def reached(name: str) -> str:
    """The part of the package that an import of `modalloy...` reaches."""
    inside = name.removeprefix("modalloy").removeprefix(".")
    first = inside.split(".")[0] if inside else "__init__"
    known = {module.split(".")[0] for module in modules()}
    return first if first in known else "__init__"


@pytest.mark.parametrize("module", modules())
def test_rooms_import_one_way(module: str) -> None:
    own = room_of(module)
    for name, line, _ in imports_of(module):
        if name.split(".")[0] == "modalloy" and module != "__init__":
            other = room_of(reached(name))
            assert other <= own, f"src/modalloy/{module.replace('.', '/')}.py:{line}: {name}"


@pytest.mark.parametrize("module", modules())
def test_no_forbidden_package(module: str) -> None:
    for name, line, _ in imports_of(module):
        where = f"src/modalloy/{module.replace('.', '/')}.py:{line}"
        assert name.split(".")[0] not in FORBIDDEN, f"{where}: {name}"


@pytest.mark.parametrize("module", [m for m in modules() if room_of(m) <= 1])
def test_reading_cells_needs_no_torch(module: str) -> None:
    for name, line, _ in imports_of(module):
        assert name.split(".")[0] not in HEAVY, f"{module}:{line}: {name}"


def test_files_do_not_import_each_other_in_a_circle() -> None:
    known = set(modules())
    edges: dict[str, set[str]] = {}
    for module in known:
        inside = [i.name.removeprefix("modalloy.") for i in imports_of(module) if i.at_import]
        near = {name if name in known else name.rpartition(".")[0] for name in inside}
        edges[module] = (near & known) - {module}
    while edges:
        free = {module for module, others in edges.items() if not others}
        assert free, f"these import each other in a circle: {sorted(edges)}"
        edges = {m: others - free for m, others in edges.items() if m not in free}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after running this code."""
    program = (
        f"{code}\nimport sys\nprint('LOADED', *{{name.split('.')[0] for name in sys.modules}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(re.search(r"^LOADED (.*)$", done.stdout, re.MULTILINE)[1].split())


def test_import_modalloy_is_light() -> None:
    loaded = loaded_by("import modalloy; modalloy.__version__; dir(modalloy)")
    assert not loaded & (HEAVY | {"numpy", "pandas", "pyarrow", "pydantic", "rich"})


def test_readers_check_jobs_and_metrics_load_no_torch() -> None:
    files = [m for m in modules() if room_of(m) <= 1 and not m.endswith("__init__")]
    files += [m for m in modules() if m.startswith("judge.") and m[6:] in TORCH_FREE_JUDGE]
    files += ["report", "verbs", "cli", "reference", "diagnosis"]
    code = "\n".join(f"import modalloy.{name}" for name in files if name in modules())
    assert not loaded_by(code) & HEAVY


SLOW = {"torch", "transformers", "sklearn", "scipy", "matplotlib", "pandas"}  # seconds each
REPORT = {"sklearn", "scipy", "matplotlib"}  # every report has baselines and charts
PIP_PICTURE = {"type": "image", "encoder": "efficientnet_lite0", "pixels": 32, "tune": "frozen"}
PIP_TEXT = {"type": "text", "encoder": "minilm", "max_tokens": 16, "tune": "frozen"}
PIP_SOUND = {"type": "audio", "encoder": "whisper_tiny_en", "seconds": 0.25, "tune": "frozen"}
VERBS = """
import json, sys
import modalloy as ma
job, run, table, slow = json.loads(sys.argv[1])
def tell(verb):
    loaded = {name.split(".")[0] for name in sys.modules}
    print("LOADED", verb, *sorted(loaded & set(slow)))
frame = ma.predict(run, table, quiet=True)
tell("predict")
ma.evaluate(run, quiet=True)
tell("evaluate")
ma.train(job, out=run + "-again", quiet=True)
tell("train")
"""


@pytest.mark.parametrize(
    ("columns", "more"),
    [
        ({"load": {}, "vibration": {}, "sound": {}, "note": {}, "photo": PIP_PICTURE}, set()),
        ({"note": PIP_TEXT}, {"transformers"}),
        ({"sound": PIP_SOUND}, {"transformers"}),
    ],
    ids=["all but", "pip text", "pip sound"],
)
def test_each_kind_of_job_imports_only_what_it_needs(
    small_table: Path,
    job_dict: Any,
    tmp_path: Path,
    columns: dict[str, dict[str, Any]],
    more: set[str],
) -> None:
    job = job_dict(small_table, columns=tuple(columns), train={"epochs": 1, "precision": "float32"})
    job["columns"] |= {name: given for name, given in columns.items() if given}
    run = ma.train(job, out=tmp_path / "run", quiet=True)
    told = [job, str(run.path), str(small_table), sorted(SLOW)]
    done = subprocess.run(
        [sys.executable, "-c", VERBS, json.dumps(told)], capture_output=True, text=True, check=True
    )
    found = re.findall(r"^LOADED (\w+) (.*)$", done.stdout, re.MULTILINE)
    loaded = {verb: set(names.split()) for verb, names in found}
    if "transformers" in more:  # which brings scipy and scikit-learn along
        more = more | {"scipy", "sklearn"}
    elif "sound" in columns:  # recordings at other rates
        more = more | {"scipy"}
    assert loaded["predict"] <= {"torch", "pandas"} | more
    assert loaded["evaluate"] <= {"torch", "pandas"} | more | REPORT
    assert loaded["train"] <= {"torch", "pandas"} | more | REPORT


def test_verbs_are_functions_that_no_file_hides() -> None:
    for verb in ma._HOMES:
        assert callable(getattr(ma, verb)), verb
        # `import modalloy.x` would put the file in the place of the verb of the same name.
        assert not (SOURCE / f"{verb}.py").exists(), f"rename src/modalloy/{verb}.py"
    assert set(ma._HOMES) < set(ma.__all__) <= set(dir(ma))
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = ma.trian


def test_every_file_opens_with_a_sentence() -> None:
    for module in modules():
        if module.endswith("__init__") and module != "__init__":
            continue
        first = (ast.get_docstring(tree_of(module)) or "").split("\n\n")[0]
        assert first.rstrip().endswith((".", ":", "?")), f"{module}: {first!r}"


def test_functions_fit_a_screen() -> None:
    for module in modules():
        for node in ast.walk(tree_of(module)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno + 1
                assert length <= 60, f"{module}.{node.name} has {length} lines; split it"


def file_map() -> dict[str, str]:
    """The README's annotated map: path -> purpose."""
    text = (REPO / "README.md").read_text()
    found = re.search(r"<!-- map -->(.*?)<!-- /map -->", text, re.DOTALL)
    assert found, "README.md has no file map between <!-- map --> and <!-- /map -->"
    line = r"^\W*((?:src|bench|docs|tests|dev)/\S+?)`?\s+-\s+(\S.*)$"
    lines = re.findall(line, found[1], re.MULTILINE)
    assert lines, "the file map has no line of the form: path - purpose"
    return dict(lines)


def test_the_readmes_file_map_is_true() -> None:
    named = file_map()
    files = {f"src/modalloy/{module.replace('.', '/')}.py" for module in modules()}
    files = {f for f in files if not f.endswith("/__init__.py") or f == "src/modalloy/__init__.py"}
    absent = sorted(files - named.keys())
    assert not absent, f"README.md's file map does not name {', '.join(absent)}"
    gone = sorted(path for path in named if not (REPO / path).exists())
    assert not gone, f"README.md's file map names what does not exist: {', '.join(gone)}"
