"""The gradient of each row by itself, for whatever learns in a model: what clipping has to see.

Rows are worked on together by `torch.func.vmap` (per-sample gradients without hooks, so that any
layer of any method will do), or one after the other where a network cannot be run so.
"""

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from modalloy.errors import JobError
from modalloy.job import config
from modalloy.learn.optimizer import trained
from modalloy.learn.weighting import Weighting
from modalloy.model.adapters.attach import FIGURES
from modalloy.model.tokens import Batch
from modalloy.objectives.losses import Net, Objective

NUMBERS_HELD = 2**26  # of gradients: 256 MB
ROWS_AT_ONCE = 64  # whose way through the network is held for the way back
TRIED = 3  # rows that both ways are compared on
SAME = 1e-4  # of the longest gradient: rounding between both ways
# What torch says of code that it cannot run for many rows at once.
CANNOT = re.compile(r"vmap|functorch|batching rule|data pointer of Tensor", re.IGNORECASE)

Total = Callable[[Mapping[str, Tensor]], Tensor]
Named = dict[str, Tensor]
OfOne = Callable[[Named, Named], tuple[Tensor, Named]]
Common = Literal["presence", "masks"]
COMMON: tuple[Common, ...] = ("presence", "masks")


class Gradients(NamedTuple):
    """What rows say. by_name: parameter -> (B, ...). losses: named loss -> (B,); total_B: what the
    gradients are of."""

    by_name: Named
    losses: Named
    total_B: Tensor


