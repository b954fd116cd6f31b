"""Sets of boxes to learn: which query is to find which box, and what all of them then cost.

Every query of a picture says one box and a class, the last class being "nothing". Each true box is
given to one query so that the whole costs least (Carion et al. 2020, DETR, 2005.12872, by Kuhn's
Hungarian method); the query learns that box and its class, all others learn that they find nothing.

Boxes are (middle x, middle y, width, height) here, as shares of the picture. Letters: Q queries, n
boxes of one picture.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from modalloy.model.tasks.heatmap import areas

# What a class, the L1 distance and 1 - GIoU count, as in DETR. All three are then divided by the
# number of boxes; DETR divides the first by the weights of all queries, so that one box among 100
# queries weighs its class a tenth as much.
CLASS, APART, OVERLAP = 1.0, 5.0, 2.0
NOTHING = 0.1  # what a query that is to find nothing counts: there are many of them


def set_loss(
    logits_NQC: Tensor,
    boxes_NQ4: Tensor,
    goals: Sequence[tuple[Tensor, Tensor]],
) -> Tensor:
    """Cross entropy of classes, L1 distance and 1 - GIoU of boxes, summed over N pictures.

    goals: of each picture the true boxes (n, 4) and their classes (n,).
    """
    nothing = logits_NQC.shape[-1] - 1
    weight_C = logits_NQC.new_ones(nothing + 1)
    weight_C[nothing] = NOTHING
    total = logits_NQC.new_zeros(())
    for logits_QC, boxes_Q4, (goal_n4, class_n) in zip(logits_NQC, boxes_NQ4, goals, strict=True):
        query, box = match(logits_QC, boxes_Q4, goal_n4, class_n)
        wanted_Q = torch.full_like(logits_QC[:, 0], nothing, dtype=torch.long)
        wanted_Q[query] = class_n[box]
        total = total + CLASS * F.cross_entropy(logits_QC, wanted_Q, weight_C, reduction="sum")
        found_k4, true_k4 = boxes_Q4[query], goal_n4[box]
        total = total + APART * (found_k4 - true_k4).abs().sum()
        unlike_k = 1 - generalized_overlaps(found_k4, true_k4).diagonal()
        total = total + OVERLAP * unlike_k.sum()
    return total


@torch.no_grad()
def match(
    logits_QC: Tensor, boxes_Q4: Tensor, goal_n4: Tensor, class_n: Tensor
) -> tuple[Tensor, Tensor]:
    """Queries and the boxes that they are to find, as many of each: all boxes where queries
    suffice.
    """
    from scipy.optimize import linear_sum_assignment  # half a second that other jobs never need

    cost_Qn = costs(logits_QC, boxes_Q4, goal_n4, class_n)
    query, box = linear_sum_assignment(np.nan_to_num(cost_Qn.cpu().numpy(), nan=1e6))
    device = logits_QC.device
    return torch.from_numpy(query).to(device), torch.from_numpy(box).to(device)


def costs(logits_QC: Tensor, boxes_Q4: Tensor, goal_n4: Tensor, class_n: Tensor) -> Tensor:
    """What it costs that a query finds a box, (Q, n): the less probable its class, and the farther
    its own box, the more.
    """
    sure_Qn = logits_QC.softmax(-1)[:, class_n]
    apart_Qn = torch.cdist(boxes_Q4, goal_n4, p=1)
    overlap_Qn = generalized_overlaps(boxes_Q4, goal_n4)
    return -CLASS * sure_Qn + APART * apart_Qn - OVERLAP * overlap_Qn


def generalized_overlaps(a_N4: Tensor, b_M4: Tensor) -> Tensor:
    """Overlap of each box with each, less the empty share of the box around both, (N, M).

    Rezatofighi et al. 2019 (1902.09630).
    """
    a_N14, b_1M4 = corners(a_N4)[:, None], corners(b_M4)[None]
    low, high = torch.maximum(a_N14, b_1M4), torch.minimum(a_N14, b_1M4)
    common_NM = (high[..., 2:] - low[..., :2]).clamp_min(0).prod(-1)
    union_NM = areas(a_N14[:, 0])[:, None] + areas(b_1M4[0])[None] - common_NM
    around_NM = (low[..., 2:] - high[..., :2]).clamp_min(0).prod(-1).clamp_min(1e-9)
    return common_NM / union_NM.clamp_min(1e-9) - (around_NM - union_NM) / around_NM


def corners(boxes_N4: Tensor) -> Tensor:
    """(x1, y1, x2, y2) of boxes by middle and size."""
    middle, half = boxes_N4[..., :2], boxes_N4[..., 2:] / 2
    return torch.cat([middle - half, middle + half], -1)


def middles(boxes_N4: Tensor) -> Tensor:
    """Middle and size of boxes by corners."""
    low, high = boxes_N4[..., :2], boxes_N4[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def goals_of(
    target: Mapping[str, Tensor], rows: Tensor, size_N2: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """True boxes and classes of some rows of a batch. size_N2: of their pictures, pixels."""
    found = []
    for row, size_2 in zip(rows, size_N2, strict=True):
        real_n = target["classes"][row] >= 0
        shares_n4 = target["boxes"][row][real_n] / size_2.repeat(2)
        found.append((middles(shares_n4), target["classes"][row][real_n]))
    return found
