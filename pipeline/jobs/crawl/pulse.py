"""What a fetch task tells while it runs: that it gets on, and how far it is."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.visitor import AnswerKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealedbeam.pipeline.crawl.visitor import Answer
    from sealedbeam.pipeline.jobs.recorder import Recorder

_TELL_SECONDS = 0.5
_OF_ADDRESSES = (AnswerKind.PAGE, AnswerKind.DENIED)


class Pulse:
    """Called with each answer, and without one when time has passed.

    Every call ticks, so that the driver sees that the task gets on. Figures are sent twice a second
    at most, and are those of this process: what a log brought from an earlier one is not in them.
    """

    def __init__(
        self,
        task: str,
        recorder: Recorder,
        send: Callable[..., None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tell of `task`: to a recorder that it gets on, and by `send` how far it is."""
        self._recorder = recorder
        self._send = send
        self._clock = clock
        self._task = task
        self._hosts: set[str] = set()
        self._figures = dict.fromkeys(("addresses", "pages", "failures", "bytes"), 0)
        self._told = dict(self._figures)
        self._told_seconds = clock()

    def __call__(self, answer: Answer | None = None) -> None:
        """Count an answer, if there is one, and tell what is new."""
        self._recorder.tick()
        if answer is not None:
            self._count(answer)
        if self._clock() - self._told_seconds >= _TELL_SECONDS:
            self.tell()

    def tell(self) -> None:
        """Send the figures, unless they were sent already."""
        self._told_seconds = self._clock()
        if self._told != self._figures:
            self._told = dict(self._figures)
            self._send(progress=self._task, hosts=len(self._hosts), **self._told)

    def _count(self, answer: Answer) -> None:
        exchange, figures = answer.exchange, self._figures
        self._hosts.add(answer.host)
        figures["bytes"] += len(exchange.body)
        if answer.kind in _OF_ADDRESSES:
            figures["addresses"] += 1
        if answer.kind is AnswerKind.PAGE:
            is_page = exchange.status == HTTPStatus.NOT_MODIFIED or (
                HTTPStatus.OK <= exchange.status < HTTPStatus.MULTIPLE_CHOICES
            )
            figures["pages"] += is_page
            figures["failures"] += not exchange.status or exchange.status >= HTTPStatus.BAD_REQUEST
