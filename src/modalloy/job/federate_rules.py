"""What is wrong with `federate`, as far as the job alone shows it."""

from collections.abc import Iterator
from typing import Any

from modalloy.job.faults import Fault
from modalloy.job.options import did_you_mean

WHOLE = ("median", "krum")  # rules that compare whole changes


def broken_federation(data: dict[str, Any], columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Faults of `federate`."""
    options = data.get("federate")
    if not isinstance(options, dict):
        return
    rule, keep = options.get("rule", "mean"), options.get("keep", 1.0)
    if rule in WHOLE and isinstance(keep, int | float) and keep < 1.0:
        why = f"compares whole changes, of which keep: {keep:g} sends parts; keep all of them."
        yield Fault(("federate", "rule"), why)
    train = data.get("train")
    optimizer = train.get("optimizer") if isinstance(train, dict) else None
    if options.get("controls") is True and optimizer != "sgd":
        why = "corrects plain gradients; set train.optimizer: sgd, and a rate that fits it."
        yield Fault(("federate", "controls"), why)
    yield from _secure(options, rule, keep)
    if isinstance(options.get("private"), dict):
        for name, usual in (("controls", False), ("upload", 1.0), ("proximal", 0.0)):
            if options.get(name, usual) != usual:
                why = "says of rows what no noise covers: leave it out where learning is private."
                yield Fault(("federate", name), why)
    yield from _personal(options.get("personal"), columns)
    yield from _sites(options.get("columns"), columns)


def _secure(options: dict[str, Any], rule: Any, keep: Any) -> Iterator[Fault]:
    """A hidden sum is of whole changes, and only their mean is known."""
    if options.get("secure") is not True:
        return
    asked = {
        "rule": rule != "mean",
        "keep": keep != 1.0,
        "bits": options.get("bits", 32) != 32,
        "upload": options.get("upload", 1.0) != 1.0,
        "controls": options.get("controls") is True,
    }
    for name in (n for n, wrong in asked.items() if wrong):
        why = "cannot be had where secure hides each site's change: leave it out."
        yield Fault(("federate", name), why)


def _personal(personal: Any, columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """What stays at a site is a part of the model."""
    known = ["heads", "norms", "table", *columns]
    for name in personal if isinstance(personal, list) else ():
        if name not in known:
            why = f"'{name}' is none of {', '.join(known)}.{did_you_mean(str(name), known)}"
            yield Fault(("federate", "personal"), why)


def _sites(sites: Any, columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Sites' columns are the job's, and only numbers are converted."""
    for site, said in sites.items() if isinstance(sites, dict) else ():
        for column, own in said.items() if isinstance(said, dict) else ():
            path = ("federate", "columns", str(site), str(column))
            kind = columns.get(column, {}).get("type")
            if (
                isinstance(own, dict)
                and {"times", "plus"} & set(own)
                and kind not in (None, "number")
            ):
                yield Fault(path, f"is of type {kind}; only numbers are converted.")
