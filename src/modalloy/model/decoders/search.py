"""How the pieces of a text are chosen: the likeliest, the likeliest whole text, or by chance.

Each row's text depends on that row alone: rows that have ended wait for the others without a
change, and what is drawn by chance is the same for all rows.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from modalloy.model.decoders.allowed import Tree
from modalloy.model.decoders.decoder import Decoder, Memory

NONE = -1  # beyond the end of a text


class Manner(NamedTuple):
    """How to choose; see the options of `generate`. end: the piece that ends a text; marks: pieces
    that stand in no text. beams: 1 but for `beam`; seed: of what is drawn, None where nothing is.
    apart: no so many pieces in a row may stand twice in a text; 0 lets all stand.
    """

    most: int
    end: int
    marks: tuple[int, ...] = ()
    least: int = 0
    beams: int = 1
    length_penalty: float = 1.0
    seed: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    apart: int = 0


class Written(NamedTuple):
    """Pieces of a text a row, (B, L), -1 from its end on; the log-probability of each piece and of
    the end, (B, L), 0 beyond.
    """

    ids_BL: Tensor
    logp_BL: Tensor


@torch.no_grad()
def write(decoder: Decoder, memory: Memory, manner: Manner, tree: Tree | None) -> Written:
    """A text for each row of the memory."""
    if manner.beams > 1:
        return beam_search(decoder, memory, manner, tree)
    device, rows = memory.x_BTD.device, memory.rows
    going = decoder.begin(memory)
    ids_B = torch.full((rows,), decoder.start, device=device)
    ended_B = torch.zeros(rows, dtype=torch.bool, device=device)
    nodes = [0] * rows
    generator = None if manner.seed is None else torch.Generator().manual_seed(manner.seed)
    chosen, sure = [], []
    for at in range(manner.most):
        so_far_BL = torch.stack(chosen, 1) if chosen else ids_B.new_zeros(rows, 0)
        logits_BV = unlike_before(decoder.step(going, ids_B), so_far_BL, manner.apart)
        logp_BV = open_pieces(logits_BV, nodes, at, manner, tree)
        best_B = logp_BV.argmax(1) if generator is None else draw(logp_BV, manner, generator)
        ids_B = torch.where(ended_B, manner.end, best_B)
        own_B = logp_BV.gather(1, ids_B.unsqueeze(1)).squeeze(1)
        chosen.append(torch.where(ids_B == manner.end, NONE, ids_B))
        sure.append(own_B.masked_fill(ended_B, 0.0))
        if tree is not None:
            nodes = [tree.step(n, i) for n, i in zip(nodes, ids_B.tolist(), strict=True)]
        ended_B = ended_B | (ids_B == manner.end)
        if bool(ended_B.all()):
            break
    return Written(torch.stack(chosen, 1), torch.stack(sure, 1))


def open_pieces(
    logits_NV: Tensor, nodes: list[int], at: int, manner: Manner, tree: Tree | None
) -> Tensor:
    """Log-probabilities (N, V) among the pieces that may come next, of which each row has one."""
    logits_NV = logits_NV.float().index_fill(1, marks_of(logits_NV, manner), -torch.inf)
    if tree is not None:
        logits_NV = tree.forbid(logits_NV, nodes)
        assert not bool(logits_NV.isneginf().all(1).any()), "an allowed text goes on with a mark"
    if at < manner.least:
        longer_NV = logits_NV.clone()
        longer_NV[:, manner.end] = -torch.inf
        stuck_N1 = ~longer_NV.isfinite().any(1, keepdim=True)  # nothing but the end is allowed
        logits_NV = torch.where(stuck_N1, logits_NV, longer_NV)
    return logits_NV.log_softmax(1)


def unlike_before(logits_NV: Tensor, so_far_NL: Tensor, apart: int) -> Tensor:
    """Logits without the pieces by which `apart` pieces in a row would stand a second time (as
    `no_repeat_ngram_size` of transformers, after Paulus et al. 2017, 1705.04304).
    """
    length = so_far_NL.shape[1]
    if not apart or length < apart:
        return logits_NV
    out = logits_NV.clone()
    runs_NWn = so_far_NL.unfold(1, apart, 1)
    same_NW = (runs_NWn[:, :, :-1] == so_far_NL[:, None, length - apart + 1 :]).all(2)
    row_X, at_X = (same_NW & (runs_NWn >= 0).all(2)).nonzero(as_tuple=True)
    out[row_X, runs_NWn[row_X, at_X, -1]] = -torch.inf
    return out


def marks_of(logits_NV: Tensor, manner: Manner) -> Tensor:
    """Numbers of the pieces that are never written."""
    return torch.tensor(manner.marks, dtype=torch.long, device=logits_NV.device)


def draw(logp_NV: Tensor, manner: Manner, generator: torch.Generator) -> Tensor:
    """A piece a row by chance, among the likeliest ones that together have `top_p`, (N,).

    The random numbers belong to pieces, not to rows (the largest of log-probability plus Gumbel
    noise is a draw), so that a row draws the same alone and among others.
    """
    logp_NV = (logp_NV / manner.temperature).log_softmax(1)
    sorted_NV, order_NV = logp_NV.sort(1, descending=True)
    before_NV = sorted_NV.exp().cumsum(1) - sorted_NV.exp()
    out_NV = torch.zeros_like(before_NV, dtype=torch.bool)
    out_NV.scatter_(1, order_NV, before_NV >= manner.top_p)
    noise_V = torch.rand(logp_NV.shape[1], generator=generator).clamp(1e-20, 1 - 1e-7)
    gumbel_V = -(-noise_V.log()).log()
    return (logp_NV.masked_fill(out_NV, -torch.inf) + gumbel_V.to(logp_NV.device)).argmax(1)


def beam_search(decoder: Decoder, memory: Memory, manner: Manner, tree: Tree | None) -> Written:
    """The best of `beams` texts a row by log-likelihood over length ** length_penalty.

    A text that has ended stays among its row's beams as it is, until better ones push it out.
    """
    rows, beams, device = memory.rows, manner.beams, memory.x_BTD.device
    every_N = torch.arange(rows, device=device).repeat_interleave(beams)
    going = decoder.begin(memory).take(every_N)
    ids_N = torch.full((rows * beams,), decoder.start, device=device)
    total_BK = torch.full((rows, beams), -torch.inf, device=device)
    total_BK[:, 0] = 0.0  # all beams of a row begin alike: one of them counts
    length_BK = torch.zeros_like(total_BK)
    ended_BK = torch.zeros_like(total_BK, dtype=torch.bool)
    text_BKL = torch.full((rows, beams, 0), NONE, device=device)
    sure_BKL = total_BK.new_zeros(rows, beams, 0)
    nodes = [0] * (rows * beams)
    for at in range(manner.most):
        logits_NV = unlike_before(decoder.step(going, ids_N), text_BKL.flatten(0, 1), manner.apart)
        logp_NV = open_pieces(logits_NV, nodes, at, manner, tree)
        size = logp_NV.shape[1]
        logp_BKV = logp_NV.view(rows, beams, size)
        rest_V = torch.full((size,), -torch.inf, device=device)
        rest_V[manner.end] = 0.0
        logp_BKV = torch.where(ended_BK.unsqueeze(2), rest_V, logp_BKV)
        after_BK = length_BK + (~ended_BK).float()
        sum_BKV = total_BK.unsqueeze(2) + logp_BKV
        worth_BKV = sum_BKV / after_BK.clamp_min(1.0).unsqueeze(2) ** manner.length_penalty
        _, best_BK = worth_BKV.flatten(1).topk(beams, 1)
        from_BK, piece_BK = best_BK // size, best_BK % size
        total_BK = sum_BKV.flatten(1).gather(1, best_BK)
        was_BK, length_BK = ended_BK.gather(1, from_BK), after_BK.gather(1, from_BK)
        own_BK = logp_BKV.flatten(1).gather(1, best_BK)
        ended_BK = was_BK | (piece_BK == manner.end)
        back_BKL = from_BK.unsqueeze(2).expand(-1, -1, text_BKL.shape[2])
        shown_BK1 = torch.where(ended_BK, NONE, piece_BK).unsqueeze(2)
        own_BK1 = own_BK.masked_fill(was_BK, 0.0).unsqueeze(2)
        text_BKL = torch.cat([text_BKL.gather(1, back_BKL), shown_BK1], 2)
        sure_BKL = torch.cat([sure_BKL.gather(1, back_BKL), own_BK1], 2)
        index_N = (torch.arange(rows, device=device).unsqueeze(1) * beams + from_BK).flatten()
        ids_N, going = piece_BK.flatten(), going.take(index_N)
        if tree is not None:
            kept = [nodes[i] for i in index_N.tolist()]
            nodes = [tree.step(n, i) for n, i in zip(kept, ids_N.tolist(), strict=True)]
        if bool((ended_BK | total_BK.isinf()).all()):
            break
    worth_BK = total_BK / length_BK.clamp_min(1.0) ** manner.length_penalty
    best_B11 = worth_BK.argmax(1)[:, None, None]
    text_BL = text_BKL.gather(1, best_B11.expand(-1, 1, text_BKL.shape[2])).squeeze(1)
    sure_BL = sure_BKL.gather(1, best_B11.expand(-1, 1, sure_BKL.shape[2])).squeeze(1)
    return Written(text_BL, sure_BL)
