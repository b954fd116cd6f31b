"""Texts are chosen as an enumeration of all texts would choose them."""

import itertools
from typing import Self

import numpy as np
import pytest
import torch
from torch import Tensor

from modalloy.model.decoders.allowed import Tree
from modalloy.model.decoders.decoder import Decoder, Going, Memory
from modalloy.model.decoders.search import Manner, unlike_before, write

PIECES, END, LONGEST = 5, 0, 4


class Table(Going):
    """Texts of a decoder whose next piece depends on the row and on the last piece alone."""

    def __init__(self, logits_NVV: Tensor) -> None:
        self.logits_NVV = logits_NVV

    def take(self, index_N: Tensor) -> Self:
        return type(self)(self.logits_NVV[index_N])


class Chain(Decoder):
    """The memory holds each row's logits of every piece after every piece."""

    def forward(self, memory: Memory, y_BL: Tensor) -> Tensor:
        before_BL = self.shifted(y_BL)
        return torch.stack([x[b] for x, b in zip(memory.x_BTD, before_BL, strict=True)])

    def begin(self, memory: Memory) -> Table:
        return Table(memory.x_BTD)

    def step(self, going: Going, ids_N: Tensor) -> Tensor:
        assert isinstance(going, Table)
        return going.logits_NVV[torch.arange(len(ids_N)), ids_N]


def chain(rows: int, seed: int = 0) -> tuple[Chain, Memory]:
    torch.manual_seed(seed)
    x = 2 * torch.randn(rows, PIECES, PIECES)
    return Chain(start=PIECES - 1), Memory(x, torch.ones(rows, PIECES, dtype=torch.bool))


def every_text(x_VV: Tensor, texts: list[tuple[int, ...]] | None) -> dict[tuple[int, ...], float]:
    """The log-probability of every text that ends within LONGEST pieces, its end counted; where
    only some are allowed, among the pieces that these go on with."""
    found = {}
    for size in range(LONGEST):
        for text in itertools.product(range(1, PIECES), repeat=size):
            total, last = 0.0, PIECES - 1
            for at, piece in enumerate((*text, END)):
                logits = x_VV[last].double()
                if texts is not None:
                    some = {(*t, END)[at] for t in texts if t[:at] == text[:at] and len(t) >= at}
                    if piece not in some:
                        total = -np.inf
                        break
                    shut = [v for v in range(PIECES) if v not in some]
                    logits = logits.index_fill(0, torch.tensor(shut, dtype=torch.long), -np.inf)
                total += float(logits.log_softmax(0)[piece])
                last = piece
            found[text] = total
    return found


def said(ids_L: Tensor) -> tuple[int, ...]:
    return tuple(int(i) for i in ids_L if i >= 0)


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beams_as_many_as_texts_find_the_best_of_all(penalty: float) -> None:
    decoder, memory = chain(6)
    manner = Manner(LONGEST, END, beams=300, length_penalty=penalty)
    written = write(decoder, memory, manner, None)
    for row in range(6):
        # A text that is cut at LONGEST pieces has no end; it may be best too.
        worth = {
            t: v / (len(t) + 1) ** penalty for t, v in every_text(memory.x_BTD[row], None).items()
        }
        for cut in itertools.product(range(1, PIECES), repeat=LONGEST):
            ways = zip((PIECES - 1, *cut), cut, strict=False)
            logp = memory.x_BTD[row].double().log_softmax(1)
            worth[cut] = sum(float(logp[a, b]) for a, b in ways) / LONGEST**penalty
        assert said(written.ids_BL[row]) == max(worth, key=lambda t: worth[t])


def test_greedy_takes_the_likeliest_piece_each_time_and_says_how_likely_it_was() -> None:
    decoder, memory = chain(8, seed=3)
    written = write(decoder, memory, Manner(LONGEST, END), None)
    for row in range(8):
        last, text, total = PIECES - 1, [], []
        for _ in range(LONGEST):
            logp = memory.x_BTD[row, last].log_softmax(0)
            last = int(logp.argmax())
            total.append(float(logp[last]))
            if last == END:
                break
            text.append(last)
        assert said(written.ids_BL[row]) == tuple(text)
        np.testing.assert_allclose(written.logp_BL[row, : len(total)], total, rtol=1e-5)
        assert (written.logp_BL[row, len(total) :] == 0).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    "manner",
    [
        Manner(LONGEST, END),
        Manner(LONGEST, END, beams=3),
        Manner(LONGEST, END, seed=5, temperature=3.0),
        Manner(LONGEST, END, least=2),
    ],
    ids=["greedy", "beam", "sample", "least"],
)
def test_only_what_is_allowed_can_come_out(manner: Manner, seed: int) -> None:
    decoder, memory = chain(30, seed)
    texts = [(1,), (1, 2), (2, 3, 1, 4), (3, 3)]
    written = write(decoder, memory, manner, Tree(texts, END))
    found = {said(ids_L) for ids_L in written.ids_BL}
    assert found <= set(texts)
    assert len(found) > 1
    if manner.least:
        assert (1,) not in found


