"""Rows a step, passes, looks at validation rows and folds, where a job leaves them to the rows.

Few rows are gone through more often and in smaller batches, or a training would end after a few
dozen steps; large plain tables go in larger batches, whose steps hardly cost more.
"""

import math
from typing import NamedTuple

from modalloy.job import config
from modalloy.job.inputs import inputs

PASSES = 20  # of `epochs: auto`, unless few rows need more steps
TUNED_PASSES = 6  # of the part in which pretrained encoders learn, once all else has learned
LOOK = 25  # steps between two looks at validation rows, at least
LOOKS = 20  # of a training as short as that they come closer together
BATCHES = 8  # of a pass, about, where rows are few
SMALLEST, USUAL, LARGEST = 4, 32, 256  # rows a step
MANY = 320  # steps of a pass from which batches of a plain table grow
FOLDS = 5  # of `folds: auto`, where it takes any
FEW = 40  # validation rows that are too few to stop by, and to weigh a blend by
FEW_PLAIN = 150  # of a plain table, whose trainings are short
SAMPLES = 2_000_000  # of all series of a column together, up to which folds cost little


class Course(NamedTuple):
    """The way of a training, by its number of rows.

    batch: rows a step. per_epoch: steps of one pass. epochs: passes at most. look_every: passes
    from one look at validation rows to the next.
    """

    batch: int
    per_epoch: int
    epochs: int
    look_every: int

    @property
    def steps(self) -> int:
        """Steps of all passes."""
        return self.per_epoch * self.epochs


def course(job: config.Job, rows: int, *, tuned: bool = False) -> Course:
    """What a job asks for, with what it leaves to the number of training rows.

    tuned: of the part of a training that goes on from frozen encoders.
    """
    batch = rows_a_step(job, rows)
    per_epoch = steps_a_pass(rows, batch)
    epochs = job.train.epochs
    if epochs == "auto":
        passes = TUNED_PASSES if tuned else PASSES
        epochs = max(passes, math.ceil(job.train.least_steps / max(1, per_epoch)))
    look = min(LOOK, per_epoch * epochs / LOOKS)
    return Course(batch, per_epoch, epochs, max(1, math.ceil(look / max(1, per_epoch))))


def rows_a_step(job: config.Job, rows: int) -> int:
    """The batch of a job, over all processes together; where it is `auto`, a power of two."""
    if job.train.batch != "auto":
        return job.train.batch
    fitting = min(USUAL, max(SMALLEST, power_of_two(rows / BATCHES)))
    return min(LARGEST, max(fitting, power_of_two(rows / MANY))) if plain(job) else fitting


def plain(job: config.Job) -> bool:
    """Whether every input is a number, a category or a time."""
    return all(isinstance(options, config.Tabular) for options in inputs(job).values())


def folds(job: config.Job, training: int, validation: int) -> int:
    """Folds of a training with so many rows of each use; 0 where validation rows alone tell.

    `auto` takes folds where that costs seconds, by what the columns are: never by a clock.
    """
    if job.train.folds != "auto":
        return min(job.train.folds, training + validation) if validation else 0
    train = job.train
    asked = train.epochs == "auto" and train.patience > 0 and train.start is None
    timed = train.minutes is not None or job.split.time is not None
    whole = not any(task.works_on for task in job.tasks.values())  # one answer a row
    few = 0 < validation < (FEW_PLAIN if plain(job) else FEW)
    few = few and training + validation >= 2 * FOLDS
    light = all(costs_little(o, training + validation) for o in inputs(job).values())
    return FOLDS if asked and not timed and whole and few and light else 0


def costs_little(options: config.Column, rows: int) -> bool:
    """Whether several trainings on a few hundred rows of a column take seconds, not minutes."""
    match options:
        case config.Audio() if options.resonances:
            return True
        case config.Image() | config.Audio():
            return options.encoder != "scratch" and options.tune == "frozen"
        case config.Text() | config.Series() if options.encoder != "scratch":
            return options.tune == "frozen"
        case config.Series():
            return rows * options.length <= SAMPLES
        case _:
            return True


def steps_a_pass(rows: int, batch: int) -> int:
    """Batches that some rows make; one row that is left over goes with the batch before it."""
    whole, left = divmod(rows, batch)
    alone = (left or batch) == 1 and rows > batch
    return whole + (left > 0) - alone


def power_of_two(number: float) -> int:
    """The nearest power of two, by the logarithm; at least 1."""
    return 2 ** max(0, round(math.log2(max(1.0, number))))
