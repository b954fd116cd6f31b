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

import house
import modalloy as ma
from conftest import TASKS, make_job, write_table
from house import SOURCE, modules, room_of

FORBIDDEN = {"torchvision", "torchaudio", "torchcodec", "timm", "open_clip", "pickle", "yaml"}
HEAVY = {"torch", "transformers", "safetensors", "peft"}
# These need no torch: `init` and `check` start at once, and serving reads cells without it.
TORCH_FREE = (
    "errors", "machine", "job", "cells", "media", "readers", "table", "checks", "infer", "twin",
)  # fmt: skip
NEVER_IN_BUNDLES = {"torch", "transformers", "sklearn", "scipy"}
LOOKS = "machine.imports"  # tells what torch can do here, in a process of its own


class Import(NamedTuple):
    """One import statement: the full name it reaches, its line, whether it runs at import."""

    name: str
    line: int
    at_import: bool


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


def reached(name: str) -> str:
    """The file of the package that an import of `modalloy...` reaches."""
    inside = name.removeprefix("modalloy").removeprefix(".")
    known = set(modules())
    return next((n for n in (inside, inside.rpartition(".")[0]) if n in known), "__init__")


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


@pytest.mark.parametrize(
    "module", [m for m in modules() if m.split(".")[0] in TORCH_FREE and m != LOOKS]
)
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


def test_bundles_are_read_without_what_trains() -> None:
    free = [m for m in modules() if m.split(".")[0] == "bundle"]
    loaded = loaded_by("\n".join(f"import modalloy.{name}" for name in free))
    assert not loaded & NEVER_IN_BUNDLES
    for module in free:
        for name, line, _ in imports_of(module):
            assert name.split(".")[0] not in NEVER_IN_BUNDLES, f"{module}:{line}: {name}"


def test_import_modalloy_is_light() -> None:
    loaded = loaded_by("import modalloy; modalloy.__version__; dir(modalloy)")
    assert not loaded & (HEAVY | {"numpy", "pandas", "pyarrow", "pydantic", "rich"})


def test_readers_check_jobs_and_metrics_load_no_torch() -> None:
    free = [m for m in modules() if m.split(".")[0] in TORCH_FREE]
    free += [m for m in modules() if m.startswith("judge.metrics.")]
    free += [f"report.{n}" for n in ("html", "charts", "plots", "lettering")]
    free += ["judge.wording", "judge.report", "judge.judge", "verbs", "cli", "diagnosis"]
    kept = ("loader", "padding", "cache", "kept_cells", "cell_status", "table_caveats")
    kept += ("engine", "graph_engine", "network", "views")
    free += [f"answer.{n}" for n in kept]
    free += ["answer.answers", *(m for m in modules() if m.startswith("answer.decoding."))]
    assert not loaded_by("\n".join(f"import modalloy.{name}" for name in free)) & HEAVY


def test_classical_models_answer_without_the_libraries_that_fit_them() -> None:
    loaded = loaded_by("import modalloy.classical.method, modalloy.classical.fit")
    assert not loaded & {"sklearn", "scipy", "transformers", "pandas"}


SLOW = {"torch", "transformers", "sklearn", "scipy", "matplotlib", "pandas"}  # seconds each
REPORT = {"sklearn", "scipy", "matplotlib"}  # every report has baselines and charts
PIP_PICTURE = {"type": "image", "encoder": "efficientnet_lite0", "pixels": 32, "tune": "frozen"}
PIP_TEXT = {"type": "text", "encoder": "minilm", "max_tokens": 16, "tune": "frozen"}
PIP_SOUND = {"type": "audio", "encoder": "whisper_tiny_en", "seconds": 0.25, "tune": "frozen"}
VERBS = """
import json, os, sys
import modalloy as ma
job, run, table, slow = json.loads(sys.argv[1])
def tell(verb):
    loaded = {name.split(".")[0] for name in sys.modules}
    print("LOADED", verb, *sorted(loaded & set(slow)), flush=True)
if os.fork() == 0:  # what a training loads is gone with its process
    ma.train(job, out=run, quiet=True)
    tell("train")
    os._exit(0)
assert os.wait()[1] == 0, "the training failed"
ma.predict(run, table, quiet=True)
tell("predict")
ma.evaluate(run, quiet=True)
tell("evaluate")
"""


@pytest.mark.parametrize(
    ("columns", "task", "more"),
    [
        (
            {"load": {}, "vibration": {}, "sound": {}, "note": {}, "photo": PIP_PICTURE},
            "fault",
            set(),
        ),
        ({"note": PIP_TEXT}, "life", {"transformers"}),
        ({"sound": PIP_SOUND}, "fault", {"transformers"}),
    ],
    ids=["all but", "pip text", "pip sound"],
)
def test_each_kind_of_job_imports_only_what_it_needs(
    tmp_path: Path, columns: dict[str, dict[str, Any]], task: str, more: set[str]
) -> None:
    table = write_table(tmp_path, rows=40)
    short = {"epochs": 1, "precision": "float32"}
    tasks = {task: TASKS[task]}
    job = make_job(table, columns=tuple(columns), tasks=tasks, train=short)
    if not more:  # where blended answers could bring scikit-learn along
        job["blend"] = {}
    job["columns"] |= {name: given for name, given in columns.items() if given}
    told = [job, str(tmp_path / "run"), str(table), sorted(SLOW)]
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
        for path in (f"{verb}.py", verb):
            assert not (SOURCE / path).exists(), f"rename src/modalloy/{path}"
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


def test_the_map_of_the_house_is_true() -> None:
    due = "run `python dev/house.py`"
    assert (house.REPO / "README.md").read_text() == house.readme(), due
    assert (house.REPO / "docs" / "house.md").read_text() == house.page(), due
