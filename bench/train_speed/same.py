"""What both sides of the comparison share: batch, length of texts, size of pictures, epochs."""

from collections.abc import Callable, Iterator
from pathlib import Path

Done = tuple[int, float]  # rows trained, and seconds of the probe among those it took
Run = Callable[[Path], Iterator[Done]]  # yields once when everything is loaded, then what was done

BATCH = 32
MAX_TOKENS = 64
PIXELS = 160
FROZEN_EPOCHS = 10
PICTURE_EPOCHS = 2
