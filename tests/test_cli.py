"""The command passes its words to the verbs; a mistake is one sentence and an exit code."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import modalloy
from modalloy.answer.written import Written
from modalloy.cli import app
from modalloy.commands import terminal
from modalloy.errors import JobError, LeakError, RunError, TableError

COMMAND = [sys.executable, "-m", "modalloy"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[Any, ...]]:
    """Verbs replaced by ones that note how they were called."""
    noted: list[tuple[Any, ...]] = []

    def verb(name: str, answer: Any) -> None:
        def call(*args: Any, **options: Any) -> Any:
            noted.append((name, args, options))
            return answer

        monkeypatch.setattr(modalloy, name, call, raising=False)

    report = SimpleNamespace(text=lambda: "accuracy 0.9", caveats=[], findings=[])
    verb("init", "table: parts.csv\n")
    verb("check", SimpleNamespace(text=lambda: "1 leak", ok=False))
    verb("evaluate", report)
    verb("predict", pd.DataFrame({"row": [0, 1]}))
    verb("predict_into", Written(2, [], []))
    said = [{"text": "fault: 'crack' is the class of none"}]
    changes = {"rows": 4, "tasks": {"fault": {"before": {"ece": 0.2}, "after": {}}}, "said": said}
    verb("calibrate", SimpleNamespace(path=tmp_path, notes={"recalibrated": changes}))
    pair = {"Cost a row": [3.0, 1.0, None]}
    bought = {"verb": "economize", "rows": 4, "which": "test rows", "tasks": {}, "units": {}}
    bought |= {"costs": pair, "said": ["bought by: an arm"], "arm": "an arm"}
    verb("economize", SimpleNamespace(path=tmp_path, notes={"economized": bought}))
    quick = {"verb": "compress", "rows": 4, "which": "validation rows", "tasks": {}, "units": {}}
    quick |= {"costs": {"Milliseconds": [4.0, 1.0, None]}, "said": ["guarded by 4 rows"]}
    manifest = SimpleNamespace(notes={"compressed": quick})
    made = SimpleNamespace(path=tmp_path / "b.zip", archive=SimpleNamespace(manifest=manifest))
    verb("compress", made)
    judged = {"rows": 4, "which": "validation rows", "tasks": {"fault": {"same": 0.9975}}}
    manifest = SimpleNamespace(notes={"parity": {"onnxruntime f32": judged}})
    archive = SimpleNamespace(manifest=manifest)
    verb("export", SimpleNamespace(path=Path("model.zip"), archive=archive, without_rows=None))
    verb("explain", SimpleNamespace(text=lambda: "fault: crack"))
    verb("search", SimpleNamespace(text=lambda: "row 3  0.9"))
    verb("doctor", SimpleNamespace(print=lambda: print("fine"), ok=True))
    verb("demo", None)
    verb("tune", SimpleNamespace(text=lambda: "4 trials"))
    verb("train", SimpleNamespace(path=tmp_path, notes={"interrupted": False}))
    return noted


def run(*words: str) -> Any:
    """The command in this process."""
    return CliRunner().invoke(app, list(words))


def test_explain_hands_its_words_to_the_verb(calls: list[tuple[Any, ...]]) -> None:
    words = ("--row", "3", "--class", "ok", "--actionable", "load, speed", "--lines", "3.5,5")
    done = run("explain", "r", "t.csv", *words)
    assert done.exit_code == 0
    assert "The page is r/explain.html" in done.output
    ((name, args, options),) = calls
    assert (name, *args) == ("explain", Path("r"), "t.csv")
    assert (options["row"], options["label"], options["past"]) == (3, "ok", 3)
    assert (options["actionable"], options["lines"]) == (["load", "speed"], [3.5, 5.0])
    done = run("explain", "r", "t.csv", "--lines", "fast")
    assert done.exit_code == 2
    assert "--lines: 'fast' is no list of numbers" in done.output


def test_search_hands_its_words_to_the_verb(calls: list[tuple[Any, ...]], tmp_path: Path) -> None:
    words = ("--text", "pump loud", "--where", "line=3", "--where", "load=2..5", "--top", "4")
    done = run("search", "r", *words, "--against", "photo", "-o", "f.html", "--index", "usearch")
    assert done.exit_code == 0
    assert "row 3" in done.output
    assert "The page is f.html" in done.output
    words = ("--follow", "t.json", "--table", "t.csv", "--shorten", "0.9")
    done = run("search", "r", "--answer", "why?", *words)
    assert done.exit_code == 0
    (name, args, options), (_, more, answered) = calls
    assert (name, *args) == ("search", Path("r"), None)
    assert (options["text"], options["where"], options["top"]) == (
        "pump loud",
        ["line=3", "load=2..5"],
        4,
    )
    assert (options["against"], options["index"]) == ("photo", "usearch")
    assert (options["shorten"], answered["shorten"]) == (None, 0.9)
    assert (*more, answered["answer"], answered["follow"]) == (
        Path("r"),
        "t.csv",
        "why?",
        Path("t.json"),
    )


@pytest.mark.parametrize(
    ("processes", "threads"),
    [(("", ""), 6), (("4", ""), 1), (("16", ""), 1), (("2", "2"), 3), (("16", "2"), 3)],
)
def test_the_command_takes_its_share_of_the_machine(
    processes: tuple[str, str], threads: int, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(terminal, "cores", lambda: 6)
    monkeypatch.setenv("RANK", "1")
    for name, count in zip(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), processes, strict=True):
        monkeypatch.setenv(name, count)  # as good as unset where it is empty
    every = (("predict", "r", "t"), ("evaluate", "r"), ("train", "j", "-o", "r"), ("demo",))
    for words in every:
        torch.set_num_threads(2)
        assert run(*words).exit_code == 0
        assert torch.get_num_threads() == threads, words


def test_help_names_every_verb_and_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv=['modalloy','--help']; import atexit; from modalloy.cli import main"
    )
    code += "; atexit.register(lambda: print('LOADED', 'torch' in sys.modules)); main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    verbs = (
        "init",
        "check",
        "train",
        "tune",
        "evaluate",
        "predict",
        "calibrate",
        "economize",
        "compress",
        "export",
        "explain",
        "search",
        "doctor",
        "demo",
    )
    for verb in verbs:
        assert f"  {verb} " in done.stdout
    assert "LOADED False" in done.stdout


def test_help_is_quick() -> None:
    """Under 0.6 s on an idle machine; three times that here, for machines that are busy."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([*COMMAND, "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 1.8


