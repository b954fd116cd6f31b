"""Questions to the rows of a table, one after the other: filters of earlier turns stay."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalloy.errors import RunError
from modalloy.machine.files import write_safely
from modalloy.retrieval.asked import reader_of
from modalloy.retrieval.composed import Composer, extract, supported
from modalloy.retrieval.found import Found
from modalloy.retrieval.searcher import Searcher
from modalloy.retrieval.threshold import Threshold, threshold_of
from modalloy.retrieval.where import Filter, read_filter
from modalloy.runs.space import vectors_made_by


@dataclass(frozen=True)
class Answered:
    """An answer to a question: a text that cites rows, or a sentence why there is none.

    rows: those that it cites. refused: no row was near enough, or nothing could be said of them.
    """

    question: str
    answer: str
    rows: Sequence[int]
    refused: bool
    threshold: Threshold
    found: Found

    def text(self) -> str:
        """Lines for a terminal: the answer, and the rows that it was made of."""
        limit = self.threshold
        told = (
            f"rows count from a similarity of {limit.similarity:.2f} on: {limit.true:.0%} of true "
            f"pairs and {limit.random:.0%} of random ones reach it, by {limit.rows} held-back rows"
        )
        return "\n".join([self.answer, "", self.found.text(), told])

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "question": self.question,
            "answer": self.answer,
            "rows": list(self.rows),
            "refused": self.refused,
            "threshold": self.threshold._asdict(),
            "search": self.found.as_dict(),
        }

    def save(self, path: Path) -> None:
        """Write the page of the rows, and the answer as JSON beside it."""
        self.found.save(path)
        data = json.dumps(self.as_dict(), indent=1, ensure_ascii=False)
        write_safely(path.with_suffix(".json"), data.encode())


@dataclass
class Conversation:
    """A dialogue about the rows of one index.

    A condition on a column stands until another one on that column takes its place; conditions may
    also stand in a question, as in `loud bearings line=3`. composer: makes sentences from the rows
    that are near enough; `extract` quotes their cells.
    """

    searcher: Searcher
    composer: Composer = extract
    filters: dict[str, Filter] = field(default_factory=dict)
    turns: list[dict[str, Any]] = field(default_factory=list)

    def search(self, *, where: str | Sequence[str] = (), **asked: Any) -> Found:
        """`Searcher.search` with the filters so far; those given stay."""
        text = asked.get("text")
        if isinstance(text, str):
            asked["text"] = self.without_filters(text)
        self.keep(where)
        found = self.searcher.search(where=self.where, **asked)
        self.turns.append({"asked": found.asked, "where": self.where, "rows": found.rows})
        return found

    def ask(
        self,
        question: str,
        *,
        where: str | Sequence[str] = (),
        column: str | None = None,
        top: int = 5,
    ) -> Answered:
        """Answer a question from the rows that are near enough to it, or say that none is.

        Raises what `Searcher.search` raises, and TableError where nothing says how near is enough.
        """
        words = self.without_filters(question)
        self.keep(where)
        asked = {"text": words, "column": column, "where": self.where, "top": top}
        found = self.searcher.search(**asked)
        readers = self.searcher.run.readers
        limit = threshold_of(self.searcher, reader_of(readers, "text", column))
        near = [hit for hit in found if hit.score >= limit.similarity]
        answer, rows = supported(self.composer(words, near), near) if near else ("", [])
        refused = not answer
        if refused:
            answer = self.refusal(found, limit)
        self.turns.append({"asked": question, "where": self.where, "rows": list(rows)})
        return Answered(question, answer, rows, refused, limit, found)

    @property
    def where(self) -> list[str]:
        """The filters so far, in words."""
        return [str(f) for f in self.filters.values()]

    def keep(self, where: str | Sequence[str]) -> None:
        """Take more filters; each replaces an older one on its column."""
        for text in [where] if isinstance(where, str) else where:
            one = read_filter(text)
            self.filters[one.column] = one

    def without_filters(self, question: str) -> str:
        """The words of a question without the conditions in it, which are kept."""
        columns, words = self.searcher.loader.table.columns, []
        for word in question.split():
            name = word.split("=")[0].rstrip("!<>")
            if any(sign in word for sign in "=<>") and name in columns:
                self.keep(word.rstrip(",;.?"))
            else:
                words.append(word)
        return " ".join(words)

    @staticmethod
    def refusal(found: Found, limit: Threshold) -> str:
        """Why there is no answer."""
        if not len(found):
            filters = f" where {' and '.join(found.where)}" if found.where else ""
            return f"No row of {found.source}{filters} has anything to be found by."
        best = next(iter(found)).score
        if best >= limit.similarity:
            return "Nothing could be said of the rows that were found."
        return (
            f"No row of {found.source} is near enough to this question: the nearest reaches "
            f"{best:.2f}, and an answer needs {limit.similarity:.2f}."
        )

    def save(self, path: Path) -> None:
        """Keep the dialogue in a file; it belongs to this run."""
        state = {
            "made_by": vectors_made_by(self.searcher.run),
            "where": self.where,
            "turns": self.turns,
        }
        write_safely(path, json.dumps(state, indent=1, ensure_ascii=False).encode())

    def resume(self, path: Path) -> None:
        """Go on with a dialogue that `save` wrote; RunError for another run's and another file."""
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            made_by, where, turns = state["made_by"], state["where"], state["turns"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: is no dialogue that search wrote; name a new file.") from error
        if made_by != vectors_made_by(self.searcher.run):
            raise RunError(f"{path}: is a dialogue with another run; name a new file.")
        self.keep(where)
        self.turns = list(turns)
