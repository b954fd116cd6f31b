"""A service lets refreshes run beside it, and says what came of them."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from golden_rows import BUNDLE
from modalloy.deployment.deployment import Deployment
from modalloy.serving.refreshing import Refreshing, refreshing

SAYS = "import sys; print({said!r}); sys.exit({code})"


def seen(tmp_path: Path, script: str, seconds: float = 2.0) -> list[str]:
    """What is told while a script stands in for the command."""
    said: list[str] = []
    service: Any = None

    async def go() -> None:
        command = (sys.executable, "-c", script)
        deployment = Deployment.of(BUNDLE, tmp_path / "live")
        one = Refreshing(deployment, tmp_path, said.append, look_s=0.01, command=command)
        one.start(service)
        for _ in range(int(seconds / 0.05)):
            await asyncio.sleep(0.05)
            if said:
                break
        await one.stop()

    asyncio.run(go())
    return said


def test_what_a_refresh_says_is_told_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    script = f"open({str(count)!r}, 'a').write('x'); print('swapped: +4 points')"
    assert seen(tmp_path, script, 10.0) == ["swapped: +4 points"]
    assert count.read_text()


def test_nothing_due_is_not_told_and_a_failure_is(tmp_path: Path) -> None:
    assert seen(tmp_path, SAYS.format(said="Nothing is due.", code=0), 1.0) == []
    script = "import sys; sys.exit('Error: two at once')"
    assert seen(tmp_path, script, 10.0) == ["A refresh failed: Error: two at once"]


def test_the_command_is_watch_itself(tmp_path: Path) -> None:
    deployment = Deployment.of(BUNDLE, tmp_path / "live")
    words = Refreshing(deployment, tmp_path / "run", print).command
    place = str(deployment.path)
    assert words[1:] == [
        "-m", "modalloy", "watch", str(tmp_path / "run"), "--live", place, "--refresh-if-due",
    ]  # fmt: skip


def test_a_plan_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    deployment, said = Deployment.of(BUNDLE, tmp_path / "live"), []
    given = {"deployment": deployment, "tell": said.append}
    assert refreshing(model=BUNDLE, keep_rows=True, **given) == []
    assert said == []
    (deployment.path / "refresh.yaml").write_text("every: 7d\n")
    assert refreshing(model=BUNDLE, keep_rows=True, **given) == []
    assert "a bundle learns nothing" in said[-1]
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    assert refreshing(model=run, keep_rows=False, **given) == []
    assert "are not kept" in said[-1]
    assert len(refreshing(model=run, keep_rows=True, **given)) == 1
    assert "every 10 minutes" in said[-1]


def test_a_refresh_that_runs_ends_with_the_service(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert seen(tmp_path, "import time; time.sleep(600)", 0.2) == []
    assert time.monotonic() - begun < 60
