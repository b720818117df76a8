"""Does something with each of many files, in threads: where one waits for the disk, others work."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .pace import Pace

Item = TypeVar("Item")
Result = TypeVar("Result")


def each_in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int, pace: Pace
) -> Iterator[Result]:
    """Yield the result for each item, as they come; the first error ends all of it."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pace.halt()
            pool.shutdown(cancel_futures=True)
            raise
