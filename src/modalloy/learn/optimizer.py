"""AdamW and SGD, with sparse rows for tables of vectors."""

from collections.abc import Iterable, Sequence
from typing import Any, assert_never

import torch
from torch import Tensor, nn

from modalloy.job import config
from modalloy.learn.sharded import is_parted, whole
from modalloy.model.adapters.attach import own_by_method
from modalloy.model.body import Body
from modalloy.model.encoders.encoder import Encoder
from modalloy.model.tasks.task import Task


def build_optimizer(
    model: nn.Module, total: nn.Module | None, settings: config.Train
) -> torch.optim.Optimizer:
    """AdamW or SGD; pretrained trunks of encoders and heads at `encoder_lr`, the rest at `lr`.

    What stands beside the layers of a trunk begins from nothing, so it learns at `lr`; but PiSSA's
    parts are the trunk's own strongest directions.

    total: what makes one number of the losses, where it learns as well.
    """
    parts = [m for m in model.modules() if isinstance(m, Encoder | Task)]
    trunks = [m.trunk for m in parts if m.trunk is not None]
    trunk = {id(p) for t in trunks for p in t.parameters()}
    fresh, vectors = beside_layers(model)
    trunk -= fresh
    own = [] if total is None else list(total.named_parameters())
    groups: dict[tuple[bool, bool, bool], list[nn.Parameter]] = {}
    for name, p in [*trained(model), *own]:
        decayed = decays(name, p) and id(p) not in vectors
        groups.setdefault((id(p) in trunk, decayed, is_parted(p)), []).append(p)
    listed = [
        {
            "params": params,
            "lr": 0.0,
            "top_lr": settings.encoder_lr if is_trunk else settings.lr,
            "weight_decay": settings.weight_decay if decayed else 0.0,
        }
        for (is_trunk, decayed, _), params in groups.items()
    ]
    match settings.optimizer:
        case "adamw":
            return RowAdamW(listed, [m for m in model.modules() if isinstance(m, nn.Embedding)])
        case "sgd":
            return torch.optim.SGD(listed, momentum=0.9)
        case other:
            assert_never(other)


def beside_layers(model: nn.Module) -> tuple[set[int], set[int]]:
    """Parameters that stand beside layers and begin from nothing, and those of them that scale
    single numbers, by their ids: pulled to zero, these would silence a layer.
    """
    fresh, vectors = set(), set()
    body = getattr(model, "body", None)
    if not isinstance(body, Body) or body.adapted is None:
        return fresh, vectors
    for p, method in own_by_method(body, body.adapted):
        fresh |= {id(p)} if method != "pissa" else set()
        vectors |= {id(p)} if p.numel() == max(p.shape) else set()
    return fresh, vectors


def decays(name: str, p: Tensor) -> bool:
    """Whether weight decay is for a parameter: matrices and kernels, not biases and norms.

    The biases of several layers in one tensor, as `bias_KC` of an ensemble, are biases too.
    """
    return p.ndim > 1 and not name.rpartition(".")[2].startswith("bias")


def trained(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Parameters that training changes, by name."""
    return [(n, p) for n, p in model.named_parameters() if p.requires_grad]


class RowAdamW(torch.optim.AdamW):
    """AdamW (Loshchilov & Hutter 2019) that leaves the untouched rows of tables alone.

    A step of a text model touches some hundred of 30,522 word vectors; the others have no gradient,
    and a dense step would spend most of its time on them. Their moments stand still meanwhile, as
    in torch.optim.SparseAdam. The tables' gradients become sparse with the first step.
    """

    def __init__(self, groups: list[dict[str, Any]], tables: Iterable[nn.Embedding]) -> None:
        super().__init__(groups, fused=True)
        self.tables: set[Tensor] = set()
        for table in tables:
            if table.weight.requires_grad:
                table.sparse = True
                self.tables.add(table.weight)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Change every parameter that has a gradient; gradients of tables are used up."""
        for group in self.param_groups:
            for p in group["params"]:
                if p in self.tables and p.grad is not None:
                    self.change_rows(p, p.grad, group)
                    p.grad = None
        super().step(closure)

    def change_rows(self, p: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        """One step of the rows that have a gradient."""
        rows, gradient_nD = touched(gradient)
        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        (beta1, beta2), count = group["betas"], state["step"].item()
        mean_nD = state["exp_avg"][rows].lerp_(gradient_nD, 1 - beta1)
        square_nD = state["exp_avg_sq"][rows].mul_(beta2)
        square_nD.addcmul_(gradient_nD, gradient_nD, value=1 - beta2)
        state["exp_avg"][rows], state["exp_avg_sq"][rows] = mean_nD, square_nD
        spread_nD = (square_nD / (1 - beta2**count)).sqrt_().add_(group["eps"])
        p_nD = p[rows].mul_(1 - group["lr"] * group["weight_decay"])
        p[rows] = p_nD.addcdiv_(mean_nD, spread_nD, value=-group["lr"] / (1 - beta1**count))


def touched(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers and gradients of the rows that have one."""
    if gradient.is_sparse:
        gradient = gradient.coalesce()
        return gradient.indices()[0], gradient.values()
    rows = (gradient != 0).any(1).nonzero().squeeze(1)
    return rows, gradient[rows]


def clip(parameters: Iterable[nn.Parameter], longest: float) -> None:
    """Shorten all gradients together to this length (Pascanu et al. 2013)."""
    values = []
    for p in parameters:
        if p.grad is not None and p.grad.is_sparse:
            p.grad = p.grad.coalesce()
            values.append(p.grad.values())
        elif p.grad is not None:
            values.append(p.grad)
    if values:
        short = (longest / (total_length(values) + 1e-6)).clamp(max=1.0)
        plain = [v for v in values if not is_parted(v)]
        if plain:
            torch._foreach_mul_(plain, short)
        for v in values:
            if is_parted(v):
                v.mul_(short.item())


def total_length(values: Sequence[Tensor]) -> Tensor:
    """The length of all of these together; of those that are shared out, of all their parts."""
    kinds = ([v for v in values if is_parted(v) is part] for part in (False, True))
    found = [nn.utils.get_total_norm(some) for some in kinds if some]
    lengths = [whole(length) for length in found]
    return lengths[0] if len(lengths) == 1 else torch.stack(lengths).norm()
