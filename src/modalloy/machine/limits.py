"""What this process may use of its machine: cores, memory, disk - the container's share, not all.

Containers are limited by control groups, of version 1 or 2; a limit may stand in the group of the
process or in any group around it, and the smallest one counts.
"""

import os
import shutil
from collections.abc import Iterator
from numbers import Integral
from pathlib import Path
from typing import NamedTuple

from modalloy.errors import JobError

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


class Limits(NamedTuple):
    """cores: processors that may run at once, a fraction possible. memory_bytes: of the process."""

    cores: float
    memory_bytes: int
    container: bool  # whether a control group set one of the two


def limits(*, root: Path = ROOT, membership: Path = MEMBERSHIP) -> Limits:
    """The smaller of what the machine has and what the container allows."""
    own_cores, own_memory = float(machine_cores()), machine_memory()
    cores = min(_quotas(root, membership), default=own_cores)
    memory = min(_memories(root, membership), default=own_memory)
    small = cores < own_cores or memory < own_memory
    return Limits(min(cores, own_cores), min(memory, own_memory), small)


def cores() -> int:
    """Whole processors to plan with, at least one."""
    return max(1, round(limits().cores))


def refuse_threads(threads: int | None) -> None:
    """JobError for a number of threads that is none; None asks for as many as there are cores."""
    whole = isinstance(threads, Integral) and not isinstance(threads, bool)
    if threads is not None and not (whole and threads >= 1):
        raise JobError(
            f"threads: {threads} is no number of threads; give 1 or more, or leave it out for one "
            "for each core."
        )


def processes_here() -> int:
    """How many processes of one training share this machine, as torchrun says; 1 without it.

    A launcher that does not say so is taken to have started all of them here.
    """
    said = os.environ.get("LOCAL_WORLD_SIZE") or os.environ.get("WORLD_SIZE") or "1"
    return max(1, int(said))


def number_types_file() -> Path:
    """Where trials of number types are remembered, in the user's cache folder."""
    return cache_folder() / "number_types.json"


def cache_folder() -> Path:
    """Our part of the user's cache folder (XDG)."""
    folder = os.environ.get("XDG_CACHE_HOME", "")
    # The standard says that a relative path is to be ignored.
    cache = Path(folder) if os.path.isabs(folder) else Path(os.path.expanduser("~/.cache"))
    return cache / "modalloy"


def rest_soon() -> None:
    """Let waiting threads sleep after some microseconds; call it before torch is imported.

    OpenMP's threads otherwise wait for each other at full speed for milliseconds. Beside another
    busy process the one waited for is not even running: a step that takes 0.2 s alone took 0.7 to
    4.7 s there, against 0.3 s with this. Alone it cost up to a quarter, on a machine that varies by
    a fifth itself (dev/LOG.md). A value set outside is left as it is.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def machine_cores() -> int:
    """Processors that the system lets this process run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine_memory() -> int:
    """Physical memory in bytes; where the system does not tell, a thousand terabytes."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 10**15


def disk_free_bytes(folder: Path) -> int:
    """Free space of the disk under a folder, which need not exist yet."""
    folder = folder.absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _quotas(root: Path, membership: Path) -> Iterator[float]:
    """Cores allowed by every group around this process that limits them."""
    for folder in _groups(root, membership, "cpu"):
        words = _words(folder / "cpu.max")
        if len(words) == 2 and words[0].isdigit():
            yield int(words[0]) / int(words[1])
        quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
        if quota and period and quota[0].isdigit():  # -1 is no limit
            yield int(quota[0]) / int(period[0])


def _memories(root: Path, membership: Path) -> Iterator[int]:
    """Bytes allowed by every group around this process that limits them."""
    for folder in _groups(root, membership, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            words = _words(folder / name)
            if words and words[0].isdigit():
                yield int(words[0])


def _groups(root: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Folders of the groups that hold this process, its own first and the root last."""
    for line in _lines(membership):
        controllers, inside = line.split(":", 2)[1:]
        if controllers and controller not in controllers.split(","):
            continue
        # Version 1 mounts cpu and cpuacct together, mostly with a link for each.
        for top in {root / controllers, root / controller} if controllers else {root}:
            group = top / inside.strip("/")
            while group != top:
                yield group
                group = group.parent
            yield top


def _lines(file: Path) -> list[str]:
    """Lines of a system file; none where it is absent or not for us."""
    try:
        return [line for line in file.read_text().splitlines() if line.count(":") >= 2]
    except OSError:
        return []


def _words(file: Path) -> list[str]:
    """Words of a system file; none where it is absent or not for us."""
    try:
        return file.read_text().split()
    except OSError:
        return []
