"""Which candidate stands for each graph: on the Pareto front, by what the profile asks for."""

from collections.abc import Sequence

from modalloy.deploy.contract import Profile
from modalloy.deploy.tried import Tried


def ranked(found: Sequence[Tried], profile: Profile) -> list[Tried]:
    """Candidates that passed and are not slower than the reference, the best for the profile first.

    latency, exact: the least time for one row; throughput: most rows a second; size: the fewest
    bytes, with those that have to travel along for other machines. Of those alike, decisions that
    stay the same count. Those that another one beats in everything come last: they are there to
    fall back on.
    """
    fit = [t for t in found if t.verdict == "passed"]
    front = pareto(fit)
    plain = [t.megabytes for t in found if t.candidate and t.candidate.precision == "f32"]
    beside = max(plain, default=0.0)
    behind = [t for t in fit if not any(t is one for one in front)]

    def order(tried: Tried) -> tuple[float, ...]:
        return weight(tried, profile, beside)

    return [*sorted(front, key=order), *sorted(behind, key=order)]


def alone(tried: Tried, *, small: bool) -> bool:
    """Whether a graph needs no other one beside it for machines that compute it otherwise.

    small: weights in half precision are as good as any there.
    """
    one = tried.candidate
    if one.precision == "f32" and one.engine == "onnxruntime":
        return True
    return small and one.precision in ("f32", "f16", "bf16")


def weight(tried: Tried, profile: Profile, beside: float) -> tuple[float, ...]:
    """What a profile weighs, less is better. beside: megabytes of float32, which travels along."""
    assert tried.speed is not None, "what passed was timed"
    alike = -(tried.judged.least_agreement if tried.judged else 1.0)
    match profile:
        case "throughput":
            return (-tried.speed.many.value, alike)
        case "size":
            own = 0.0 if alone(tried, small=True) else beside
            return (tried.megabytes + own, -tried.speed.one.value)
        case _:
            return (-tried.speed.one.value, alike)


def slower(tried: Tried, profile: Profile) -> str:
    """In which batch a candidate is slower than the reference, empty where it is not.

    Where single rows or many count, those do; for size and exactness both.
    """
    assert tried.speed is not None, "it was timed"
    checks = {"one row": tried.speed.one.value, "16 rows": tried.speed.many.value}
    counted = {"latency": ["one row"], "throughput": ["16 rows"]}.get(profile, list(checks))
    for name in counted:
        if checks[name] < 1.0:
            return f"x{checks[name]:.2f} of the reference's speed with {name}"
    return ""


def pareto(found: Sequence[Tried]) -> list[Tried]:
    """Those that no other one beats in speed of one row and of many, bytes, and decisions kept."""
    return [
        one
        for one in found
        if not any(dominates(goods(other), goods(one)) for other in found if other is not one)
    ]


def goods(tried: Tried) -> tuple[float, ...]:
    """What more of is better."""
    assert tried.speed is not None, "it was timed"
    alike = tried.judged.least_agreement if tried.judged else 1.0
    return (tried.speed.one.value, tried.speed.many.value, -tried.megabytes, alike)


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether the first is as good in everything and better in something."""
    return one != other and all(a >= b for a, b in zip(one, other, strict=True))
