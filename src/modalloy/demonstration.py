"""`demo`: the product on real solar-cell pictures."""

import importlib.util
import shutil
from pathlib import Path

import pandas as pd

from modalloy import verbs
from modalloy.errors import JobError, RunError
from modalloy.judge.report import Report
from modalloy.runs.run import Run, load_run

PUBLISHED = {"CNN (Deitsch et al. 2019)": 0.8842, "SVM (Deitsch et al. 2019)": 0.8244}
LEVELS = {
    0.0: "functional",
    1 / 3: "possibly defective",
    2 / 3: "likely defective",
    1.0: "defective",
}
LICENCE = (
    "Pictures: elpv-dataset, 2,624 electroluminescence pictures of solar cells (Buerhop-Lutz et al."
    " 2018; Deitsch et al. 2019), licence CC BY-NC-SA 4.0: not for commercial use."
)
MARK = "demo.txt"  # lies in the run that the demo made, and nowhere else
JOB = {
    "split": {"column": "split", "validation": 0.0},
    "columns": {
        "picture": {
            "type": "image",
            "encoder": "efficientnet_lite0",
            "pixels": 144,
            "augment": "rotate",
        },
        "cell_type": {"type": "category"},
    },
    "tasks": {
        "defect": {"type": "classify", "target": "defective"},
        "severity": {"type": "regress", "target": "defect_probability"},
    },
    "train": {"epochs": 6, "batch": 16, "encoder_lr": 3e-4, "patience": 0},
}


def run_demo(out: Path, *, quiet: bool = False) -> Run:
    """Write the pictures and their table under `out`, train, evaluate, predict ten rows.

    An earlier demo's run under `out` is replaced. RunError where `out` holds anything else.
    """
    print(LICENCE)
    run_path = clear_place(out)
    table = write_table(out / "data")
    verbs.train({"table": str(table), **JOB}, out=run_path, quiet=quiet)
    run = load_run(run_path)
    report = Report.load(run_path / "report.json")
    answers = verbs.predict(run, table, rows=slice(0, 10), out=out / "answers.csv", quiet=True)
    print("\nTen answers (also in", f"{out / 'answers.csv'}):\n")
    print(answers.to_string(index=False, float_format=lambda v: f"{v:.3f}"))
    print("\n" + report.text())
    ours = report.tasks["defect"]["accuracy"]
    low, high = report.tasks["defect"]["interval"]["accuracy"]
    print(
        f"\nAccuracy on {report.rows['test']} test pictures: {100 * ours:.2f} % "
        f"({100 * low:.1f} to {100 * high:.1f})"
    )
    for name, value in PUBLISHED.items():
        print(f"  published: {100 * value:.2f} %  {name}, 75 % of the pictures to learn from, too")
    print("  (their split is not published; in ours, cells of one module may be in both parts)")
    print(f"\nThe report: {run_path / 'report.html'}")
    return run


def clear_place(out: Path) -> Path:
    """A new, marked run folder under `out`; only a folder that the demo made is written over."""
    run_path = out / "run"
    made_here = (run_path / MARK).is_file()
    if out.exists() and not made_here and (not out.is_dir() or any(out.iterdir())):
        raise RunError(
            f"{out}: holds something that the demo did not make, and the demo writes data, run and "
            "answers.csv there; give a new folder: modalloy demo -o FOLDER"
        )
    if made_here:
        shutil.rmtree(run_path)
    run_path.mkdir(parents=True)
    (run_path / MARK).write_text(f"Made by `modalloy demo`, which replaces it. {LICENCE}\n")
    return run_path


def write_table(folder: Path) -> Path:
    """Copy the package's pictures and write their table; 75/25 by type and label, seed 0.

    The authors state the shares and publish no split, so this one is drawn here. Nor do they say
    which module a cell was cut from, so cells of one module may lie on both sides.
    """
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise JobError('The demo needs the pictures: pip install "modalloy[demo]"')
    source = Path(next(iter(spec.submodule_search_locations)))
    labels = next(source.rglob("labels.csv"))
    frame = pd.read_csv(
        labels, sep=r"\s+", header=None, names=["picture", "probability", "cell_type"]
    )
    frame["defect_probability"] = frame.probability.round(4)
    frame["defect_class"] = [
        min(LEVELS.items(), key=lambda level: abs(level[0] - p))[1] for p in frame.probability
    ]
    frame["defective"] = frame.probability.ge(0.5).map({True: "defective", False: "functional"})
    folder.mkdir(parents=True, exist_ok=True)
    for name in frame.picture:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(labels.parent / name, path)
    keys = frame.cell_type + frame.probability.round(2).astype(str)
    draw = frame.sample(frac=1.0, random_state=0)
    place = draw.groupby(keys).cumcount() / draw.groupby(keys)["picture"].transform("size")
    frame["split"] = (place < 0.25).reindex(frame.index).map({True: "test", False: "train"})
    path = folder / "cells.csv"
    frame.drop(columns="probability").to_csv(path, index=False)
    return path
