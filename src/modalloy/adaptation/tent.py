"""Tent: entropy of class probabilities made small by the scales and shifts of norms alone (Wang et
al. 2021, 2006.10726).
"""

from collections.abc import Collection, Iterable

import torch
from torch import Tensor, nn

from modalloy.errors import RunError
from modalloy.model.model import Model
from modalloy.model.tokens import Batch
from modalloy.tasks.kit import kit_of

LR = 1e-3  # of Adam, as in the paper
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def tent(model: Model, batches: Iterable[Batch], *, lr: float = LR) -> list[float]:
    """One step of Adam for each batch, in place; each batch's entropy before its step, in nats.

    The paper lets batch norms use each batch's own figures; ours keep those that they have, so that
    a row is answered alone as it is in a batch. RunError where the run has no classes to answer.
    """
    heads = [n for n, o in model.job.tasks.items() if kit_of(o).promises == "classes"]
    if not heads:
        tasks = ", ".join(f"'{n}'" for n in model.job.tasks)
        raise RunError(
            f"tent: lowers the entropy of classes, and {tasks} answers none; leave --tent out."
        )
    model.eval()
    asked = {n: p.requires_grad for n, p in model.named_parameters()}
    model.requires_grad_(False)
    learning = norm_weights(model)
    for p in learning:
        p.requires_grad_(True)
    optimizer = torch.optim.Adam(learning, lr=lr, betas=(0.9, 0.999))
    entropies = []
    for batch in batches:
        loss = entropy(model, batch, heads)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        entropies.append(float(loss.detach()))
    for name, p in model.named_parameters():
        p.requires_grad_(asked[name])
    return entropies


def norm_weights(model: nn.Module) -> list[nn.Parameter]:
    """Scales and shifts of all norms."""
    found = [
        p for m in model.modules() if isinstance(m, NORMS) for p in m.parameters(recurse=False)
    ]
    return list({id(p): p for p in found}.values())


def entropy(model: Model, batch: Batch, heads: Collection[str]) -> Tensor:
    """Mean entropy of the class probabilities of these tasks, members averaged first; of labels the
    mean over labels."""
    output = model(batch, heads)
    found = []
    for name in heads:
        logits_BKC = output.tasks[name]["logits"].float()
        options = model.job.tasks[name]
        if options.several:
            p_BC = torch.sigmoid(logits_BKC).mean(1)
            found.append(surprise(p_BC) + surprise(1.0 - p_BC))
        else:
            p_BC = torch.softmax(logits_BKC, -1).mean(1)
            found.append(surprise(p_BC) * p_BC.shape[1])
    return torch.stack(found).mean()


def surprise(p_BC: Tensor) -> Tensor:
    """The mean of -p log p."""
    return -(p_BC * p_BC.clamp_min(1e-12).log()).mean()
