"""How large a bundle and its parts may be."""

from collections.abc import Mapping

from modalloy.errors import BundleError

LARGEST = 4 << 30  # bytes of one part, unpacked
TOTAL = 16 << 30  # of all; a zip file ends at 4 GiB by its form


def refuse_sizes(sizes: Mapping[str, int], where: str) -> None:
    """BundleError for a part that is too large (sizes in bytes), and for too much in all."""
    for name, size in sizes.items():
        if size > LARGEST:
            raise BundleError(
                f"{where}: '{name}' has {size} bytes; a part of a bundle has at most {LARGEST}."
            )
    total = sum(sizes.values())
    if total > TOTAL:
        raise BundleError(f"{where}: holds {total} bytes; a bundle holds at most {TOTAL}.")
