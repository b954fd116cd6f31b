"""What of a served model's rows was last found to have drifted, by `watch` or by a refresh."""

import json
from pathlib import Path
from typing import Any

from modalloy.deployment.deployment import Deployment
from modalloy.errors import RunError
from modalloy.watching.states import DRIFT

FILE = "watched.json"  # beside the page that `watch -o LIVE/watched.html` writes


def last_drift(deployment: Deployment) -> dict[str, Any] | None:
    """When, and what in words: the later of the last table that was watched, and the last alarm in
    the history; None where neither is there. rows: of the table, None for an alarm.
    """
    found = [one for one in (watched(deployment.path), alarm(deployment)) if one is not None]
    return max(found, key=lambda one: one["at"], default=None)


def watched(live: Path) -> dict[str, Any] | None:
    """What `watch` wrote; RunError for a file of that name that is something else."""
    place = live / FILE
    try:
        at, told = place.stat().st_mtime, json.loads(place.read_bytes())
        return {"at": at, "rows": told["rows"], "said": [d["said"] for d in told["drifts"]]}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{FILE} is none that `modalloy watch` wrote; write it again.") from error


def alarm(deployment: Deployment) -> dict[str, Any] | None:
    """The last record of a drift in the history."""
    records = [r for r in deployment.history() if r.state == DRIFT]
    if not records:
        return None
    return {"at": records[-1].at, "rows": None, "said": [records[-1].facts["said"]]}
