"""The command `modalloy simulate`."""

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from modalloy.cli import app
from toy_twins import write_twin


def typed(folder: Path, *words: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """Exit code and all that a command printed."""
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["simulate", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_a_plan_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_twin(tmp_path)
    options = "--runs 20 --plan latin --seed 5 --workers 1 --hidden default --show-hidden"
    words = [*options.split(), "--set", "material=brass", "--set", "teeth=4"]
    code, said = typed(
        tmp_path, "plate.yaml", "-o", "rows.parquet", *words, monkeypatch=monkeypatch
    )
    assert code == 0, said
    assert "plate: 20 runs: 20 ok" in said
    assert "grade  " in said
    assert "The rows are rows.parquet; `modalloy init` writes a job for them." in said
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert set(rows["material"]) == {"brass"}
    assert set(rows["teeth"]) == {4}
    assert set(rows["hidden_wear"]) == {0.25}
    assert sorted(((rows["width"] - 10) * 20 / 30).astype(int)) == list(range(20))
    again = typed(
        tmp_path, "plate.yaml", "-o", "rows.parquet", *words, "--resume", monkeypatch=monkeypatch
    )
    assert again[0] == 0
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "rows.parquet"), rows)


def test_active_plans_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way of choosing gives other runs: small masses, large ones, or those that teach."""
    write_twin(tmp_path)
    mass: dict[str, list[float]] = {}
    for name, value in (("minimise", "mass"), ("maximise", "mass"), ("about", "mass")):
        words = f"--plan active --runs 16 --workers 1 --set teeth=4 --{name} {value}"
        code, said = typed(
            tmp_path, "plate.yaml", "-o", f"{name}.parquet", *words.split(), monkeypatch=monkeypatch
        )
        assert code == 0, said
        assert "Each run foretold from all others by a Gaussian process, R2: mass" in said
        mass[name] = pd.read_parquet(tmp_path / f"{name}.parquet")["mass"].tolist()
    assert mass["minimise"][:8] == mass["maximise"][:8] == mass["about"][:8]
    assert max(mass["minimise"][8:]) < min(mass["maximise"][8:])
    assert min(mass["minimise"][8:]) < min(mass["about"][:8])
    assert max(mass["maximise"][8:]) > max(mass["about"][:8])
    assert sorted(mass["about"]) not in (sorted(mass["minimise"]), sorted(mass["maximise"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plate.yaml", "--set", "teeth"], "--set: write NAME=VALUE such as material=steel, not"),
        (["plate.yaml", "--set", "teeth=4", "--set", "teeth=5"], "'teeth' is set twice"),
        (["plat.yaml"], "no such file. Did you mean 'plate.yaml'?"),
        (["plate.yaml", "--about", "sag"], "about: says what an active plan chooses its runs for"),
        (["plate.yaml", "--set", "teeth=9.5"], "teeth must be a whole number from 3 to 9"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_twin(tmp_path)
    code, output = typed(tmp_path, *words, "-o", "rows.parquet", monkeypatch=monkeypatch)
    assert code == 2
    assert said in " ".join(output.split())
    assert not (tmp_path / "rows.parquet").exists()


def test_all_faults_of_a_twin_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_twin(tmp_path, **{"low: 10": "low: 90", "unit: g": "unti: g"})
    code, output = typed(tmp_path, "plate.yaml", "-o", "rows.parquet", monkeypatch=monkeypatch)
    assert code == 2
    lines = [line for line in output.splitlines() if line.startswith("error: plate.yaml:")]
    assert lines[0] == (
        "error: plate.yaml:3: variables.width: low must be below high. Got low 90 and high 40."
    )
    assert any("outputs.mass.unti: is not an option of type: number." in line for line in lines)


def test_a_twin_becomes_this_plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plant whose plates are worn by .7, where the twin takes .25: the rows are of its plates."""
    write_twin(tmp_path)
    worn = "--runs 60 --workers 1 --seed 2 --set teeth=4 --set wear=0.7"
    assert typed(tmp_path, "plate.yaml", "-o", "plant.parquet", *worn.split(),
                 monkeypatch=monkeypatch)[0] == 0  # fmt: skip
    words = "--from plant.parquet --runs 10 --workers 1 --hidden default --show-hidden"
    code, said = typed(
        tmp_path, "plate.yaml", "-o", "rows.parquet", *words.split(), monkeypatch=monkeypatch
    )
    assert code == 0, said
    assert "wear" in said
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert rows["hidden_wear"].between(0.65, 0.75).all()
    assert (tmp_path / "rows.twin.yaml").is_file()
