"""How a search goes: who draws what is tried, who ends trials early, and the cost that counts."""

from typing import Literal, NamedTuple

Sampler = Literal["tpe", "gp", "nsga2", "bandit"]
Pruner = Literal["median", "hyperband", "none"]
Cost = Literal["latency", "size"]


class Manner(NamedTuple):
    """sampler: draws values. pruner: ends poor trials. against: the cost beside the score."""

    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    against: Cost | None = None


USUAL = Manner()