def test_an_allowed_text_that_needs_a_mark_is_no_text() -> None:
    decoder, memory = chain(3, seed=0)
    for manner in (Manner(LONGEST, END, (2,)), Manner(LONGEST, END, (2,), beams=2)):
        with pytest.raises(AssertionError, match="goes on with a mark"):
            write(decoder, memory, manner, Tree([(1, 2)], END))


def test_beams_over_allowed_texts_find_the_likeliest_of_them() -> None:
    decoder, memory = chain(12, seed=1)
    texts = [(1,), (1, 2), (2, 3, 1), (3, 3), (4, 1)]
    manner = Manner(LONGEST, END, beams=8, length_penalty=0.0)
    written = write(decoder, memory, manner, Tree(texts, END))
    for row in range(12):
        worth = every_text(memory.x_BTD[row], texts)
        assert said(written.ids_BL[row]) == max(texts, key=lambda t: worth[t])


@pytest.mark.parametrize(
    "manner", [Manner(6, END), Manner(6, END, beams=3), Manner(6, END, seed=1)]
)
def test_a_row_is_written_alone_as_among_others(manner: Manner) -> None:
    decoder, memory = chain(9, seed=2)
    among = write(decoder, memory, manner, None)
    for row in range(9):
        one = Memory(memory.x_BTD[row : row + 1], memory.mask_BT[row : row + 1])
        alone = write(decoder, one, manner, None)
        assert said(alone.ids_BL[0]) == said(among.ids_BL[row])


def test_draws_follow_the_probabilities_within_top_p() -> None:
    decoder, memory = chain(1)
    memory = Memory(memory.x_BTD[:, -1:].expand(-1, PIECES, -1).contiguous(), memory.mask_BT)
    p_V = memory.x_BTD[0, 0].softmax(0).numpy()
    draws = [
        said(write(decoder, memory, Manner(1, END, seed=s), None).ids_BL[0]) for s in range(600)
    ]
    share_V = np.array([np.mean([(d or (END,))[0] == v for d in draws]) for v in range(PIECES)])
    np.testing.assert_allclose(share_V, p_V, atol=0.06)
    order = np.argsort(-p_V)
    two = Manner(1, END, seed=0, top_p=float(p_V[order[0]]) + 1e-3)
    seen = {
        (said(write(decoder, memory, two._replace(seed=s), None).ids_BL[0]) or (END,))[0]
        for s in range(80)
    }
    assert seen == {int(v) for v in order[:2]}
    cold = Manner(1, END, seed=0, temperature=1e-3)
    best = {said(write(decoder, memory, cold._replace(seed=s), None).ids_BL[0]) for s in range(20)}
    assert best == {() if order[0] == END else (int(order[0]),)}


def test_texts_are_as_long_as_asked_for_and_marks_are_never_written() -> None:
    decoder, memory = chain(40, seed=4)
    long = write(decoder, memory, Manner(6, END, least=3), None)
    assert all(3 <= len(said(ids_L)) <= 6 for ids_L in long.ids_BL)
    short = write(decoder, memory, Manner(2, END), None)
    assert max(len(said(ids_L)) for ids_L in short.ids_BL) == 2
    marked = write(decoder, memory, Manner(6, END, (2, 3)), None)
    assert not {2, 3} & {i for ids_L in marked.ids_BL for i in said(ids_L)}


@pytest.mark.parametrize("apart", [1, 2, 3])
def test_pieces_that_stood_in_a_row_are_shut_as_transformers_does(apart: int) -> None:
    from transformers import NoRepeatNGramLogitsProcessor

    draw = torch.Generator().manual_seed(apart)
    so_far = torch.randint(0, 3, (20, 9), generator=draw)
    logits = torch.randn(20, 5, generator=draw)
    wanted = NoRepeatNGramLogitsProcessor(apart)(so_far, logits)
    torch.testing.assert_close(unlike_before(logits, so_far, apart), wanted)
    assert wanted.isinf().any()
    assert unlike_before(logits, so_far, 0) is logits


@pytest.mark.parametrize("beams", [1, 3])
def test_no_pair_of_pieces_stands_twice_in_a_text(beams: int) -> None:
    decoder, memory = chain(8, seed=3)
    asked = Manner(LONGEST + 4, END, least=LONGEST, beams=beams)
    free = [said(t) for t in write(decoder, memory, asked, None).ids_BL]
    apart = [said(t) for t in write(decoder, memory, asked._replace(apart=2), None).ids_BL]
    pairs = [list(itertools.pairwise(text)) for text in apart]
    assert all(len(set(p)) == len(p) for p in pairs)
    assert free != apart