@dataclass(frozen=True)
class PerSample(Generic[Net]):
    """Takes the gradient of each row of a batch, as though it were a batch of its own.

    common: what rows that are worked on together have in common, so that a network may look at it:
    `presence`, which inputs and answers there are; `masks`, also which cells of a table, pieces of
    a text and steps of a series; None where each row is worked on alone. because: why it is not
    less than that, in torch's words. All of them give the same numbers.
    """

    model: Net
    objective: Objective[Net]
    total: Total
    common: Common | None = "presence"
    because: str = ""

    def of(self, batch: Batch) -> Gradients:
        """Gradients and losses of these rows, in their order. The model learns nothing."""
        with standing_still(self.model), in_plain_steps():
            take = self.alone if self.common is None else self.together
            return joined([(rows, take(rows_of(batch, rows))) for rows in self.groups(batch)])

    @torch.no_grad()
    def totals(self, batch: Batch) -> Tensor:
        """The total of each of these rows, (B,), without gradients: what an attacker looks at."""
        total_B = torch.zeros(len(batch))
        with standing_still(self.model), in_plain_steps():
            for which in self.groups(batch):
                rows = rows_of(batch, which)
                if self.common is None:
                    whole = Whole(self.model, self.objective, self.total)
                    found = whole(rows)[0].reshape(1)
                else:
                    learned, one, varying = self.of_one(rows)
                    found = vmap(one, (None, 0), randomness="different")(learned, varying)[0]
                total_B[torch.from_numpy(which)] = found.float().cpu()
        return total_B

    def groups(self, batch: Batch) -> Iterator[np.ndarray]:
        """Numbers of rows that may be worked on together, so many at once as memory allows."""
        if self.common is None:
            yield from np.arange(len(batch)).reshape(-1, 1)
            return
        for group in alike(parted(batch, self.common)[0], len(batch)):
            yield from np.array_split(group, -(-len(group) // ROWS_AT_ONCE))

    def of_one(self, batch: Batch) -> tuple[Named, OfOne, Named]:
        """What learns, a function of that and of one row of a batch, and the rows as it takes
        them."""
        assert self.common is not None
        flags, varying = parted(batch, self.common)
        whole = Whole(self.model, self.objective, self.total)

        def one(parameters: Named, row: Named) -> tuple[Tensor, Named]:
            alone = put_together(batch, flags, {n: t.unsqueeze(0) for n, t in row.items()})
            return functional_call(whole, parameters, (alone,))

        return {f"model.{n}": p for n, p in trained(self.model)}, one, varying

    def together(self, batch: Batch) -> Gradients:
        """Gradients of rows that have all in common that they must."""
        learned, one, varying = self.of_one(batch)
        each = vmap(grad_and_value(one, has_aux=True), in_dims=(None, 0), randomness="different")
        gradients, (total_B, losses) = each(learned, varying)
        found = {n.removeprefix("model."): g.detach() for n, g in gradients.items()}
        return Gradients(found, {n: v.detach() for n, v in losses.items()}, total_B.detach())

    def alone(self, batch: Batch) -> Gradients:
        """The same of one row, by an ordinary backward pass."""
        learned = trained(self.model)
        total, losses = Whole(self.model, self.objective, self.total)(batch)
        given = torch.autograd.grad(total, [p for _, p in learned], allow_unused=True)
        found = {
            n: (torch.zeros_like(p) if g is None else g).unsqueeze(0)
            for (n, p), g in zip(learned, given, strict=True)
        }
        one = {n: v.detach().reshape(1) for n, v in losses.items()}
        return Gradients(found, one, total.detach().reshape(1))

    def facts(self) -> dict[str, Any]:
        """How gradients are taken, as data: together, or row by row and why, and what stands
        still."""
        way = "row by row" if self.common is None else f"together, of the same {self.common}"
        why = {"because": self.because} if self.common is None else {}
        held = [n for n, m in self.model.named_modules() if isinstance(m, FIGURES)]
        return {"gradients": way, **why, "dropout": "off", "running_figures_held": held}


class Whole(nn.Module):
    """A model with its objective and total as one module, so that its weights can be replaced."""

    def __init__(self, model: nn.Module, objective: Objective[Any], total: Total) -> None:
        super().__init__()
        self.model, self.objective, self.total = model, objective, total

    def forward(self, batch: Batch) -> tuple[Tensor, Named]:
        """The total, a scalar, and the named losses."""
        losses = self.objective(self.model, batch)
        return self.total(losses), dict(losses)


def per_sample(model: Net, objective: Objective[Net], total: Total, batch: Batch) -> PerSample[Net]:
    """How to take gradients of this model: found out on the first rows of a batch.

    Rows are worked on together where torch can do that, and the gradients are those of one row
    after the other. What fails for another reason is an error.
    """
    few, why = rows_of(batch, np.arange(min(TRIED, len(batch)))), ""
    if not len(few):
        return PerSample(model, objective, total, None, "there was no row to try it on")
    alone = PerSample(model, objective, total, None).of(few).by_name
    longest = max(float(g.abs().max()) for g in alone.values())
    for common in COMMON:
        way = PerSample(model, objective, total, common, why)
        try:
            found = way.of(few).by_name
        except RuntimeError as error:
            if not CANNOT.search(str(error)):
                raise
            why = re.split(r"[.\n]", str(error).strip())[0]
            continue
        apart = max(float((found[n] - g).abs().max()) for n, g in alone.items())
        if apart <= SAME * longest + 1e-6:
            return way
        why = f"gradients of rows worked on together were {apart:.1g} apart, of {longest:.1g}"
    return PerSample(model, objective, total, None, why)


def private_total(job: config.Job) -> Weighting:
    """The total of a job's losses as far as it depends on no row: each task by its own weight, not
    divided by its first loss.

    JobError where the job asks for one that looks at rows, which no noise would cover, and for
    weights of classes, which mean nothing to one row alone.
    """
    if job.train.weighting != "sum":
        raise JobError(
            f"train.weighting: {job.train.weighting} weighs tasks by what rows say, which no noise "
            "covers; take sum where learning is private"
        )
    for name, task in job.tasks.items():
        if getattr(task, "class_weights", "none") != "none":
            raise JobError(
                f"tasks.{name}.class_weights: weights of classes share out a batch, and the "
                "gradient of a row is shortened alone; leave them out where learning is private"
            )
    total = Weighting(job)
    total.start_N.fill_(1.0)  # what losses are divided by
    return total


def rows_held(model: nn.Module) -> int:
    """Of how many rows the gradients fit into memory together."""
    return max(1, NUMBERS_HELD // max(1, sum(p.numel() for _, p in trained(model))))


@contextmanager
def standing_still(model: nn.Module) -> Iterator[None]:
    """The model as it answers: no dropout, and running figures (batch norms) as they are, which
    would mix rows. Vectors of word pieces have dense gradients meanwhile, as noise is.
    """
    modes = {module: module.training for module in model.modules()}
    sparse = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.sparse]
    model.eval()
    for table in sparse:
        table.sparse = False
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        for table in sparse:
            table.sparse = True


@contextmanager
def in_plain_steps() -> Iterator[None]:
    """Attention by products and a softmax: the fused one is run row by row by vmap. What else it
    runs so is slower, and no less right.
    """
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.filterwarnings("ignore", "There is a performance drop", UserWarning)
        yield


def alike(flags: Named, rows: int) -> Iterator[np.ndarray]:
    """Numbers of rows of which all flags are the same, group by group."""
    if not flags:
        yield np.arange(rows)
        return
    every_BF = np.concatenate([t.reshape(rows, -1).cpu().numpy() for t in flags.values()], 1)
    _, group_B = np.unique(np.packbits(every_BF, axis=1), axis=0, return_inverse=True)
    group_B = group_B.reshape(-1)
    for group in range(int(group_B.max(initial=-1)) + 1):
        yield np.flatnonzero(group_B == group)


def parted(batch: Batch, common: Common) -> tuple[Named, Named]:
    """Flags of a batch that rows worked on together share, (B, ...) bool each, and everything
    else, both by where they stand."""
    every = {f"present/{n}": t for n, t in batch.present.items()}
    every |= {f"targets/{k}/{n}": t for k, v in batch.targets.items() for n, t in v.items()}
    every |= {f"values/{k}/{n}": t for k, v in batch.values.items() for n, t in v.items()}
    flags = {
        n: t
        for n, t in every.items()
        if t.dtype == torch.bool and (t.ndim == 1 or common == "masks")
    }
    return flags, {n: t for n, t in every.items() if n not in flags}


def put_together(batch: Batch, flags: Named, row: Named) -> Batch:
    """A batch of one row like those of a batch, from its own tensors and the flags of them all."""
    every = {n: t[:1] for n, t in flags.items()} | row
    return Batch(
        {k: {n: every[f"values/{k}/{n}"] for n in v} for k, v in batch.values.items()},
        {n: every[f"present/{n}"] for n in batch.present},
        {k: {n: every[f"targets/{k}/{n}"] for n in v} for k, v in batch.targets.items()},
        batch.rows[:1],
    )


def rows_of(batch: Batch, which: np.ndarray) -> Batch:
    """Some rows of a batch."""
    at = torch.from_numpy(which)
    rows = batch.rows[which] if len(batch.rows) else batch.rows
    return Batch(
        {k: {n: t[at.to(t.device)] for n, t in v.items()} for k, v in batch.values.items()},
        {n: t[at.to(t.device)] for n, t in batch.present.items()},
        {k: {n: t[at.to(t.device)] for n, t in v.items()} for k, v in batch.targets.items()},
        rows,
    )


def joined(parts: list[tuple[np.ndarray, Gradients]]) -> Gradients:
    """Gradients of parts of a batch in the order of its rows."""
    places = torch.from_numpy(np.argsort(np.concatenate([which for which, _ in parts])))

    def put(name: str, of: Callable[[Gradients], Named]) -> Tensor:
        found = torch.cat([of(part)[name] for _, part in parts])
        return found[places.to(found.device)]

    first = parts[0][1]
    total_B = torch.cat([part.total_B for _, part in parts])
    return Gradients(
        {n: put(n, lambda part: part.by_name) for n in first.by_name},
        {n: put(n, lambda part: part.losses) for n in first.losses},
        total_B[places.to(total_B.device)],
    )
