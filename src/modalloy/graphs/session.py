"""A graph that is ready to run, whoever runs it."""

from abc import ABC, abstractmethod

from modalloy.readers.batch import Arrays


class Session(ABC):
    """Any number of threads may run it at once. inputs: names of the arrays that it takes. device:
    the kind that it was opened on.
    """

    inputs: tuple[str, ...]
    device: str = "cpu"

    @abstractmethod
    def run(self, values: Arrays) -> Arrays:
        """Outputs by name, rows first; of `values` it takes those that it knows."""
