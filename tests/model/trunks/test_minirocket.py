"""MiniRocket beside slow sums by hand, and beside what its authors say of dilations and biases."""

import numpy as np
import pytest
import torch

from modalloy.model.trunks.minirocket import KERNELS, MiniRocket, convolve, spread_dilations


def by_hand(x_L: np.ndarray, kernel: int, dilation: int) -> np.ndarray:
    weight = np.where(np.isin(np.arange(9), KERNELS[kernel]), 2.0, -1.0)
    wide = np.pad(x_L, 4 * dilation)
    return np.array(
        [sum(weight[j] * wide[t + j * dilation] for j in range(9)) for t in range(len(x_L))]
    )


def make_front(channels: int = 1, longest: int = 40, rows: int = 5) -> MiniRocket:
    torch.manual_seed(0)
    front = MiniRocket(channels, longest)
    x_NCL = torch.randn(rows, channels, longest).cumsum(-1)
    front.fit(x_NCL, torch.ones(rows, longest).bool(), torch.Generator().manual_seed(1))
    return front


def test_kernels_have_three_twos_and_sum_to_zero() -> None:
    assert len(KERNELS) == len(set(KERNELS)) == 84
    assert all(2 * 3 - 6 == 0 and len(set(k)) == 3 for k in KERNELS)


@pytest.mark.parametrize("dilation", [1, 3])
def test_convolutions_are_the_sums_by_hand(dilation: int) -> None:
    x_L = np.random.default_rng(0).normal(size=20)
    out_KL = convolve(torch.tensor(x_L, dtype=torch.float32)[None, None], dilation)[0]
    for kernel in (0, 17, 83):
        assert np.allclose(out_KL[kernel], by_hand(x_L, kernel, dilation), atol=1e-5)


def test_dilations_are_those_of_the_authors() -> None:
    """As their code spreads 119 biases a kernel over at most 32 dilations."""
    dilations, counts = spread_dilations(150)
    assert dilations == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16, 18]
    assert counts == [30, 15, 12, 12, 4, 8, 8, 4, 4, 4, 3, 3, 3, 3, 3, 3]
    assert spread_dilations(24) == ([1, 2], [79, 40])
    assert spread_dilations(5) == ([1], [119])


def test_shares_are_counted_by_hand_with_and_without_padding() -> None:
    front = make_front()
    x_L = torch.randn(40).cumsum(0)
    shares_F = front(x_L[None, None], torch.ones(1, 40).bool())[0]
    assert shares_F.shape == (front.features,) == (84 * 119,)
    shares_KF, start = shares_F.unflatten(0, (84, -1)), 0
    for at, (dilation, count) in enumerate(zip(front.dilations, front.counts, strict=True)):
        for kernel in (0, 1, 50):
            out_L = by_hand(x_L.numpy(), kernel, dilation)
            if (at + kernel) % 2:
                out_L = out_L[4 * dilation : -4 * dilation]
            bias_f = front.bias_KF[kernel, start : start + count].numpy()
            expected_f = (out_L[:, None] > bias_f).mean(0)
            found_f = shares_KF[kernel, start : start + count]
            assert np.allclose(found_f, expected_f, atol=0.03)  # a tie may fall either way
        start += count


def test_biases_are_golden_quantiles_of_one_training_row() -> None:
    torch.manual_seed(0)
    front, x_L = MiniRocket(1, 40), torch.randn(40)
    front.fit(x_L.expand(3, 1, 40), torch.ones(3, 40).bool(), torch.Generator())
    count = front.counts[0]
    levels = np.arange(count + 1, 2 * count + 1) * (5**0.5 + 1) / 2 % 1
    expected = np.quantile(by_hand(x_L.numpy(), 1, 1), levels)
    assert np.allclose(front.bias_KF[1, :count], expected, atol=1e-4)


def test_channels_are_added_up() -> None:
    front = make_front(channels=3)
    assert front.channels_DKJ.shape == (len(front.dilations), 84, 3)
    chosen_KJ, x_CL = front.channels_DKJ[0], torch.randn(3, 40)
    out_KL, _ = front.convolved(x_CL[None], torch.tensor([40]), 0, 1)
    for kernel in (0, 9, 40):
        channels = [c for c in chosen_KJ[kernel].tolist() if c < 3]
        assert 1 <= len(channels) == len(set(channels))
        one_L = x_CL[channels].sum(0).numpy()
        assert np.allclose(out_KL[0, kernel], by_hand(one_L, kernel, 1), atol=1e-5)


def test_a_row_alone_is_the_same_bits_in_a_padded_batch() -> None:
    front = make_front(channels=2)
    x_BCL = torch.randn(3, 2, 40)
    x_BCL[1, :, 20:25] = 1.0  # a flat stretch: outputs of 0, ties
    mask_BL = torch.arange(40) < torch.tensor([40, 30, 7])[:, None]
    whole_BF = front(x_BCL, mask_BL)
    assert torch.isfinite(whole_BF).all()
    for row, length in enumerate((40, 30, 7)):
        alone_F = front(x_BCL[row : row + 1, :, :length], mask_BL[row : row + 1, :length])[0]
        assert torch.equal(alone_F, whole_BF[row])
