"""What of a row's summary leaves a site: cut to a length, with noise, and what that protects.

Noise hides a single release of a row from whoever sees it, for weights as they stand. Weights learn
from rows, too, and every pass releases each row again: of a whole training no privacy is claimed.
"""

import math
import secrets
from collections.abc import Mapping

import torch
from torch import Tensor

from modalloy.job.matched import Matched
from modalloy.readers.vector import LARGEST

DELTA = 1e-5


class Release:
    """Summaries on their way out of a site.

    seed: of the noise; drawn from the machine where it is left out, since who knows it can take the
    noise away.
    """

    def __init__(self, options: Matched, seed: int | None = None) -> None:
        self.clip, self.noise = options.clip, options.noise
        self.generator = torch.Generator()
        self.generator.manual_seed(secrets.randbits(62) if seed is None else seed)

    def __call__(self, summaries: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Summaries (B, D) by input, of which no row's together are longer than the clip before
        noise is added, and no number is beyond +-10, where readers of vectors cut."""
        found = dict(summaries)
        if self.clip is not None and found:
            squares_B = torch.stack([z.square().sum(1) for z in found.values()]).sum(0)
            short_B1 = (self.clip / squares_B.clamp_min(1e-12).sqrt()).clamp_max(1.0)[:, None]
            found = {name: z * short_B1 for name, z in found.items()}
        if self.noise and self.clip is not None:
            spread = self.noise * self.clip
            found = {n: z + spread * self.drawn(z) for n, z in found.items()}
        return {name: z.clamp(-LARGEST, LARGEST) for name, z in found.items()}

    def drawn(self, like_BD: Tensor) -> Tensor:
        """Standard normal numbers, (B, D)."""
        return torch.randn(like_BD.shape, generator=self.generator).to(like_BD.device)


def epsilon(noise: float, delta: float = DELTA) -> float:
    """Of one release of one row, cells replaced by any others: the least epsilon at this delta.

    Two summaries of at most the clip's length are at most two of it apart; by the exact curve of
    the Gaussian mechanism (Balle & Wang 2018, 1805.06530, theorem 8). Infinite without noise.
    """
    if noise <= 0.0:
        return math.inf
    apart = 2.0 / noise

    def beyond(found: float) -> bool:
        near = normal(apart / 2 - found / apart)
        far = normal(-apart / 2 - found / apart)
        return near - (math.exp(found) * far if far > 0 else 0.0) > delta

    low, high = 0.0, 1.0
    if not beyond(low):
        return 0.0
    while beyond(high):
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if beyond(middle) else (low, middle)
    return high


def normal(x: float) -> float:
    """The chance that a standard normal number is below x."""
    return math.erfc(-x / math.sqrt(2)) / 2


def say_release(options: Matched) -> str:
    """What noise protects, in a sentence."""
    if not options.noise:
        return (
            "summaries of rows travelled without noise: who sees them may guess at cells, and no "
            "privacy is claimed"
        )
    return (
        f"each release of a row's summary has noise: with weights as they stand, one of them is "
        f"({epsilon(options.noise):.3g}, {DELTA:g})-differentially private in what the row's cells "
        "hold, not in whether they are empty; of all releases of a training together none is "
        "claimed"
    )
