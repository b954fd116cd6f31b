"""What is wrong with `federate`, as far as the job alone shows it."""

from collections.abc import Iterator
from typing import Any

from modalloy.job.faults import Fault
from modalloy.job.federated import Federate
from modalloy.job.options import did_you_mean

WHOLE = ("median", "trimmed_mean", "krum")  # rules that compare whole changes
MATCHED = ("matched", "compare", "columns")  # what split training reads


def broken_federation(data: dict[str, Any], columns: dict[str, dict[str, Any]]) -> Iterator[Fault]:
    """Faults of `federate`."""
    options = data.get("federate")
    if not isinstance(options, dict):
        return
    if isinstance(options.get("matched"), dict):
        yield from _matched(options)
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
        yield from _private(data)
    yield from _personal(options.get("personal"), columns)
    yield from _sites(options.get("columns"), columns, named_in(data))


def _matched(options: dict[str, Any]) -> Iterator[Fault]:
    """Split training has no rounds, and nothing of what makes them private or short."""
    for name, value in options.items():
        if name in MATCHED or name not in Federate.model_fields:
            continue
        usual = Federate.model_fields[name].default
        if value != usual and value != (list(usual) if isinstance(usual, tuple) else usual):
            why = "is of rounds, and split training (matched) has none: leave it out."
            yield Fault(("federate", name), why)


def _private(data: dict[str, Any]) -> Iterator[Fault]:
    """What looks at all rows together is covered by no noise."""
    train, tasks = data.get("train"), data.get("tasks")
    if isinstance(train, dict) and train.get("weighting", "sum") != "sum":
        why = "weighs tasks by what rows say, which no noise covers; take sum with private."
        yield Fault(("train", "weighting"), why)
    for name, options in tasks.items() if isinstance(tasks, dict) else ():
        if isinstance(options, dict) and options.get("class_weights", "none") != "none":
            why = "shares out a batch, and private shortens each row's gradient alone: leave it out"
            yield Fault(("tasks", str(name), "class_weights"), f"{why}.")


def named_in(data: dict[str, Any]) -> set[str]:
    """All texts in a job, and so every table column that it can name."""
    found: set[str] = set()
    left: list[Any] = [{k: v for k, v in data.items() if k != "federate"}]
    federate = data.get("federate")
    if isinstance(federate, dict):
        left += [federate.get("matched"), federate.get("private")]
    while left:
        value = left.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            found |= {k for k in value if isinstance(k, str)}
            left += value.values()
        elif isinstance(value, list | tuple):
            left += value
    return found


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


def _sites(sites: Any, columns: dict[str, dict[str, Any]], named: set[str]) -> Iterator[Fault]:
    """Sites' columns are the job's, and only numbers are converted."""
    for site, said in sites.items() if isinstance(sites, dict) else ():
        for column, own in said.items() if isinstance(said, dict) else ():
            path = ("federate", "columns", str(site), str(column))
            if column not in named:
                why = f"the job has no column '{column}'.{did_you_mean(str(column), columns)}"
                yield Fault(path, why)
                continue
            kind = columns.get(column, {}).get("type")
            if (
                isinstance(own, dict)
                and {"times", "plus"} & set(own)
                and kind not in (None, "number")
            ):
                yield Fault(path, f"is of type {kind}; only numbers are converted.")
