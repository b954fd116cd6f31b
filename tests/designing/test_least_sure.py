"""What a run takes away of what a process does not know, against the process given that run."""

import numpy as np
import torch

from modalloy.designing.least_sure import (
    FLOOR,
    NEAREST,
    Unsure,
    least_sure,
    left_of,
    unsure_of,
    wrong_by,
)
from modalloy.designing.surrogates.gaussian_process import (
    Conditioned,
    condition,
    fit_gaussian_process,
    leave_one_out_of,
    posterior_of,
)


def process(seed: int = 0) -> Conditioned:
    """Of twelve rows of a curve over two columns."""
    u_ND = np.random.default_rng(seed).random((12, 2))
    return fit_gaussian_process(u_ND, np.sin(6 * u_ND[:, :1]) + u_ND[:, 1:], seed=0).outputs[0]


def variance(one: Conditioned, u_MD: torch.Tensor) -> torch.Tensor:
    """What is not known of designs, in squares of the output's deviation."""
    return (posterior_of(one, u_MD)[1] / one.scale) ** 2 - one.kernel.noise


def with_row(one: Conditioned, u_D: torch.Tensor) -> Conditioned:
    """The same given one more row, whose value does not matter."""
    x_ND, t_N = torch.cat([one.x_ND, u_D[None]]), torch.cat([one.t_N, torch.tensor([123.0])])
    return condition(one.kernel, x_ND, t_N, one.shift, one.scale)


def test_what_a_run_takes_away_is_what_the_process_loses_with_it() -> None:
    one, draw = process(), torch.Generator().manual_seed(0)
    u_MD = torch.rand((7, 2), generator=draw, dtype=torch.float64)
    place_RD = torch.rand((30, 2), generator=draw, dtype=torch.float64)
    weight_R = torch.rand(30, generator=draw, dtype=torch.float64)
    unsure = unsure_of(one, u_MD, place_RD, weight_R)
    before_R = variance(one, place_RD)
    slow = [((before_R - variance(with_row(one, u_D), place_RD)) * weight_R).sum() for u_D in u_MD]
    torch.testing.assert_close(unsure.gain(), torch.stack(slow), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(left_of(one, place_RD), before_R, rtol=1e-6, atol=1e-9)
    given = unsure_of(with_row(one, u_MD[2]), u_MD, place_RD, weight_R)
    torch.testing.assert_close(unsure.after(2).gain(), given.gain(), rtol=1e-5, atol=1e-9)


def test_each_design_is_picked_given_those_before_it() -> None:
    one, draw = process(), torch.Generator().manual_seed(1)
    u_MD = torch.rand((40, 2), generator=draw, dtype=torch.float64)
    place_RD = torch.rand((50, 2), generator=draw, dtype=torch.float64)
    weight_R, chance_M = torch.ones(50, dtype=torch.float64), torch.ones(40, dtype=torch.float64)
    unsure = unsure_of(one, u_MD, place_RD, weight_R)
    picks = least_sure([unsure], chance_M, 5)
    assert len(set(picks)) == 5
    now = one
    for pick in picks:
        gain_M = unsure_of(now, u_MD, place_RD, weight_R).gain()
        assert gain_M[pick] >= 0.999 * gain_M.max()
        now = with_row(now, u_MD[pick])
    chance_M[picks[0]] = 0.0  # its run would fail
    assert picks[0] not in least_sure([unsure], chance_M, 5)
    assert len(least_sure([unsure], chance_M, 99)) == 40


def test_outputs_count_by_their_own_spread() -> None:
    """Of two outputs, the one that is not known leads."""
    place = torch.eye(2, dtype=torch.float64)
    dull = Unsure(torch.cat([0.01 * place, 0.01 * place], 1), 1e-6, torch.ones(2).double())
    keen = dull._replace(covariance_MP=torch.cat([place, place.flip(0) * 0.5], 1))
    keen = keen._replace(weight_R=torch.tensor([0.0, 1.0], dtype=torch.float64))
    assert least_sure([dull, keen], torch.ones(2, dtype=torch.float64), 1) == [0]


def test_errors_of_near_rows_say_where_a_process_is_wrong() -> None:
    one = process()
    mean_N, deviation_N = leave_one_out_of(one)
    z_N = ((one.t_N - mean_N) / deviation_N).numpy()
    place_RD = torch.rand((20, 2), generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    length_D = one.kernel.length_D.numpy()
    for place_D, ratio in zip(place_RD.numpy(), wrong_by(one, place_RD).tolist(), strict=True):
        apart_N = (((one.x_ND.numpy() - place_D) / length_D) ** 2).sum(1)
        near = np.argsort(apart_N)[:NEAREST]
        assert np.isclose(ratio, (z_N[near] ** 2).mean() + FLOOR)
