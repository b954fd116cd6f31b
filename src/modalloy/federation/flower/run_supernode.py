"""The process of a SuperNode: Flower's own, which ends with the process that started it."""

import logging
import os

from modalloy.federation.flower import internals
from modalloy.federation.flower.children import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    try:
        internals.run_supernode()
    except Exception:
        # Flower's own threads would keep the process there, idle.
        logging.exception("the SuperNode has failed")
    os._exit(1)
