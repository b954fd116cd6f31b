"""Boxes as heat maps to learn, for dense detection.

Every cell of a map says, for each class, whether a box's middle lies there (a heat of 0 to 1), and
how far the four sides are, in cells. Zhou et al. 2019 (CenterNet, 1904.07850); the sides are
learned on all cells near a middle and weighed by the heat there, as Liu et al. 2019 (TTFNet,
1909.00700), so that few epochs suffice. Boxes are shares of the picture here: (x1, y1, x2, y2) from
0 to 1.

Letters: n boxes of one picture, P cells that learn sides.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SPREAD = 0.54  # share of a box, around its middle, whose cells learn (TTFNet)


class Painted(NamedTuple):
    """What the maps of one picture should say.

    heat_CHW: 1 in the cell of a box's middle, falling off around it. cell_P: flat indices of the
    cells that learn sides. box_P4: their boxes, in cells. weight_P: adds up to 1 for each box.
    """

    heat_CHW: Tensor
    cell_P: Tensor
    box_P4: Tensor
    weight_P: Tensor


def paint(boxes_n4: Tensor, classes_n: Tensor, classes: int, height: int, width: int) -> Painted:
    """Maps for the boxes of one picture; where boxes compete for a cell, the nearer middle wins."""
    scale_4 = boxes_n4.new_tensor([width, height, width, height])
    order = areas(boxes_n4).argsort(stable=True)  # of equals, the smallest box wins
    boxes_n4, classes_n = boxes_n4[order] * scale_4, classes_n[order]
    across_nW = bump(boxes_n4[:, 0], boxes_n4[:, 2], width)
    down_nH = bump(boxes_n4[:, 1], boxes_n4[:, 3], height)
    near_nHW = down_nH[:, :, None] * across_nW[:, None, :]
    heat_CHW = near_nHW.new_zeros(classes, height, width)
    class_nHW = classes_n[:, None, None].expand_as(near_nHW)
    heat_CHW = heat_CHW.scatter_reduce(0, class_nHW, near_nHW, "amax")
    if not len(boxes_n4):
        none = boxes_n4.new_zeros(0)
        return Painted(heat_CHW, none.long(), boxes_n4, none)
    best_HW, owner_HW = near_nHW.max(0)
    cell_P = best_HW.flatten().nonzero().squeeze(1)
    owner_P, best_P = owner_HW.flatten()[cell_P], best_HW.flatten()[cell_P]
    total_n = best_P.new_zeros(len(boxes_n4)).index_add(0, owner_P, best_P)
    return Painted(heat_CHW, cell_P, boxes_n4[owner_P], best_P / total_n[owner_P])


def bump(low_n: Tensor, high_n: Tensor, cells: int) -> Tensor:
    """A bell over the cells along one axis, (n, cells): 1 in the middle's cell, 0 outside its
    spread.
    """
    reach_n1 = ((high_n - low_n) / 2 * SPREAD).unsqueeze(1)
    middle_n1 = ((low_n + high_n) / 2).floor().clamp(0, cells - 1).unsqueeze(1)
    off_nC = torch.arange(cells, device=low_n.device) - middle_n1
    bell_nC = torch.exp(-(off_nC**2) / (2 * ((2 * reach_n1 + 1) / 6) ** 2))
    return bell_nC * (off_nC.abs() <= reach_n1)


def heat_loss(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss that goes easy on cells beside a middle, summed (Law & Deng 2018, 1808.01244)."""
    p = logits.sigmoid()
    at_middle = (1 - p) ** 2 * F.logsigmoid(logits)
    elsewhere = (1 - heat) ** 4 * p**2 * F.logsigmoid(-logits)
    return -torch.where(heat == 1, at_middle, elsewhere).sum()


def generalized_overlap(a_P4: Tensor, b_P4: Tensor) -> Tensor:
    """Overlap less the empty share of the box around both, (P,) (Rezatofighi et al. 2019)."""
    low, high = torch.maximum(a_P4[:, :2], b_P4[:, :2]), torch.minimum(a_P4[:, 2:], b_P4[:, 2:])
    common = (high - low).clamp_min(0).prod(1)
    union = (areas(a_P4) + areas(b_P4) - common).clamp_min(1e-9)
    low, high = torch.minimum(a_P4[:, :2], b_P4[:, :2]), torch.maximum(a_P4[:, 2:], b_P4[:, 2:])
    around = (high - low).prod(1).clamp_min(1e-9)
    return common / union - (around - union) / around


def boxes_at(sides_P4: Tensor, cell_P: Tensor, width: int) -> Tensor:
    """Boxes in cells from the distances (left, top, right, bottom) of their sides to cells'
    middles.
    """
    middle_P2 = torch.stack([cell_P % width, cell_P // width], -1) + 0.5
    return torch.cat([middle_P2 - sides_P4[..., :2], middle_P2 + sides_P4[..., 2:]], -1)


def areas(boxes_n4: Tensor) -> Tensor:
    """Areas, (n,)."""
    return (boxes_n4[:, 2:] - boxes_n4[:, :2]).prod(1)
