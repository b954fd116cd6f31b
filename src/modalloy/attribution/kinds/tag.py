"""Explains `tag`: how sure a span is."""

from typing import Any

from modalloy.attribution.asked_row import AskedRow
from modalloy.attribution.outcome import SpanOutcome, pick, say_truth
from modalloy.judge.metrics.spans import spans_of


class TagKind:
    """One of the spans of a row."""

    def find(
        self, asked: AskedRow, task: str, *, label: str | None, item: int
    ) -> SpanOutcome | None:
        """The span of this number in the row's tags."""
        del label
        options: Any = asked.run.job.tasks[task]
        if options.on not in asked.columns:
            return None
        tags, names = asked.ask(task, [frozenset()])["tags"][0], asked.run.targets[task].names
        spans = spans_of(tags)
        if not spans:
            return None
        span = pick(spans, item, f"row {asked.row}: task '{task}'", "span", "spans")
        index = tuple(list(names).index(t) for t in tags[span.first : span.last])
        several = len(index) > 1
        where = f"words {span.first} to {span.last - 1} are" if several else f"word {span.first} is"
        what = f"certainty that {where} '{span.kind}'"
        return SpanOutcome(task, what, on=options.on, span=span, tags=index)

    def say(self, asked: AskedRow, task: str) -> str:
        """How many spans, and of which kinds."""
        return say_truth(list(asked.ask(task, [frozenset()])["tags"][0]))
