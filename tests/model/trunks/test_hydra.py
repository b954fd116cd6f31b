"""Hydra beside a slow count by hand."""

import numpy as np
import torch

from modalloy.model.trunks.hydra import GROUPS, MEMBERS, Hydra


def make_front(channels: int = 1, longest: int = 40) -> Hydra:
    torch.manual_seed(0)
    return Hydra(channels, longest)


def test_counts_are_those_by_hand() -> None:
    front, x_L = make_front(), np.random.default_rng(0).normal(size=40).astype(np.float32)
    found_F = front(torch.tensor(x_L)[None, None], torch.ones(1, 40).bool())[0]
    assert found_F.shape == (front.features,)
    assert front.dilations == [1, 2, 4]
    block = 2 * GROUPS * MEMBERS
    for seen, at, group in ((0, 0, 0), (0, 2, 5), (1, 1, 31)):
        samples_L, dilation = (np.diff(x_L) if seen else x_L), front.dilations[at]
        wide = np.pad(samples_L, 4 * dilation)
        weight_Mn = front.weight_DSKn[at, seen].numpy()[group * MEMBERS : (group + 1) * MEMBERS]
        best, worst = np.zeros(MEMBERS), np.zeros(MEMBERS)
        for t in range(len(samples_L)):
            out_M = weight_Mn @ wide[t : t + 8 * dilation + 1 : dilation]
            best[out_M.argmax()] += out_M.max()
            worst[out_M.argmin()] += 1
        start = (seen * len(front.dilations) + at) * block + group * MEMBERS
        expected = np.sqrt(best.clip(0))
        assert np.allclose(found_F[start : start + MEMBERS], expected, atol=1e-3)
        start += GROUPS * MEMBERS
        assert np.allclose(found_F[start : start + MEMBERS], np.sqrt(worst), atol=1e-3)


def test_weights_have_zero_mean_and_unit_sum() -> None:
    weight_DSKn = make_front().weight_DSKn
    assert weight_DSKn.sum(-1).abs().max() < 1e-5
    assert torch.allclose(weight_DSKn.abs().sum(-1), torch.ones(()))


def test_a_row_alone_is_the_row_in_a_padded_batch() -> None:
    front = make_front(channels=4)
    assert front.channels_DSGJ.shape[-1] == 2  # half of the channels a group
    x_BCL = torch.randn(3, 4, 40)
    x_BCL[1, :, 10:20] = 1.0
    mask_BL = torch.arange(40) < torch.tensor([40, 30, 5])[:, None]
    whole_BF = front(x_BCL, mask_BL)
    for row, length in enumerate((40, 30, 5)):
        alone_F = front(x_BCL[row : row + 1, :, :length], mask_BL[row : row + 1, :length])[0]
        assert torch.allclose(alone_F, whole_BF[row], atol=1e-5)
