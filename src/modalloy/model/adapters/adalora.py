"""AdaLoRA's schedule: directions of least importance are taken away until the budget is kept.

Zhang et al. 2023 (2303.10512), by peft's own allocator. What it has seen is kept in buffers of the
model, so that a checkpoint holds it and a training goes on bit for bit.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

FIRST, LAST = 0.1, 0.5  # shares of the steps before ranks shrink, and after they have
PERIOD = 100  # times that ranks are shared out in a training


class Allocation(nn.Module):
    """How the ranks of a model's layers are shared out: importance of each number, and which
    directions are left.

    Each parameter has a smoothed importance and its uncertainty, both (P,) over all parameters one
    after the other; kept_R: directions of all layers that are left.
    """

    importance_P: Tensor
    uncertainty_P: Tensor
    kept_R: Tensor

    def __init__(self, model: nn.Module, tuner: Any) -> None:
        super().__init__()
        self.__dict__["held"] = tuner  # no part of this: it holds the model, which holds this
        own = list(self.own(model))
        total = sum(p.numel() for _, p in own)
        device = own[0][1].device
        self.register_buffer("importance_P", torch.zeros(total, device=device))
        self.register_buffer("uncertainty_P", torch.zeros(total, device=device))
        ranks = sum(p.numel() for n, p in own if ".lora_E." in n)
        self.register_buffer("kept_R", torch.ones(ranks, dtype=torch.bool, device=device))

    @property
    def tuner(self) -> Any:
        """peft's own object, which knows the schedule."""
        return self.__dict__["held"]

    @property
    def budget(self) -> int:
        """Directions that are left at the end, of all layers together."""
        return self.tuner.rankallocator.target_bgt

    def own(self, model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        """AdaLoRA's parameters of a model, by name."""
        for name, p in model.named_parameters():
            if ".lora_" in name and name.endswith(f".{self.tuner.trainable_adapter_name}"):
                yield name, p

    def values(self, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        """The singular values of each layer, (R, 1)."""
        return [(n, p) for n, p in self.own(model) if ".lora_E." in n]

    def regularise(self, model: nn.Module) -> None:
        """Add the gradients that keep both matrices of each layer orthogonal (section 3.1)."""
        square = []
        for name, p in self.own(model):
            if p.requires_grad and ".lora_E." not in name:
                p_Rn = p if ".lora_A." in name else p.T
                square.append((p_Rn @ p_Rn.T - torch.eye(len(p_Rn), device=p.device)).norm())
        if square:
            weight = self.tuner.peft_config[self.tuner.trainable_adapter_name].orth_reg_weight
            (weight * torch.stack(square).mean()).backward()

    @torch.no_grad()
    def update(self, model: nn.Module, step: int, steps: int) -> None:
        """After a step, before its gradients are dropped: note importance, take directions away.

        step: from 0. steps: of the whole training.
        """
        own = list(self.own(model))
        if not any(p.requires_grad for _, p in own):
            return  # encoders are frozen for now
        settings = self.tuner.peft_config[self.tuner.trainable_adapter_name]
        settings.total_step, settings.tinit = steps, round(FIRST * steps)
        settings.tfinal, settings.deltaT = round(LAST * steps), max(1, steps // PERIOD)
        for _, p in own:
            if p.grad is None:  # a column that no row of the batch has
                p.grad = torch.zeros_like(p)
        self.hand_over(own)
        self.tuner.update_and_allocate(step)
        self.take_back(own, settings.rank_pattern)

    def hand_over(self, own: list[tuple[str, nn.Parameter]]) -> None:
        """Give peft's allocator what was noted so far."""
        allocator = self.tuner.rankallocator
        sizes = [p.numel() for _, p in own]
        parts = zip(
            own, self.importance_P.split(sizes), self.uncertainty_P.split(sizes), strict=True
        )
        for (name, p), importance, uncertainty in parts:
            allocator.ipt[name] = torch.zeros_like(p)
            allocator.exp_avg_ipt[name] = importance.view_as(p).clone()
            allocator.exp_avg_unc[name] = uncertainty.view_as(p).clone()
        values = [(n, p) for n, p in own if ".lora_E." in n]
        kept = zip(values, self.kept_R.split([len(p) for _, p in values]), strict=True)
        settings = self.tuner.peft_config[self.tuner.trainable_adapter_name]
        settings.rank_pattern = {name: left.tolist() for (name, _), left in kept}

    def take_back(
        self, own: list[tuple[str, nn.Parameter]], pattern: dict[str, list[bool]]
    ) -> None:
        """Note what peft's allocator knows now."""
        allocator = self.tuner.rankallocator
        for buffer, known in (
            (self.importance_P, allocator.exp_avg_ipt),
            (self.uncertainty_P, allocator.exp_avg_unc),
        ):
            seen = [known[n].flatten() if n in known else torch.zeros(p.numel()) for n, p in own]
            buffer.copy_(torch.cat(seen))
        left = [pattern[n] for n, _ in own if ".lora_E." in n]
        self.kept_R.copy_(torch.tensor([kept for layer in left for kept in layer]))

    @torch.no_grad()
    def settle(self, model: nn.Module) -> int:
        """Keep the budget: what is not left is exactly zero. The directions taken away only now,
        because the training ended before its schedule had.
        """
        own, values = list(self.own(model)), self.values(model)
        late = 0
        if int(self.kept_R.sum()) > self.budget and self.importance_P.any():
            late = int(self.kept_R.sum()) - self.budget
            self.hand_over(own)
            pattern = self.tuner.rankallocator.mask_to_budget(model, self.budget)
            self.take_back(own, pattern)
        for (_, p), left in zip(
            values, self.kept_R.split([len(p) for _, p in values]), strict=True
        ):
            p.mul_(left[:, None])
        return late
