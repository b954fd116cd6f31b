"""Questions to the rows of a table, one after the other: filters of earlier turns stay."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modalloy.errors import RunError, TableError
from modalloy.machine.files import write_safely
from modalloy.retrieval.asked import reader_of
from modalloy.retrieval.composed import Composer, extract, supported
from modalloy.retrieval.found import Found
from modalloy.retrieval.searcher import Searcher
from modalloy.retrieval.threshold import Threshold, threshold_of
from modalloy.retrieval.where import FORM, Filter, read_filter
from modalloy.runs.space import vectors_made_by

TRAILING = re.compile(r"[,;?!]+$|(?<!\.)\.$|(?<=\.\.)\.$")  # of a sentence, not of a range as 2..


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

    The conditions on a column stand until a later turn says others on that column; those of one
    turn all hold, and those of a turn that failed are forgotten. They may also stand in a question,
    as in `loud bearings line=3`. composer: makes sentences from the rows that are near enough;
    `extract` quotes their cells.
    """

    searcher: Searcher
    composer: Composer = extract
    filters: dict[str, list[Filter]] = field(default_factory=dict)
    turns: list[dict[str, Any]] = field(default_factory=list)

    def search(self, *, where: str | Sequence[str] = (), **asked: Any) -> Found:
        """`Searcher.search` with the filters so far; those given stay."""
        text, said = asked.get("text"), list[str]()
        if isinstance(text, str):
            asked["text"], said = self.parted(text)
        filters = self.standing([*said, *listed(where)])
        found = self.searcher.search(where=in_words(filters), **asked)
        self.filters = filters
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
        words, said = self.parted(question)
        filters = self.standing([*said, *listed(where)])
        asked = {"text": words, "column": column, "where": in_words(filters), "top": top}
        found = self.searcher.search(**asked)
        readers = self.searcher.run.readers
        limit = threshold_of(self.searcher, reader_of(readers, "text", column))
        near = [hit for hit in found if hit.score >= limit.similarity]
        answer, rows = supported(self.composer(words, near), near) if near else ("", [])
        refused = not answer
        if refused:
            answer = self.refusal(found, limit)
        self.filters = filters
        self.turns.append({"asked": question, "where": self.where, "rows": list(rows)})
        return Answered(question, answer, rows, refused, limit, found)

    @property
    def where(self) -> list[str]:
        """The filters so far, in words."""
        return in_words(self.filters)

    def standing(self, said: Sequence[str]) -> dict[str, list[Filter]]:
        """The filters that hold in a turn which says these: they replace older ones by column."""
        new: dict[str, list[Filter]] = {}
        for one in map(read_filter, dict.fromkeys(said)):
            new.setdefault(one.column, []).append(one)
        return {**self.filters, **new}

    def parted(self, question: str) -> tuple[str, list[str]]:
        """The words of a question, and the conditions on columns of the table that it says."""
        columns, words, said = self.searcher.loader.table.columns, [], []
        for word in question.split():
            condition = TRAILING.sub("", word)
            found = FORM.fullmatch(condition)
            if found and found["value"] and found["column"] in columns:
                said.append(condition)
            else:
                words.append(word)
        return " ".join(words), said

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
            made_by, turns = state["made_by"], list(state["turns"])
            filters = self.standing([str(one) for one in state["where"]])
        except (OSError, ValueError, KeyError, TypeError, TableError) as error:
            raise RunError(f"{path}: is no dialogue that search wrote; name a new file.") from error
        if made_by != vectors_made_by(self.searcher.run):
            raise RunError(f"{path}: is a dialogue with another run; name a new file.")
        self.filters, self.turns = filters, turns


def listed(where: str | Sequence[str]) -> list[str]:
    """One condition or several, as a list."""
    return [where] if isinstance(where, str) else list(where)


def in_words(filters: Mapping[str, Sequence[Filter]]) -> list[str]:
    """The filters on all columns, as they were said."""
    return [str(one) for some in filters.values() for one in some]
