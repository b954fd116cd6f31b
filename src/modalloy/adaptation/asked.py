"""What `adapt` is asked for: which weights learn, for how long, and how old rows stay known."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from modalloy.errors import RunError
from modalloy.job import config
from modalloy.job.options import did_you_mean

Old = Literal["kept", "outdated"]
METHODS: tuple[str, ...] = get_args(config.Adapts)
RANKED = ("lora", "rslora", "dora", "pissa", "adalora", "vera")
BUDGETED = ("lora", "rslora", "dora")
LAST_N = 2  # blocks of each encoder
REPLAYED = 0.8  # share of what is learned that old rows have, beside a window
UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
WINDOW = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*")


@dataclass(frozen=True)
class Asked:
    """What fine-tuning is asked for.

    method: which weights learn. name: of an adapter, which is kept beside the old weights; without
    one these are changed. rank: of what learns beside layers. budget_kb: of the adapter's file, by
    which ranks are shared out. last_n: blocks of each encoder that `last_n` lets learn. minutes: of
    the training. window: half-life of a row's weight, as in `30d`; a number without a unit where
    the times are numbers. time: the column that it goes by, else the job's. replay: share of what
    is learned that old training rows have; None takes .8 beside a window, else nothing. old: if old
    rows still hold beside a window, or are outdated: then none is replayed, and nothing is refused
    for what is lost on them. lost: points that old test rows may lose beside a window.
    """

    method: config.Adapts = "rslora"
    name: str | None = None
    rank: int | None = None
    budget_kb: float | None = None
    last_n: int = LAST_N
    minutes: float | None = None
    window: str | None = None
    time: str | None = None
    replay: float | None = None
    lost: float = 1.0
    old: Old = "kept"

    @property
    def keeps(self) -> bool:
        """Whether old rows say how far it goes: beside a window, where they still hold."""
        return self.window is not None and self.old == "kept"

    @property
    def aimed(self) -> float:
        """Points that old rows may lose which say so meanwhile: others may lose more than they."""
        return self.lost / 2

    def __post_init__(self) -> None:
        """RunError for values that none of this can mean."""
        if self.method not in METHODS:
            hint = did_you_mean(self.method, list(METHODS))
            raise RunError(
                f"method: '{self.method}' is no way to fine-tune.{hint} Take one of "
                f"{', '.join(METHODS)}."
            )
        if self.rank is not None and (self.rank < 1 or self.method not in RANKED):
            raise RunError(
                f"rank: {self.rank} is none that {self.method} can have; give 1 or more, to one of "
                f"{', '.join(RANKED)}."
            )
        if self.budget_kb is not None and (self.budget_kb <= 0 or self.method not in BUDGETED):
            raise RunError(
                f"budget_kb: {self.budget_kb:g} shares no ranks out under {self.method}; give more "
                f"than 0, with one of {', '.join(BUDGETED)}."
            )
        if self.name is not None and self.window is not None:
            raise RunError(
                "name: a window changes the weights themselves, as far as old rows allow, and "
                "leaves no adapter; leave --name out."
            )
        if self.last_n < 1:
            raise RunError(f"last_n: {self.last_n} is no number of blocks; give 1 or more.")
        if self.minutes is not None and not 0.0 < self.minutes < float("inf"):
            raise RunError(f"minutes: {self.minutes:g} is no time to learn in; give more than 0.")
        if self.replay is not None and not 0.0 <= self.replay < 1.0:
            raise RunError(f"replay: {self.replay:g} is no share from 0 to below 1.")
        self._refuse_old()
        if self.window is not None:
            half_life(self.window)
        elif self.time is not None:
            raise RunError("time: is the column that a window goes by; give --window too.")

    @property
    def replayed(self) -> float:
        """Share of what is learned that old rows have."""
        if self.replay is not None:
            return self.replay
        return REPLAYED if self.keeps else 0.0

    def _refuse_old(self) -> None:
        """RunError for old rows that are neither kept nor outdated, and where nothing asks."""
        if self.old not in get_args(Old):
            raise RunError(f"old: '{self.old}' is neither kept nor outdated.")
        if self.old == "outdated" and self.window is None:
            raise RunError(
                "old: without a window no old row is learned from and none is asked what it loses; "
                "give --window too, or leave --old out."
            )
        if self.old == "outdated" and self.replay:
            raise RunError("old: rows that are outdated are not replayed; leave --replay out.")


def half_life(window: str) -> float:
    """Seconds of a window such as `30d`, or the number where it has no unit; else RunError."""
    found = WINDOW.fullmatch(window)
    unit = found[2] if found else ""
    if found is None or (unit and unit not in UNITS_S) or float(found[1]) <= 0:
        raise RunError(
            f"window: '{window}' is no stretch of time; write 30d, 12h, 2w or 90min, or a plain "
            "number where the times of the table are numbers."
        )
    return float(found[1]) * UNITS_S.get(unit, 1.0)


def refuse_mixed(asked: Asked, *, without_labels: bool, tent: bool, canary: bool) -> None:
    """RunError where an option is given that the other way of adapting has no use for."""
    if not without_labels:
        given = [n for n, there in {"tent": tent, "canary": canary}.items() if there]
        if given:
            raise RunError(
                f"{given[0]}: is for adapting without labels; give --without-labels, or leave it."
            )
        return
    plain = Asked()
    names = ("method", "name", "rank", "budget_kb", "last_n", "minutes")
    names += ("window", "time", "replay", "old")
    given = [n for n in names if getattr(asked, n) != getattr(plain, n)]
    if given:
        raise RunError(f"{given[0]}: is for labelled rows, and nothing is fitted without labels.")
