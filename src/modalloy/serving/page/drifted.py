"""What `modalloy watch` last wrote into the folder of a served model."""

import json
from pathlib import Path
from typing import Any

from modalloy.errors import RunError

FILE = "watched.json"  # beside the page that `watch -o LIVE/watched.html` writes


def last_watched(live: Path) -> dict[str, Any] | None:
    """When rows were watched, how many, and what of them has drifted in words; None before any."""
    place = live / FILE
    try:
        at, told = place.stat().st_mtime, json.loads(place.read_bytes())
        drifts = [
            {"where": d["where"], "said": d["said"], "much": d["much"]} for d in told["drifts"]
        ]
        return {"at": at, "rows": told["rows"], "drifts": drifts}
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{FILE} is none that `modalloy watch` wrote; write it again.") from error
