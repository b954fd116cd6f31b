"""Files by which systemd serves a model, and asks now and then whether a refresh is due."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from modalloy.errors import RunError
from modalloy.machine.files import write_safely
from modalloy.watching.plan import seconds

SERVICE = """\
[Unit]
Description=Answers of {name}
After=network.target

[Service]
ExecStart={serve}
Restart=on-failure
Nice=0

[Install]
WantedBy=multi-user.target
"""
REFRESH = """\
[Unit]
Description=Refresh of {name} where it is due

[Service]
Type=oneshot
ExecStart={refresh}
Nice=10
"""
TIMER = """\
[Unit]
Description=Asks whether a refresh of {name} is due

[Timer]
OnBootSec=5min
OnUnitActiveSec={every_s:.0f}s

[Install]
WantedBy=timers.target
"""


def write_units(
    model: Path,
    live: Path,
    folder: Path,
    *,
    command: str,
    serving: Sequence[str] = (),
    every: str = "1h",
) -> list[Path]:
    """Write a service that serves a model, and a service and a timer that refresh it where due.

    live: the deployment's folder. command: the program `modalloy`. serving: options of `serve`.
    every: how often is asked.
    RunError for what cannot be written, and a name that no unit can have. The files do something
    once they lie where systemd looks: `systemctl enable --now`.
    """
    name = model.name
    if not all(c.isalnum() or c in "-_." for c in name):
        raise RunError(f"{model}: a unit is named after it, by letters, digits, - _ and . alone.")
    places = [str(model.resolve()), "--live", str(live.resolve())]
    given = {
        "name": name,
        "serve": line([command, "serve", *places, *serving]),
        "refresh": line([command, "watch", "--refresh-if-due", *places]),
        "every_s": seconds(every),
    }
    made = {
        f"modalloy-serve-{name}.service": SERVICE,
        f"modalloy-refresh-{name}.service": REFRESH,
        f"modalloy-refresh-{name}.timer": TIMER,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{folder}: cannot be made ({error.strerror}).") from error
    for file, text in made.items():
        write_safely(folder / file, text.format(**given).encode())
    return [folder / file for file in made]


def line(words: list[str]) -> str:
    """Words as systemd parts them: quoted as a shell does, its own signs twice."""
    return shlex.join(words).replace("%", "%%").replace("$", "$$")
