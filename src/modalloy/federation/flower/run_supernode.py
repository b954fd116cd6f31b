"""The process of a SuperNode: Flower's own, which ends with the process that started it."""

from modalloy.federation.flower import internals
from modalloy.federation.flower.children import end_with_parent

if __name__ == "__main__":
    end_with_parent()
    internals.run_supernode()
