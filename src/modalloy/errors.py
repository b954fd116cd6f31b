"""What can go wrong because of what the user gave us; every message is one sentence for its reader.

ModalloyError
├── JobError     the job file: unknown option, wrong value, a column the table lacks
├── TableError   the table or its media: no such file, empty, unreadable, outside the folder
│   └── EmptyColumnError   a column without anything to learn from
├── LeakError    the split would let the model see its own answers
├── RunError     a run directory: missing, incomplete, changed since it was written
├── TwinError    a digital twin: its file, its simulator, its record of runs
├── BundleError  a bundle: damaged, changed, unsigned where a key is demanded, of a newer version
├── DesignError  what is asked of designs: an unknown output, another unit, contradictory constraints
└── RequestError a request to a served model: not its columns, too large, not allowed, too late
"""


class ModalloyError(Exception):
    """A mistake in what was given to Modalloy; its text says what was found and what to do."""


class JobError(ModalloyError):
    """The job file asks for something that does not exist or does not fit."""


class TableError(ModalloyError):
    """The table, a cell or a media file cannot be used as it is."""


class EmptyColumnError(TableError):
    """A column holds nothing in any of the rows that it is to be learned from."""


class LeakError(ModalloyError):
    """Rows or columns give the answer away across the split."""


class RunError(ModalloyError):
    """A run directory is missing, incomplete or was changed since it was written."""


class TwinError(ModalloyError):
    """A digital twin cannot be used as it is: its file, its simulator or its record of runs."""


class BundleError(ModalloyError):
    """A bundle cannot be written, or is damaged, changed, not trusted or of a newer version."""


class FederationError(ModalloyError):
    """Sites and their server cannot go on together."""


class DesignError(ModalloyError):
    """What is asked of designs cannot be: an unknown output, another unit, too few rows."""


class RequestError(ModalloyError):
    """A served model refuses a request. status: of HTTP; retry_s: when another try may succeed."""

    def __init__(self, text: str, status: int = 422, *, retry_s: float | None = None) -> None:
        super().__init__(text)
        self.status, self.retry_s = status, retry_s
