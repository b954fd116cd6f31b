"""A run loaded once, asked from any thread: answers, their frame, and embeddings of any rows."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modalloy.answer.answers import EVERYTHING, Answers, Hidden
from modalloy.answer.blended import blended, hidden_names
from modalloy.answer.bought_prediction import bought_prediction
from modalloy.answer.buying import Bought, buy_rows
from modalloy.answer.engine import Engine
from modalloy.answer.engines import engine_for, torch_model
from modalloy.answer.loader import Loader
from modalloy.answer.network import BATCH, answer_rows, embed_rows
from modalloy.answer.opened import Opened, open_rows
from modalloy.answer.prediction import Embedding, Prediction
from modalloy.answer.promise import by_of, keep_promises, promises_of
from modalloy.answer.row_groups import groups_of, without
from modalloy.answer.stage import adjust
from modalloy.answer.table_caveats import Odd, counted_caveats, sentence, statuses
from modalloy.blend.kept import blend_of
from modalloy.bundle.bundled import load_any
from modalloy.checks.finding import Finding, finding, some
from modalloy.errors import TableError
from modalloy.job.inputs import heard
from modalloy.job.options import did_you_mean
from modalloy.machine.limits import refuse_threads
from modalloy.machine.progress import Bar
from modalloy.policy.plan import no_longer_holds, plan_of
from modalloy.runs.adapters import with_adapter
from modalloy.runs.run import Run
from modalloy.table.open_table import open_table
from modalloy.table.table import Table
from modalloy.unlike.kept import likeness_of

if TYPE_CHECKING:
    import pandas as pd

    from modalloy.model.model import Model

AT_ONCE = 4  # batches of rows that buy together: those that buy the same are encoded together


class Predictor:
    """A run's network and what it is blended with, read once; every method may be called from
    several threads at once.

    run: a run or a bundle, or where it lies. adapter: one of the run's, or `none`; for None what it
    was made to answer with. device: `cpu`, `gpu`, `npu` or `auto`: this process's accelerator if it
    has one; of a bundle the fastest device for each of its graphs, and for None the one that it was
    opened for. trust: the public key that a bundle must be signed with. engine: that computes in
    place of the run's own network. threads: that a bundle's graphs may use, all cores for None.

    Raises BundleError for a device that is not here, JobError for less than one thread.
    """

    def __init__(
        self,
        run: Run | str | Path,
        *,
        adapter: str | None = None,
        device: str | None = None,
        trust: Path | None = None,
        engine: Engine | None = None,
        threads: int | None = None,
    ) -> None:
        refuse_threads(threads)
        loaded = run if isinstance(run, Run) else load_any(run, trust=trust)
        self.run = loaded if adapter is None else with_adapter(loaded, adapter)
        self.engine = engine or engine_for(self.run, device=device, threads=threads)
        self.blend = blend_of(self.run)
        self.promises = promises_of(self.run)
        self.likeness, self.plan = likeness_of(self.run), plan_of(self.run)

    @property
    def model(self) -> "Model":
        """The network of torch, for what learns or looks inside; RunError where there is none."""
        return torch_model(self.engine, self.run)

    def answers(
        self,
        rows: Any,
        *,
        inputs: Collection[str] | None = None,
        hidden: Sequence[Hidden] = (),
        part: slice | None = None,
        batch: int = BATCH,
        quiet: bool = True,
    ) -> Prediction:
        """Answers to the rows of a table, in their order.

        Where the run has a policy (`economize`), each row is read as far as that buys; what it
        leaves out is neither decoded nor encoded. With `hidden` every cell is read.

        rows: whatever `open_table` opens: a path, a frame, a table, or cells - a list of them for
        each column, or a list with one mapping a row, which may lack columns. A media cell is a
        path or the bytes of the file. inputs: the columns that are read; the others are never
        looked at, and answers are as though they were missing. hidden: sets of the model's inputs
        (media columns, `table` for all others) that are hidden besides, for `Prediction.hidden`;
        encoders run once for all of them. part: rows by position. batch: rows that go through the
        network together. quiet: without a bar that shows how far it is.

        Raises TableError for an unknown input, and for a table without any column that is read.
        """
        found, count = self._answer(rows, inputs, hidden, part, batch, quiet=quiet)
        return found.first(count)

    def answers_alone(
        self, rows: Any, *, inputs: Collection[str] | None = None, batch: int = BATCH
    ) -> Answers:
        """The same answers by task, without what cells were worth, promises, or caveats: for a
        search, which asks about tens of thousands of rows. Arguments and errors as for `answers`.
        """
        if self.plan is not None:
            return self.answers(rows, inputs=inputs, batch=batch).answers
        loader, _ = self.open(open_table(rows), inputs=inputs)
        which = np.arange(loader.table.rows)
        blend = {"heads": self.blend.heads, "widths": self.blend.widths}
        answered = answer_rows(self.engine, loader, which, **blend, batch=batch)
        return adjust(blended(self.blend, answered, loader, which)[EVERYTHING], self.run.stages)

    def frame(
        self,
        rows: Any,
        *,
        inputs: Collection[str] | None = None,
        part: slice | None = None,
        batch: int = BATCH,
        quiet: bool = True,
    ) -> "pd.DataFrame":
        """The same answers as `predict` writes them, one line a row.

        Columns: `row` (`row.number` where a task is called `row`); `TASK` and, for classes,
        `TASK.probability` and `TASK.p[CLASS]`; for numbers with quantiles `TASK.q[0.1]`...; for
        tags lists of words' tags; for boxes lists; for texts `TASK.confidence`; where the run is
        calibrated `TASK.set` and `TASK.abstain` of classes, `TASK.low` and `TASK.high` of numbers,
        `TASK.sure` of tags and boxes; `TASK.decision` and its expected `TASK.cost` where the job
        has costs; `unlike` (yes or no), `unlike.score` (above 1 it is) and `unlike.column`, what is
        unlike (`row.unlike`... where a task is called `unlike`); `bought`, the inputs that a policy
        read for the row, where the run has one; `text.COLUMN`, what was heard, of every text that
        is made of recordings; `status.COLUMN` of every input that is read. `attrs["caveats"]` and
        `attrs["notes"]` hold the sentences, `attrs["saved"]` what a policy saved. Where no row is
        picked the frame is empty, with the columns and types that it has otherwise. Arguments as
        for `answers`.
        """
        from modalloy.answer.frame import frame_of

        found, count = self._answer(rows, inputs, (), part, batch, quiet=quiet)
        return frame_of(found, self.run.job, self.run.targets).iloc[:count].copy()

    def embed(
        self,
        rows: Any,
        *,
        inputs: Collection[str] | None = None,
        part: slice | None = None,
        batch: int = BATCH,
    ) -> Embedding:
        """What the network makes of rows: a summary of each input that is read, and the fused one.

        Arguments and errors as for `answers`.
        """
        loader, _ = self.open(open_table(rows), inputs=inputs, part=part)
        which = np.arange(loader.table.rows)[slice(None) if part is None else part]
        return embed_rows(self.engine, loader, which, batch=batch)

    def open(
        self,
        table: Table,
        *,
        inputs: Collection[str] | None = None,
        answers: bool = False,
        part: slice | np.ndarray | None = None,
        quiet: bool = True,
    ) -> Opened:
        """The rows of a table as the run reads them, and what is to be said of its columns.

        answers: true answers and groups are looked for as well; the table may then lack all inputs.
        part: the rows that will be asked for, by position: recordings of others are not heard.
        quiet: hear without a bar that shows how far it is.
        Raises TableError for an unknown input, and without `answers` for a table that has none.
        """
        run, hidden = self.run, self.hidden(inputs)
        given = {"hidden": hidden, "answers": answers, "part": part}
        loader, found = open_rows(run, table, **given, quiet=quiet)
        for name in self.blend.widths:  # the network and what it is blended with see the same
            features = self.engine.features(name, loader.cache())
            if features is not None:
                loader.features[name] = features
        return Opened(loader, [*found, *(not_read(n) for n in sorted(run.hidden))])

    def hidden(self, inputs: Collection[str] | None) -> frozenset[str]:
        """The columns that are not read where only these are; TableError for an unknown one.

        Those that the run itself hides are never read.
        """
        if inputs is None:
            return self.run.hidden
        have = list(self.run.readers)
        for name in [inputs] if isinstance(inputs, str) else inputs:
            if name not in have:
                raise TableError(
                    f"inputs: this model reads no column '{name}'.{did_you_mean(name, have)} It "
                    f"reads {some(have, 12)}."
                )
        asked = {inputs} if isinstance(inputs, str) else set(inputs)
        return (frozenset(have) - asked) | self.run.hidden

    def _answer(
        self,
        rows: Any,
        inputs: Collection[str] | None,
        hidden: Sequence[Hidden],
        part: slice | None,
        batch: int,
        *,
        quiet: bool,
    ) -> tuple[Prediction, int]:
        """The prediction and its number of rows; one row stands there where none is picked."""
        loader, found = self.open(open_table(rows), inputs=inputs, part=part, quiet=quiet)
        picked = np.arange(loader.table.rows)[slice(None) if part is None else part]
        which = picked if len(picked) else np.arange(1)  # one row shows how its answers look
        with Bar("answering", len(which), quiet=quiet) as bar:
            given = {"hidden": hidden, "batch": batch, "tick": bar.advance, "picked": len(picked)}
            said = self.say(loader, which, **given)
        odd = {name: Odd.of(some) for name, some in said.status.items()} if len(picked) else {}
        caveats = self.caveats(loader, found, odd, hidden=hidden)
        notes = [*said.notes, *self.engine.notes]
        return replace(said, caveats=caveats, notes=notes), len(picked)

    def caveats(
        self,
        loader: Loader,
        found: Sequence[Finding],
        odd: Mapping[str, Odd],
        *,
        hidden: Sequence[Hidden] = (),
    ) -> list[str]:
        """What is not as it was in training. found: of the columns. odd: cells, counted by input;
        nothing where no row was asked for.
        """
        cells = counted_caveats(loader, odd, self.run.notes.get("cells", {})) if odd else []
        caveats = [sentence(f) for f in [*found, *cells]]
        if self.plan is not None and not hidden and (no := no_longer_holds(self.run, self.plan)):
            caveats.append(f"policy: {no}")
        return [*caveats, *self.engine.caveats]

    def say(
        self,
        loader: Loader,
        which: np.ndarray,
        *,
        hidden: Sequence[Hidden] = (),
        batch: int = BATCH,
        tick: Callable[[int], None] = lambda n: None,
        picked: int | None = None,
    ) -> Prediction:
        """Answers to some rows of an open table, without caveats. picked: how many of the rows were
        asked for, all of them for None.
        """
        if self.plan is not None and not hidden:
            some = self.bought(loader, which, batch=batch, tick=tick)
            given = (self.run, self.plan, self.promises, self.likeness)
            count = len(which) if picked is None else picked
            told = bought_prediction(*given, loader, which, some, count)
            return replace(told, heard=heard_in(loader, which))
        answered = answer_rows(
            self.engine,
            loader,
            which,
            hidden=list(dict.fromkeys([EVERYTHING, *hidden])),
            heads=self.blend.heads,
            widths=self.blend.widths,
            viewed=None if self.likeness is None else self.likeness.pooled,
            batch=batch,
            tick=tick,
        )
        combined = blended(self.blend, answered, loader, which)
        said = statuses(loader, which)
        seen = self.promised(combined, loader, which, said)
        own = {h: seen[h] for h in hidden}
        view = answered.view
        unlike = self.likeness.judge(view) if self.likeness and view is not None else None
        notes = list(loader.table.notes)
        found = Prediction(which, seen[EVERYTHING], said, notes, [], own, unlike)
        return replace(found, heard=heard_in(loader, which))

    def promised(
        self,
        combined: Mapping[Hidden, Answers],
        loader: Loader,
        which: np.ndarray,
        said: Mapping[str, list[str]],
    ) -> dict[Hidden, Answers]:
        """Answers after their stage, with what they promise of rows whose cells were worth this."""
        seen: dict[Hidden, Answers] = {h: adjust(a, self.run.stages) for h, a in combined.items()}
        if self.promises:
            rows = groups_of(loader, which, said, by_of(self.promises))
            order = list(loader.readers)
            for h, after in seen.items():
                alike = without(rows, hidden_names(h, loader), order) if h else rows
                given = (self.run.job.tasks, self.promises, combined[h], after)
                seen[h] = keep_promises(*given, alike)
        return seen

    def bought(
        self,
        loader: Loader,
        which: np.ndarray,
        *,
        batch: int = BATCH,
        tick: Callable[[int], None] = lambda n: None,
    ) -> Bought:
        """Answers before their stage, each with what the run's policy buys for the row."""
        assert self.plan is not None, "only runs with a policy buy"
        given = (self.engine, self.blend, loader, which, self.plan)
        viewed = None if self.likeness is None else self.likeness.pooled
        return buy_rows(*given, viewed=viewed, batch=AT_ONCE * batch, tick=tick)


def heard_in(loader: Loader, which: np.ndarray) -> dict[str, list[str | None]]:
    """What was heard in the recordings of these rows, by text column."""
    names = [n for n in heard(loader.job) if n in loader.table.columns and loader.shows(n)]
    return {name: loader.table.written(name, which) for name in names}


def not_read(column: str) -> Finding:
    """What to say of a column that a run hides."""
    what = "is not read: it had gone wrong when the run was adapted without labels"
    return finding("warning", column, what)
