"""Refreshes of a served model while it serves: when its plan says so, in a process of their own."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from modalloy.deployment.deployment import Deployment
from modalloy.serving.service import Service
from modalloy.watching.plan import plan_of

LOOK_S = 600.0  # between two looks: each reads up to thousands of logged rows


class Refreshing:
    """Looks now and then whether a refresh is due, and lets it run beside the answers.

    A process of its own learns: what it takes, or how it ends, does not touch what answers. It may
    be killed at any moment and goes on the next time. model: the run that is served. tell: is given
    what it says. command: that looks and refreshes.
    """

    def __init__(
        self,
        deployment: Deployment,
        model: Path,
        tell: Callable[[str], None],
        *,
        look_s: float = LOOK_S,
        command: Sequence[str] = (sys.executable, "-m", "modalloy"),
    ) -> None:
        self.tell, self.look_s = tell, look_s
        place = ["--live", str(deployment.path)]
        self.command = [*command, "watch", str(model), *place, "--refresh-if-due"]
        self._task: asyncio.Task[None] | None = None

    def start(self, service: Service) -> None:
        """Begin, within the service's loop."""
        del service  # it sees a new version by itself
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        """End; a refresh that runs goes on from its last record the next time."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _go_on(self) -> None:
        told = ""
        while True:
            await asyncio.sleep(self.look_s)
            said = await self._look()
            if said and said != told:
                self.tell(said)
            told = said

    async def _look(self) -> str:
        """What one look says; empty where nothing is due."""
        pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
        process = await asyncio.create_subprocess_exec(*self.command, **pipes)
        try:
            out, error = await process.communicate()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            lines = error.decode(errors="replace").strip().splitlines() or ["no reason given"]
            return f"A refresh failed: {lines[-1]}"
        said = out.decode(errors="replace").strip()
        return "" if said == "Nothing is due." else said


def refreshing(
    deployment: Deployment, model: Path, tell: Callable[[str], None], *, keep_rows: bool
) -> list[Refreshing]:
    """What refreshes a served run whose plan asks for it; says so, or why nothing will."""
    plan = plan_of(deployment)
    if plan.every is None and plan.or_when is None:
        return []
    if not keep_rows:
        tell("Nothing is refreshed, though the plan asks for it: rows and labels are not kept.")
        return []
    if not model.is_dir() or not (model / "run.json").is_file():
        tell("Nothing is refreshed, though the plan asks for it: a bundle learns nothing.")
        return []
    tell(f"Whether a refresh is due is looked at every {LOOK_S / 60:.0f} minutes.")
    return [Refreshing(deployment, model, tell)]
