"""Runs of designs in a search's folder: recorded as they end, and never run again."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from modalloy.machine.progress import Bar
from modalloy.twin.journal import Header, Journal, Recorded
from modalloy.twin.pool import Pool
from modalloy.twin.runs import Outcome, Task
from modalloy.twin.twin import Twin
from modalloy.twin.simulate_run import drawn_hidden, expected_of, header_of, pooled, seed_of_run