def test_version() -> None:
    assert run("--version").output.strip() == modalloy.__version__


def test_init_prints_the_job_and_passes_every_target(calls: list[Any]) -> None:
    done = run("init", "parts.csv", "--target", "fault", "-t", "life")
    assert done.exit_code == 0
    assert done.stdout == "table: parts.csv\n"
    assert calls == [
        ("init", ("parts.csv",), {"target": ["fault", "life"], "sheet": None, "minutes": None})
    ]


def test_check_prints_and_its_exit_code_says_whether_train_would_begin(calls: list[Any]) -> None:
    done = run("check", "job.yaml")
    assert (done.exit_code, done.stdout) == (1, "1 leak\n")
    assert calls == [("check", (Path("job.yaml"),), {})]


def test_train_passes_its_options_and_prints_the_report(calls: list[Any], tmp_path: Path) -> None:
    from modalloy.judge.report import Report

    Report(tasks={"fault": {"accuracy": 0.75}}).save(tmp_path / "report.json")
    done = run("train", "job.yaml", "-o", str(tmp_path), "--resume")
    assert done.exit_code == 0, done.output
    assert calls == [("train", (Path("job.yaml"),), {"out": tmp_path, "resume": True})]
    assert "75.0 %" in done.stdout
    assert "report.html" in done.stdout


def test_tune_passes_its_options_and_says_where_its_best_is(calls: list[Any]) -> None:
    done = run("tune", "job.yaml", "-o", "study", "--minutes", "5", "--against", "size")
    assert done.exit_code == 0, done.output
    asked = {"minutes": 5.0, "trials": None, "workers": 1, "storage": None}
    manner = {"sampler": None, "pruner": "median", "against": "size"}
    told = {"out": Path("study"), "resume": False, **asked, **manner}
    assert calls == [("tune", (Path("job.yaml"),), told)]
    assert "4 trials" in done.stdout
    assert "study/best.yaml" in done.stdout
    assert run("tune", "job.yaml", "-o", "study", "--sampler", "dice").exit_code == 2


def test_an_interrupted_training_ends_with_its_own_status(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "report.json").write_text("{}")
    stopped = SimpleNamespace(path=tmp_path, notes={"interrupted": True})
    monkeypatch.setattr(modalloy, "train", lambda *_, **__: stopped)
    done = run("train", "job.yaml", "-o", "run")
    assert done.exit_code == 130
    assert "best weights so far, and --resume goes on." in done.stderr


