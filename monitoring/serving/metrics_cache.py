"""Keeps the last few texts of metrics, and makes new ones beside the threads that answer.

A text of thousands of samples takes some time to make. Who asks gets the new one if it is there
within a moment, else the one before; a scrape of what has not changed costs nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sealedbeam.monitoring.view import View

    Views = Mapping[str, View | None]

_KEPT = 4  # two formats, before and after a change
_MOMENT_SECONDS = 0.03


class MetricsCache:
    """Texts by the views that they show; each is made once, however many clients wait for it."""

    def __init__(self) -> None:
        """Make an empty cache."""
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(1, "metrics")
        self._texts: OrderedDict[tuple[object, ...], tuple[Views, Future[bytes]]] = OrderedDict()
        self._latest: dict[bool, bytes] = {}

    def get(self, views: Views, *, as_openmetrics: bool, render: Callable[[], bytes]) -> bytes:
        """Return the text that `render` makes of these very views, or the one before."""
        key = (as_openmetrics, *((name, id(view)) for name, view in views.items()))
        with self._lock:
            if key not in self._texts:
                # The views are kept with their text: until then no other can have their identity.
                self._texts[key] = (views, self._pool.submit(render))
            self._texts.move_to_end(key)
            while len(self._texts) > _KEPT:
                self._texts.popitem(last=False)
            text, before = self._texts[key][1], self._latest.get(as_openmetrics)
        try:
            latest = text.result(None if before is None else _MOMENT_SECONDS)
        except TimeoutError:
            assert before is not None, "only who has an older text does not wait"
            return before
        except BaseException:
            with self._lock:
                self._texts.pop(key, None)  # the next scrape tries again
            raise
        self._latest[as_openmetrics] = latest
        return latest

    def close(self) -> None:
        """Make no more texts."""
        self._pool.shutdown(wait=False, cancel_futures=True)
