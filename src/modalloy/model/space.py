"""One space for all columns: a projection of each column's summary, and of the fused row.

Vectors have length 1, so that their inner product says how alike a picture, a note and a whole row
are. Unlike a decoder this is kept with the run: `search` and zero-shot answers are made of it.
"""

import json
import math
from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modalloy.model.body import Body
from modalloy.model.layers.block import Residual
from modalloy.model.layers.named import Named
from modalloy.model.tokens import Batch, Tokens
from modalloy.model.trunk_features import with_trunks

STEEPEST = math.log(100.0)  # of the scale, as in CLIP: above it few rows take all the gradient
PLAN = "space"  # key of the heading of its file

Loss = Literal["infonce", "sigmoid", "gram"]
SCALES = {"infonce": (0.07, 0.0), "gram": (0.07, 0.0), "sigmoid": (0.1, -10.0)}  # at the start


class HeadPlan(NamedTuple):
    """How a column comes into the space.

    width: of what is projected. layers: residual layers before the linear map. own: the projection
    is the one that came with the column's checkpoint (CLIP, SigLIP), and reads what that reads.
    bias: whether it has one. identity: there is none at all, what it reads is the vector (SigLIP's
    pictures).
    """

    width: int
    layers: int = 1
    own: bool = False
    bias: bool = True
    identity: bool = False


class Head(nn.Module):
    """What brings one kind of latent vector into the space; see `HeadPlan`."""

    def __init__(self, plan: HeadPlan, size: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.plan = plan
        self.layers = nn.ModuleList(Residual(plan.width, dropout) for _ in range(plan.layers))
        self.out = nn.Identity() if plan.identity else nn.Linear(plan.width, size, bias=plan.bias)

    def forward(self, x_BF: Tensor) -> Tensor:
        """Unit vectors (B, S)."""
        for layer in self.layers:
            x_BF = layer(x_BF)
        return F.normalize(self.out(x_BF), dim=-1)


class Seen(NamedTuple):
    """What a body makes of a batch on its way into a space.

    latents: input -> (B, F), what its head projects. present: input -> (B,) bool. batch: the same
    with what trunks say of cells in place of some cells, so that no trunk runs twice.
    """

    latents: dict[str, Tensor]
    present: dict[str, Tensor]
    tokens: dict[str, Tokens]
    batch: Batch


class Space(nn.Module):
    """Heads of inputs and of the fused row, with the scale (1 over temperature) that was learned.

    heads: input -> plan. row: the fused row has a head too, of the fusion's width.
    """

    def __init__(
        self,
        heads: Mapping[str, HeadPlan],
        size: int,
        *,
        row: HeadPlan | None = None,
        loss: Loss = "infonce",
        temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.size, self.loss = size, loss
        self.heads = Named({name: Head(plan, size) for name, plan in heads.items()})
        self.row = None if row is None else Head(row, size)
        usual, bias = SCALES[loss]
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature or usual)))
        self.bias = nn.Parameter(torch.tensor(bias), requires_grad=loss == "sigmoid")
        self.bound()

    @property
    def inputs(self) -> list[str]:
        """The inputs that have a place in it."""
        return self.heads.keys()

    @property
    def scale(self) -> Tensor:
        """What similarities are multiplied by before they are compared: 1 over the temperature."""
        return self.log_scale.exp()

    @torch.no_grad()
    def bound(self) -> None:
        """Bring a scale that has grown too large back to its bound, as CLIP does after each step.

        The weight itself, since what is cut off on the way has no gradient and would stay there.
        Under `sigmoid` there is no bound: checkpoints of SigLIP are beyond it.
        """
        if self.loss != "sigmoid":
            self.log_scale.clamp_(max=STEEPEST)

    def see(
        self,
        body: Body,
        batch: Batch,
        inputs: Collection[str] | None = None,
        *,
        trunks: Collection[str] = (),
    ) -> Seen:
        """What the heads project, of these inputs (all for None); gradients reach the body.

        trunks: inputs of which the trunk's features are wanted in `batch` besides.
        """
        wanted = [n for n in body.inputs if inputs is None or n in inputs]
        own = {n for n in wanted if n in self.heads and self.heads[n].plan.own}
        batch = with_trunks(body, batch, own | set(trunks))
        tokens = body.encode(batch, wanted)
        latents, present = {}, {}
        for name in self.heads:
            if name not in wanted:
                continue
            shown = batch.present[name]
            present[name] = shown.any(1) if shown.ndim > 1 else shown
            latents[name] = tokens[name].summary_BD
            if name in own:
                latents[name] = paired(body, batch, name, present[name])
        return Seen(latents, present, tokens, batch)

    def project(self, seen: Seen) -> dict[str, Tensor]:
        """Unit vectors of inputs, (B, S); those of rows without an input mean nothing."""
        return {name: self.heads[name](x) for name, x in seen.latents.items()}

    def project_row(self, body: Body, tokens: Mapping[str, Tokens]) -> Tensor:
        """Unit vectors of whole rows, (B, S)."""
        assert self.row is not None, "this space has no place for whole rows"
        return self.row(body.fuse(tokens).summary_BKD.mean(1))

    def plan(self) -> dict[str, Any]:
        """What it can be built from again, as JSON."""
        return {
            "size": self.size,
            "loss": self.loss,
            "heads": {name: self.heads[name].plan._asdict() for name in self.heads},
            "row": None if self.row is None else self.row.plan._asdict(),
        }

    def to_bytes(self) -> bytes:
        """The part `space.safetensors` of a run."""
        from safetensors.torch import save

        weights = {n: t.detach().cpu().contiguous() for n, t in self.state_dict().items()}
        return save(weights, {PLAN: json.dumps(self.plan())})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """What `to_bytes` wrote, in evaluation mode."""
        from safetensors.torch import load

        length = int.from_bytes(data[:8], "little")
        plan = json.loads(json.loads(data[8 : 8 + length])["__metadata__"][PLAN])
        heads = {name: HeadPlan(**own) for name, own in plan["heads"].items()}
        row = None if plan["row"] is None else HeadPlan(**plan["row"])
        made = cls(heads, plan["size"], row=row, loss=plan["loss"])
        made.load_state_dict(load(data))
        made.bound()
        return made.eval()


def paired(body: Body, batch: Batch, name: str, present_B: Tensor) -> Tensor:
    """What the projection of a dual encoder's checkpoint reads, (B, F); zeros of absent rows."""
    encoder, values = body.encoder(name), batch.values[name]
    rows = present_B.nonzero().squeeze(1)
    if not len(rows):
        width = encoder.paired_width
        assert width, "only columns of a dual encoder are asked"
        learns = [encoder.absent_D, *(v for v in values.values() if v.requires_grad)]
        nothing = sum(v.float().sum() for v in learns)  # a trunk that ran as a guest is among them
        return nothing * torch.zeros(len(present_B), width, device=rows.device)
    with body.number_type(name):
        x_RF = encoder.paired_features({k: v[rows] for k, v in values.items()})
    x_RF = x_RF.float()
    return x_RF.new_zeros(len(present_B), x_RF.shape[1]).index_copy(0, rows, x_RF)
