"""A wheelhouse of a toy product installs without a network; what would not install is refused."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

import modalloy as ma
from modalloy.cli import app
from modalloy.errors import JobError, RunError
from modalloy.machine.installed import extras_of
from modalloy.offline import make_wheelhouse, wheels

TOY = ("toy-product", "1.2", 'toy-low>=2 ; extra == "more"', 'toy-gone ; extra == "broken"')
EXTRAS = ("more", "broken")


def metadata(name: str, version: str, *needs: str, extras: tuple[str, ...] = ()) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    return "\n".join([*lines, *(f"Requires-Dist: {need}" for need in needs)]) + "\n"


def write_wheel(folder: Path, name: str, version: str, text: str) -> Path:
    """A wheel with one module that says its version."""
    plain, heading = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    tags = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files = {f"{plain}.py": f"version = '{version}'\n", f"{heading}/METADATA": text}
    files |= {f"{heading}/WHEEL": tags}
    record = "".join(f"{path},,\n" for path in (*files, f"{heading}/RECORD"))
    path = folder / f"{plain}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, content in {**files, f"{heading}/RECORD": record}.items():
            wheel.writestr(inside, content)
    return path


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel of a toy product, which is installed here with its extra; an index beside it."""
    site, index = tmp_path / "site", tmp_path / "index"
    site.mkdir()
    index.mkdir()
    own = metadata(*TOY, extras=EXTRAS)
    low = metadata("toy-low", "2.1")
    path = write_wheel(tmp_path, "toy-product", "1.2", own)
    write_wheel(index, "toy-low", "2.1", low)
    write_wheel(index, "toy-low", "3.0", metadata("toy-low", "3.0"))
    for name, text in (("toy_product-1.2", own), ("toy_low-2.1", low)):
        (site / f"{name}.dist-info").mkdir()
        (site / f"{name}.dist-info" / "METADATA").write_text(text)
        (site / f"{name}.dist-info" / "RECORD").write_text("x.py,,1500000\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(make_wheelhouse, "PACKAGE", "toy-product")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    return path


def test_a_wheelhouse_installs_what_is_here_and_shows_changes(toy: Path, tmp_path: Path) -> None:
    out = tmp_path / "wheels"
    words = ["wheelhouse", str(out), "--extra", "more", "--source", str(toy)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "pip install --no-index --find-links wheels 'toy-product[more]==1.2'" in done.stdout
    names = {path.name for path in out.iterdir()}
    assert {n for n in names if n.endswith(".whl")} == {
        "toy_product-1.2-py3-none-any.whl",
        "toy_low-2.1-py3-none-any.whl",
    }
    told = json.loads((out / "wheelhouse.json").read_text())
    assert told["packages"] == {"toy-product": "1.2", "toy-low": "2.1"}
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert told["python"].endswith(version)
    target = tmp_path / "there"
    bare = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    subprocess.run(
        ["sh", str(out / "install.sh"), "--target", str(target), "--quiet", "--no-cache-dir"],
        env=bare | {"PYTHON": sys.executable, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
        capture_output=True,
    )
    assert (target / "toy_low.py").read_text() == "version = '2.1'\n"
    assert (target / "toy_product.py").is_file()
    assert "as here" in CliRunner().invoke(app, ["wheelhouse", "--verify", str(out)]).stdout
    (out / "toy_low-2.1-py3-none-any.whl").write_bytes(b"another")
    checked = CliRunner().invoke(app, ["wheelhouse", "--verify", str(out)])
    assert checked.exit_code == 1
    assert "changed: toy_low-2.1-py3-none-any.whl" in checked.stdout
    told["python"] = "cpython 2.7"
    (out / "wheelhouse.json").write_text(json.dumps(told))
    found = ma.verify_wheelhouse(out)
    assert "It is for cpython 2.7 on" in found.fits
    assert "; here is cpython 3." in found.fits


def test_what_would_be_fetched_is_told_and_nothing_is_written(toy: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["wheelhouse", str(tmp_path / "w"), "--extra", "more", "--dry"])
    assert done.exit_code == 0, done.output
    assert "toy-low==2.1" in done.stdout
    assert "2 packages; installed they take 3.0 MB" in done.stdout
    assert not (tmp_path / "w").exists()
    plain = ma.wheelhouse(tmp_path / "w", dry=True)
    assert [str(pin) for pin in plain.wanted.others] == []
    assert plain.wanted.asked() == "toy-product==1.2"


def test_what_would_not_install_is_refused_and_nothing_is_left(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "w"

    def make(extra: str = "more", source: Path | None = toy) -> None:
        ma.wheelhouse(out, extras=[extra], source=source)

    with pytest.raises(JobError, match=r"there is no 'mores'. Did you mean 'more'"):
        make("mores")
    with pytest.raises(JobError, match="not installed here as asked for: toy-gone"):
        make("broken")
    with pytest.raises(JobError, match="nothing tells which folder toy-product"):
        make(source=None)
    with pytest.raises(JobError, match=r"there is no .*nowhere"):
        make(source=tmp_path / "nowhere")
    wrong = write_wheel(tmp_path, "toy-low", "2.1", metadata("toy-low", "2.1"))
    with pytest.raises(RunError, match=r"no wheel of toy-product==1.2"):
        make(source=wrong)
    (tmp_path / "index" / "toy_low-2.1-py3-none-any.whl").unlink()
    with pytest.raises(RunError, match=r"pip could not make the wheels: ERROR.*toy-low==2.1"):
        make()
    monkeypatch.setattr(make_wheelhouse, "disk_free_bytes", lambda folder: 2_000_000)
    with pytest.raises(RunError, match="2 MB are free there, and 2 packages take up to 3 MB"):
        make()
    monkeypatch.setattr(wheels, "find_spec", lambda name: None)
    monkeypatch.setattr(make_wheelhouse, "disk_free_bytes", lambda folder: 10_000_000)
    with pytest.raises(JobError, match="needs pip in this environment"):
        make()
    left = [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")]
    assert (out.exists(), left) == (False, [])
    out.mkdir()
    (out / "mine").write_text("")
    with pytest.raises(RunError, match="holds files"):
        make()
    with pytest.raises(RunError, match="is no wheelhouse"):
        ma.verify_wheelhouse(out)
    for words in ([], ["d", "--verify", "e"]):
        assert CliRunner().invoke(app, ["wheelhouse", *words]).exit_code == 2


def test_every_extra_for_users_is_known_and_modalloy_comes_from_its_folder() -> None:
    assert {"pretrained", "twin", "serve", "export"} <= set(extras_of())
    found = ma.wheelhouse("unwritten", extras=["twin"], dry=True).wanted
    assert found.own.name == "modalloy"
    assert {"fmpy", "torch", "numpy"} <= {pin.name for pin in found.others}
    assert next(p for p in found.others if p.name == "torch").bytes > 10e6
    assert (Path(wheels.source_of("modalloy", None)) / "pyproject.toml").is_file()