def test_only_the_first_process_of_torchrun_speaks(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    done = run("train", "job.yaml", "-o", "run")
    assert (done.exit_code, done.stdout) == (0, "")


def test_evaluate_with_and_without_a_table(calls: list[Any]) -> None:
    said = "accuracy 0.9\n\nThe report is {}; open it in a browser.\n"
    assert run("evaluate", "run").stdout == said.format(Path("run/report.html"))
    new = run("evaluate", "run", "new.csv", "-o", "new.html")
    assert new.stdout == said.format("new.html")
    asked = {"sheet": None, "adapter": None, "device": "auto", "trust": None}
    assert calls == [
        ("evaluate", (Path("run"), None), {"out": None, **asked}),
        ("evaluate", (Path("run"), "new.csv"), {"out": Path("new.html"), **asked}),
    ]
    other = run("evaluate", "run", "new.csv")
    assert other.stdout == said.format(Path("run/evaluated.html"))


@pytest.mark.parametrize("out", ["out.json", "out", "no folder/x.html"])
def test_evaluate_refuses_a_page_it_could_not_write_before_any_work(
    out: str, tmp_path: Path
) -> None:
    kept = tmp_path / "out.json"
    kept.write_text("mine")
    done = run("evaluate", str(tmp_path / "no run"), "-o", str(tmp_path / out))
    assert done.exit_code == 2
    wanted = "make it first" if "folder" in out else "is written as .html"
    assert wanted in done.stderr
    assert kept.read_text() == "mine"


def test_predict_prints_csv_or_says_where_it_wrote(calls: list[Any]) -> None:
    assert run("predict", "run", "new.csv").stdout == "row\n0\n1\n"
    assert run("predict", "run", "new.csv", "-o", "a.csv").stdout == "2 rows answered in a.csv\n"
    asked = {"sheet": None, "adapter": None, "device": "auto", "trust": None}
    assert calls[1] == ("predict_into", (Path("run"), "new.csv", Path("a.csv")), asked)
    run("predict", "b.zip", "new.csv", "--device", "cpu", "--trust", "key.pub")
    told = calls.pop()[2]
    assert (told["device"], told["trust"]) == ("cpu", Path("key.pub"))
    run("predict", "run", "new.csv", "--adapter", "line3")
    assert calls[2][2]["adapter"] == "line3"


@pytest.mark.parametrize("strict", [False, True])
def test_caveats_are_said_at_the_end_and_strict_ends_with_3(
    strict: bool, calls: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = pd.DataFrame({"row": [0]})
    answers.attrs["caveats"] = ["load: absent", "site: 1 of 1 cells are empty"]
    answers.attrs["notes"] = ["a line of units below the heading is left out"]
    report = SimpleNamespace(
        text=lambda: "figures",
        caveats=answers.attrs["caveats"],
        findings=[{"where": "reading", "what": n, "level": "note"} for n in answers.attrs["notes"]],
    )
    written = Written(1, answers.attrs["notes"], answers.attrs["caveats"])
    monkeypatch.setattr(modalloy, "predict", lambda *_, **__: answers)
    monkeypatch.setattr(modalloy, "predict_into", lambda *_, **__: written)
    monkeypatch.setattr(modalloy, "evaluate", lambda *_, **__: report)
    for words in (("predict", "run", "a.csv", "-o", "b.csv"), ("evaluate", "run", "a.csv")):
        done = run(*words, *["--strict"] * strict)
        assert done.exit_code == (3 if strict else 0)
        note, *caveats = done.stderr.splitlines()
        assert note == "note: a line of units below the heading is left out."
        assert caveats == ["caveat: load: absent.", "caveat: site: 1 of 1 cells are empty."]
        assert done.stdout.startswith(("1 rows answered", "figures"))


@pytest.mark.parametrize("words", [("predict", "run", "a.csv"), ("evaluate", "run")])
def test_strict_ends_with_0_where_nothing_is_to_be_said(
    words: tuple[str, ...], calls: list[Any]
) -> None:
    done = run(*words, "--strict")
    assert (done.exit_code, done.stderr) == (0, "")


def test_a_sheet_is_passed_to_every_verb_that_reads_a_table(calls: list[Any]) -> None:
    for words in (
        ("init", "a.xlsx", "-t", "y"),
        ("evaluate", "r", "a.xlsx"),
        ("predict", "r", "a"),
        ("calibrate", "r", "a"),
        ("economize", "r", "a"),
        ("compress", "r", "-o", "b.zip", "--table", "a"),
    ):
        assert run(*words, "--sheet", "Lab data").exit_code == 0
    assert [options["sheet"] for _, _, options in calls] == ["Lab data"] * 6


def test_calibrate_prints_what_has_changed_and_what_is_not_known(calls: list[Any]) -> None:
    done = run("calibrate", "r", "new.csv", "-o", "other", "--coverage", "0.8")
    options = {"out": Path("other"), "coverage": 0.8, "sheet": None}
    assert calls == [("calibrate", (Path("r"), "new.csv"), options)]
    assert "Calibration error" in done.stdout
    assert "0.200" in done.stdout
    assert "writes its report" in done.stdout
    assert "caveat: fault: 'crack' is the class of none." in done.stderr


def test_export_hands_its_words_to_the_verb_and_says_how_it_was_judged(calls: list[Any]) -> None:
    words = ("--backend", "openvino", "--sign", "key.pem", "--server", "triton", "--table", "t.csv")
    done = run("export", "r", "-o", "model.zip", *words, "--adapter", "line3", "--without-rows")
    options = {"backend": "openvino", "sign": Path("key.pem"), "server": "triton"}
    options |= {"table": "t.csv", "sheet": None, "adapter": "line3", "without_rows": True}
    assert calls == [("export", (Path("r"), Path("model.zip")), options)]
    said = "onnxruntime f32: 4 validation rows, decided as by the run: fault 99.75 %"
    assert done.stdout.splitlines()[0] == said
    assert "The bundle is model.zip; `modalloy predict model.zip TABLE` answers" in done.stdout


@pytest.mark.usefixtures("no_lines")
def test_economize_takes_costs_and_prints_what_has_changed(calls: list[Any]) -> None:
    words = ("--costs", "photo=2.5, note=0", "--alpha", "0.05", "--sure", "0.8", "-o", "other")
    done = run("economize", "r", *words)
    options = {"out": Path("other"), "alpha": 0.05, "sure": 0.8, "sheet": None}
    assert calls == [
        ("economize", (Path("r"), None), {**options, "costs": {"photo": 2.5, "note": 0.0}})
    ]
    assert "Cost a row" in done.stdout
    assert "0.33 times" in done.stdout
    assert "bought by: an arm" in done.stdout
    wrong = run("economize", "r", "--costs", "photo:2")
    assert wrong.exit_code == 2
    assert "'photo:2' is no cost; write column=number" in wrong.stderr


def test_compress_hands_on_its_promise_and_prints_what_has_changed(calls: list[Any]) -> None:
    words = ("--profile", "size", "--max-loss", "1.5", "--minutes", "3", "--sign", "k.pem")
    words = (*words, "--adapter", "line3")
    done = run("compress", "r", "-o", "b.zip", *words)
    asked = {"profile": "size", "max_loss": 1.5, "minutes": 3.0, "sign": Path("k.pem")}
    place = {"out": Path("b.zip"), "table": None, "sheet": None, "adapter": "line3"}
    assert calls == [("compress", (Path("r"),), {**asked, **place})]
    assert "0.25 times" in done.stdout
    assert "guarded by 4 rows" in done.stdout
    assert "b.compress.html" in done.stdout
    assert run("compress", "r").exit_code == 2


def test_predict_says_what_was_saved(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frame = pd.DataFrame({"row": [0, 1]})
    counts = {"bought": {"photo": 1, "note": 2}, "there": {"photo": 2, "note": 2}}
    frame.attrs["saved"] = {"rows": 2, **counts, "cost": 1.0, "full": 4.0, "unit": "ms"}
    written = Written(2, [], [], frame.attrs["saved"])
    monkeypatch.setattr(modalloy, "predict", lambda *_, **__: frame)
    monkeypatch.setattr(modalloy, "predict_into", lambda *_, **__: written)
    done = run("predict", "r", "a.csv", "-o", str(tmp_path / "x.csv"))
    said = "bought 3 of 4 cells (photo 1 of 2, note 2 of 2): a row cost 1 of 4 ms, 75 % less"
    assert said in done.stdout
    done = run("predict", "r", "a.csv")  # answers alone on stdout
    assert said in done.stderr
    assert said not in done.stdout


def test_every_verb_reads_the_sheet_that_is_named(tmp_path: Path) -> None:
    x = [float(i % 20) for i in range(60)]
    parts = pd.DataFrame({"x": x, "y": ["low" if i % 3 else "high" for i in range(60)]})
    with pd.ExcelWriter(tmp_path / "lab.xlsx") as book:
        pd.DataFrame({"note": ["exported"]}).to_excel(book, sheet_name="Info", index=False)
        parts.to_excel(book, sheet_name="Parts", index=False)
        parts.head(7).to_excel(book, sheet_name="New", index=False)
    path = str(tmp_path / "lab.xlsx")
    job = modalloy.init(path, target="y", sheet="Parts")
    assert modalloy.load_job(job).sheet == "Parts"
    assert "epochs: auto" in job
    short = job.replace("epochs: auto", "epochs: 1")
    done = modalloy.train(short, out=tmp_path / "run", quiet=True)
    assert len(modalloy.predict(done, path, sheet="New", quiet=True)) == 7
    assert modalloy.evaluate(done, path, sheet="New", quiet=True).rows == {"test": 7}
    with pytest.raises(TableError, match="no row has an answer"):
        modalloy.evaluate(done, path, quiet=True)
    with pytest.raises(TableError, match="sheet 'New': name the Excel file"):
        modalloy.evaluate(done, sheet="New", quiet=True)


def test_doctor_and_demo(calls: list[Any]) -> None:
    assert run("doctor").stdout == "fine\n"
    assert run("demo", "-o", "here").exit_code == 0
    assert calls[1] == ("demo", (Path("here"),), {})


@pytest.mark.parametrize("kind", [JobError, TableError, LeakError, RunError])
def test_a_mistake_is_one_sentence_on_stderr(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: Any) -> None:
        raise kind("job.yaml:3: one\njob.yaml:4: two")

    monkeypatch.setattr(modalloy, "check", fail)
    done = run("check", "job.yaml")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr == "error: job.yaml:3: one\nerror: job.yaml:4: two\n"


def test_a_defect_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(job: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(modalloy, "check", fail)
    done = run("check", "job.yaml")
    assert isinstance(done.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    "words",
    [
        ("train", "job.yaml"),
        ("init", "parts.csv"),
        ("check",),
        ("predict", "run"),
        ("explode",),
        ("check", "job.yaml", "--no-such-option"),
    ],
)
def test_wrong_words_are_told_with_exit_code_2(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert "Usage: " in done.stderr


def test_faults_of_a_real_job_in_a_real_process(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("table: a.csv\nsplit: {by: g}\ncolumns: {x: {type: nmber}}\ntasks: {}\n")
    done = subprocess.run([*COMMAND, "check", str(job)], capture_output=True, text=True)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"error: {job}:3: columns.x: type 'nmber' is not one of ")
    assert lines[1].startswith(f"error: {job}:4: tasks: must hold at least one task")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("held", "promise"),
    [
        ([], "."),
        (["checkpoints/last.safetensors"], "; --resume goes on from the last checkpoint."),
        (
            ["checkpoints/last.safetensors", "run.json"],
            "; the run is whole but for its report, which `modalloy evaluate run` writes.",
        ),
        (["checkpoints/last.safetensors", "run.json", "report.html"], "."),
    ],
)
def test_ctrl_c_is_one_sentence_and_exit_code_130(
    tmp_path: Path, held: list[str], promise: str
) -> None:
    for name in held:
        (tmp_path / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "run" / name).touch()
    code = (
        "import modalloy, signal, time, sys\n"
        # A shell starts background jobs with Ctrl-C ignored, and children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def train(job, *, out, resume):\n"
        "    print('started', flush=True)\n"
        # Naps: a signal that reaches another thread wakes no sleeper, and is noticed after one.
        "    for _ in range(600): time.sleep(0.1)\n"
        "modalloy.train = train\n"
        "sys.argv = ['modalloy', 'train', 'job.yaml', '-o', 'run']\n"
        "from modalloy.cli import main\n"
        "main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        cwd=tmp_path,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == f"error: train was interrupted{promise}\n"


def test_a_package_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError(f"No module named '{name}.linear'", name=f"{name}.linear")

    monkeypatch.setattr("modalloy.cli.find_spec", lambda name: None)
    for name, package in (("sklearn", "modalloy"), ("openpyxl", "openpyxl")):
        monkeypatch.setattr("modalloy.check", lambda job, name=name: lacking(name))
        done = CliRunner().invoke(app, ["check", "job.yaml"])
        assert done.exit_code == 2
        assert done.stderr == f"error: check needs {name}; run: pip install {package}\n"
    monkeypatch.setattr("modalloy.check", lambda job: lacking("modalloy"))
    assert isinstance(CliRunner().invoke(app, ["check", "job.yaml"]).exception, ModuleNotFoundError)
