"""What is wrong with a distribution of counts and with orders, as far as the job alone shows it."""

from collections.abc import Iterator, Mapping
from typing import Any

from modalloy.job.config import STOCK
from modalloy.job.faults import Fault, quoted


def broken_counts(
    path: tuple[str, ...], options: Mapping[str, Any], columns: Mapping[str, Mapping[str, Any]]
) -> Iterator[Fault]:
    """Faults of `distribution` and `order` of a `regress` task.

    path: to the task. options: of it. columns: of the job.
    """
    order = options.get("order")
    if options.get("distribution", "none") == "none":
        if order is not None:
            yield Fault((*path, "order"), "needs a distribution, such as negative_binomial.")
        return
    if options.get("scale", "linear") != "linear":
        yield Fault((*path, "scale"), "is for numbers; a distribution is learned of the counts.")
    if options.get("loss", "squared") != "squared":
        yield Fault((*path, "loss"), "is for numbers; a distribution is learned by likelihood.")
    if not isinstance(order, Mapping):
        return
    lacking = [option for option in STOCK if order.get(option) is None]
    if 0 < len(lacking) < len(STOCK):
        why = f"is needed too where one of {', '.join(STOCK)} is given."
        yield Fault((*path, "order", lacking[0]), why)
    sold = order.get("sold")
    if sold is not None and columns.get(str(sold), {}).get("type", "ignore") not in (
        "ignore",
        "group",
    ):
        why = f"{quoted(sold)} is an input, and known only once the order is made; ignore it."
        yield Fault((*path, "order", "sold"), why)
