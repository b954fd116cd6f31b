"""The index of a served run's table, kept in the deployment and opened at the first search."""

import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from modalloy.serving.served_model import ServedModel

if TYPE_CHECKING:
    from modalloy.retrieval.searcher import Searcher

FOLDER = "index"


class Searchers:
    """Of each version that is served, while it is. live: the deployment's folder."""

    def __init__(self, live: Path) -> None:
        self.folder = live / FOLDER
        self._open: weakref.WeakKeyDictionary[ServedModel, Searcher] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def of(self, model: ServedModel) -> "Searcher":
        """The searcher of a version's own table; TableError where that is gone."""
        from modalloy.retrieval.searcher import Searcher  # torch, which bundles do without

        with self._lock:
            if model not in self._open:
                self.folder.mkdir(exist_ok=True)
                place = self.folder / model.version.digest[:12]
                self._open[model] = Searcher(model.predictor.run, folder=place)
            return self._open[model]
