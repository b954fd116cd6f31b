"""A simulator that is any program: values on its standard input or in a file, outputs likewise."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from modalloy.errors import TwinError
from modalloy.machine.confined import crash
from modalloy.twin.runs import FailedRun, NonsenseRun, Simulate

SHOWN = 60  # characters of what a program printed that are told
INPUT, OUTPUT = "input.json", "output.json"


class Command(NamedTuple):
    """run: the program and its arguments. exchange: `json` by standard input and output, `files`
    by input.json and output.json in a fresh folder, which is its last argument. folder: where it is
    started, absolute.

    It is given `{"values": {name: value}, "seed": number, "folder": path}`, and tells its outputs
    as `{name: value}`. Files of media lie in `folder`.
    """

    run: tuple[str, ...]
    exchange: Literal["json", "files"]
    folder: str


def check_command(command: Command) -> None:
    """TwinError where there is no such folder, program or script."""
    folder, program = Path(command.folder), command.run[0]
    if not folder.is_dir():
        raise TwinError(f"simulator: no folder {folder} to start {program} in.")
    place = str(folder / program) if os.sep in program else program
    if shutil.which(place) is None:
        where = f"at {place}" if os.sep in program else "on the search path (PATH)"
        raise TwinError(
            f"simulator: there is no program '{program}' {where}; give its whole path, and see "
            "that it may be executed."
        )
    script = command.run[1] if len(command.run) > 1 else ""
    if (
        script.endswith(".py")
        and "python" in Path(program).name
        and not (folder / script).is_file()
    ):
        raise TwinError(f"simulator: no file {folder / script}, which {program} is to run.")


def open_command(command: Command) -> Simulate:
    """Start the program once a run."""

    def by_pipes(values: Mapping[str, Any], *, seed: int, folder: Path) -> Any:
        printed = started(command, (), asked(values, seed, folder))
        return parsed(printed, "It printed")

    def by_files(values: Mapping[str, Any], *, seed: int, folder: Path) -> Any:
        (folder / INPUT).write_bytes(asked(values, seed, folder))
        started(command, (str(folder),), b"")
        try:
            written = (folder / OUTPUT).read_bytes()
        except FileNotFoundError:
            raise NonsenseRun(f"It wrote no {OUTPUT} into the folder it was given.") from None
        (folder / INPUT).unlink(missing_ok=True)
        (folder / OUTPUT).unlink()
        return parsed(written, f"It wrote into {OUTPUT}")

    return by_files if command.exchange == "files" else by_pipes


def asked(values: Mapping[str, Any], seed: int, folder: Path) -> bytes:
    """What the program is told."""
    return json.dumps({"values": dict(values), "seed": seed, "folder": str(folder)}).encode()


def started(command: Command, more: tuple[str, ...], given: bytes) -> bytes:
    """What the program prints until it ends; FailedRun where it does not end well."""
    done = subprocess.run(
        [*command.run, *more], input=given, capture_output=True, cwd=command.folder, check=False
    )
    if done.returncode != 0:
        said = done.stderr or done.stdout
        raise FailedRun(crash(done.returncode, said.decode(errors="replace")))
    return done.stdout


def parsed(data: bytes, did: str) -> Any:
    """The one JSON value in what a program told; NonsenseRun where there is anything else."""
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise NonsenseRun(f"{did} bytes that are no UTF-8 text: {data[:20]!r}.") from error
    if not text:
        raise NonsenseRun(f"{did} nothing, where its outputs by name were expected as JSON.")
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except ValueError as error:
        first = text.splitlines()[0][:SHOWN]
        if text.startswith("{"):
            raise NonsenseRun(f"{did} broken JSON ({error}).") from error
        raise NonsenseRun(
            f"{did} '{first}' first, where one JSON object was expected; what is meant for people "
            "goes to standard error."
        ) from error
    if rest := text[end:].strip():
        raise NonsenseRun(f"{did} '{rest.splitlines()[0][:SHOWN]}' after its JSON.")
    return value
