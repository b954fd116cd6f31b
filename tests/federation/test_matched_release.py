"""What of a summary leaves a site: its length, its noise, and the privacy of one release."""

import math

import numpy as np
import pytest
import torch

from matched_sites import job_of
from modalloy.errors import JobError
from modalloy.federation.matched.release import Release, epsilon
from modalloy.job.matched import Matched


def summaries(rows: int = 500) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(3)
    return {n: 2 * torch.randn(rows, 8, generator=draw) for n in ("table", "wave")}


def lengths(found: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(found.values()), 1).norm(dim=1)


def test_no_row_is_longer_than_the_clip_all_inputs_together() -> None:
    made, cut = summaries(), Release(Matched(by="part", clip=3.0))(summaries())
    assert lengths(made).max() > 3.0
    assert lengths(cut).max() <= 3.0 + 1e-5
    short = {n: 0.1 * z for n, z in made.items()}
    kept = Release(Matched(by="part", clip=3.0))(short)
    assert all(torch.equal(kept[n], short[n]) for n in short)


def test_a_clipped_summary_keeps_its_gradient() -> None:
    z = {n: x.requires_grad_() for n, x in summaries(4).items()}
    Release(Matched(by="part", clip=3.0))(z)["wave"].sum().backward()
    assert z["wave"].grad is not None
    assert z["wave"].grad.abs().sum() > 0


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    quiet = Release(Matched(by="part", clip=1.0))(summaries(4000))
    loud = Release(Matched(by="part", clip=1.0, noise=0.5), seed=1)(summaries(4000))
    apart = torch.cat([loud[n] - quiet[n] for n in quiet], 1)
    assert apart.std().item() == pytest.approx(0.5, rel=0.02)
    assert apart.mean().item() == pytest.approx(0.0, abs=0.02)


def test_noise_cannot_be_told_from_what_sites_share() -> None:
    options = Matched(by="part", clip=1.0, noise=0.5)
    one, other = Release(options)(summaries(4)), Release(options)(summaries(4))
    assert not torch.equal(one["wave"], other["wave"])


def test_what_leaves_is_within_what_vectors_are_read_by() -> None:
    found = Release(Matched(by="part"))({"table": torch.full((2, 3), 40.0)})
    assert found["table"].max() == 10.0


@pytest.mark.parametrize("noise", [0.5, 1.0, 4.0, 20.0])
def test_epsilon_is_where_the_two_bells_are_delta_apart(noise: float) -> None:
    """Oracle: delta = integral of max(0, p - exp(epsilon) q), summed on a fine grid."""
    found = epsilon(noise, 1e-5)
    x = np.linspace(-60, 60, 2_000_001)
    p = np.exp(-((x - 2.0 / noise) ** 2) / 2) / math.sqrt(2 * math.pi)
    q = np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)
    apart = np.maximum(0.0, p - math.exp(found) * q).sum() * (x[1] - x[0])
    assert apart == pytest.approx(1e-5, rel=1e-3)


def test_more_noise_protects_more_and_none_not_at_all() -> None:
    assert epsilon(0.0) == math.inf
    assert epsilon(1.0) > epsilon(2.0) > epsilon(10.0) > 0.0


def test_noise_without_a_length_is_refused() -> None:
    with pytest.raises(JobError, match="noise is in units of clip"):
        job_of(noise=1.0)
