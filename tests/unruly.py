"""Simulators that hang, crash, fill memory or answer nonsense; whether processes are gone."""

import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LEAK: list[bytearray] = []  # what earlier runs of a process have left


def simulate(values: Mapping[str, Any], *, seed: int, folder: Path) -> Any:
    """y = 2 x, or whatever `do` says."""
    x, (do, *more) = values["x"], values.get("do", "").split(" ")
    if do in ("segfault", "leave", "exit", "kill", "raise", "allocate"):
        end(do)
    elif do in ("hang", "fill"):
        take(do, more)
    elif do == "leak":
        LEAK.append(bytearray(b"x") * (int(more[0]) * 10**6))
        time.sleep(0.2)
    elif do == "suffer" and LEAK:
        os._exit(4)
    elif do == "print":
        print("x" * int(more[0]), flush=True)
        time.sleep(0.2)
    return {"y": 2 * x}


def end(how: str) -> None:
    """End this run, or this process."""
    match how:
        case "segfault":
            print("about to read", flush=True)
            ctypes.string_at(8)
        case "leave":
            os._exit(3)
        case "exit":
            sys.exit("enough")
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise ValueError("not\nhere")
        case "allocate":
            bytearray(10**15)


def take(what: str, more: list[str]) -> None:
    """Take all the time there is, and memory."""
    match what, more:
        case "hang", [place]:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
            Path(place).write_text(f"{os.getpid()} {child.pid}")
        case "fill", ["elsewhere", megabytes]:
            code = f"import time; x = bytearray(b'x') * {megabytes}000000; time.sleep(600)"
            subprocess.run([sys.executable, "-c", code], check=True)
        case "fill", [megabytes]:
            LEAK.append(bytearray(b"x") * (int(megabytes) * 10**6))
    time.sleep(600)


def at_first(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """Fails with the seed that it was asked for at first."""
    if seed < 100:
        raise ValueError(f"seed {seed}")
    return {"y": seed}


def around(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """What is around a run: its process, its threads, its folder."""
    files = len(list(folder.iterdir()))
    (folder / "left.txt").write_text("left")
    return {
        "process": os.getpid(),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "files": files,
        "drawn": random.random(),
    }


def draw(values: Mapping[str, Any], *, seed: int, folder: Path) -> dict[str, Any]:
    """Writes the file that it is told to, holding what it is told to, and then does as told."""
    if values["holds"] != "nothing at all":
        (folder / "drawing.png").write_text(values["holds"])
    if values.get("fails"):
        raise ValueError("after drawing")
    return {"drawing": values["named"]}


def not_for_this(values: Mapping[str, Any]) -> dict[str, Any]:
    """Takes neither a seed nor a folder."""
    return {}


# --- whether processes are gone -----------------------------------------------------------------


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for or not."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return text.rpartition(")")[2].split()[0] == "Z"


def soon_gone(pids: list[int], seconds: float = 20.0) -> bool:
    """Whether these processes end within some seconds."""
    last = time.monotonic() + seconds
    while time.monotonic() < last and not all(map(gone, pids)):
        time.sleep(0.05)
    return all(map(gone, pids))


def pids_in(file: Path, seconds: float = 60.0) -> list[int]:
    """The processes that a file names, once there is one."""
    last = time.monotonic() + seconds
    while time.monotonic() < last:
        if file.is_file() and (words := file.read_text().split()):
            return [int(word) for word in words]
        time.sleep(0.05)
    raise AssertionError(f"{file} was not written")
