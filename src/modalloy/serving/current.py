"""The version that answers: loaded beside the one before, in its place between two batches."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

from modalloy.deployment.deployment import Deployment
from modalloy.errors import ModalloyError
from modalloy.serving.served_model import ServedModel

LOOK_S = 0.5  # between two looks at which version is to answer
RETRY_S = 30.0  # until a version that could not be loaded is tried again
log = logging.getLogger("modalloy.serving")


class Current:
    """Follows what a deployment says. pool: loads versions. trust: the key that bundles must be
    signed with. changed: is told how each change went, `done` or `failed`.

    A version that cannot be loaded, or is not the one that was added, never answers: the old one
    goes on, and `problem` says why.
    """

    def __init__(
        self,
        deployment: Deployment,
        pool: Executor,
        *,
        trust: Path | None,
        changed: Callable[[str], None],
    ) -> None:
        self.deployment, self.pool = deployment, pool
        self.trust, self.changed = trust, changed
        self.model = ServedModel.load(deployment.current(), trust)
        self.problem: str | None = None
        self._turning = asyncio.Lock()

    async def refresh(self) -> None:
        """Load the version that is to answer, and let it take over."""
        loop = asyncio.get_running_loop()
        async with self._turning:
            try:
                version = await loop.run_in_executor(self.pool, self.deployment.current)
                if version.number != self.model.version.number:
                    given = (version, self.trust)
                    self.model = await loop.run_in_executor(self.pool, ServedModel.load, *given)
                    self.changed("done")
                self.problem = None
            except ModalloyError as error:
                if self.problem != str(error):
                    self.problem = str(error)
                    log.error("the version that is to answer cannot be loaded: %s", error)
                    self.changed("failed")

    async def watch(self) -> None:
        """Look for changes until it is cancelled."""
        loop = asyncio.get_running_loop()
        place = self.deployment.path / "current.json"
        seen, again_s = None, loop.time()
        while True:
            try:
                stat = place.stat()
                now = (stat.st_mtime_ns, stat.st_ino)
            except OSError:
                now = None
            late = self.problem is not None and loop.time() >= again_s
            if now != seen or late:
                seen, again_s = now, loop.time() + RETRY_S
                try:
                    await self.refresh()
                except Exception as error:  # whatever it is, the next change must be seen
                    log.error("looking for a new version failed: %s", type(error).__name__)
            await asyncio.sleep(LOOK_S)
