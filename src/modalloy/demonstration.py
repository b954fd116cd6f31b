"""Nothing in, a trained inspection model out: the product on real solar-cell pictures."""

import importlib.util
import shutil
from pathlib import Path

import pandas as pd

from modalloy import verbs
from modalloy.errors import JobError
from modalloy.report import Report
from modalloy.run import Run, load_run

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
    """Write the pictures and their table under `out`, train, evaluate, predict ten rows."""
    print(LICENCE)
    table = write_table(out / "data")
    run_path = out / "run"
    if run_path.exists():
        shutil.rmtree(run_path)
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
        print(f"  published: {100 * value:.2f} %  {name}, also trained on 75 % of the pictures")
    print(f"\nThe report: {run_path / 'report.html'}")
    return run


def write_table(folder: Path) -> Path:
    """Copy the package's pictures and write their table; 75/25 by type and label, seed 0."""
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
