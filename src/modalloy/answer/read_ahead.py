"""Reading what is needed next in a thread, while what was read before is worked on."""

from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 3  # batches that are read while one is worked on
Asked = TypeVar("Asked")
Found = TypeVar("Found")


def read_ahead(read: Callable[[Asked], Found], order: Iterable[Asked]) -> Iterator[Found]:
    """What `read` makes of what it is asked, in order; a thread reads the next few meanwhile.

    Where there is nothing after the first there is no thread.
    """
    if isinstance(order, Sized) and len(order) == 1:
        yield read(next(iter(order)))
        return
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting: list[Future[Found]] = []
        for asked in order:
            waiting.append(reader.submit(read, asked))
            if len(waiting) > AHEAD:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()
