"""How much time a search may take in all, and how much of it one build."""

import time

BUILD_S = 180.0  # of one build, where nothing was said
BUILD_BYTES = 6_000_000_000


class Budget:
    """minutes: of everything; None for as long as the usual candidates take."""

    def __init__(self, minutes: float | None) -> None:
        self.last = None if minutes is None else time.monotonic() + 60.0 * minutes

    def left(self) -> float:
        """Seconds."""
        return float("inf") if self.last is None else self.last - time.monotonic()

    def over(self) -> bool:
        """Whether nothing more is to be begun."""
        return self.left() <= 0.0

    def build_s(self) -> float:
        """Seconds that one build may take now."""
        return max(1.0, min(BUILD_S, self.left()))
