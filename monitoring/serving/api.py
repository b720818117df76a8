"""What `serve` answers: a function from request to response, without sockets.

Every response but the page and its files is made of what the jobs' folders say. A job that cannot
be read is an error of its own (409) and none of the others'; what is not there yet is 503.
"""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.monitoring.job_collector import JobCollector
from sealedbeam.pipeline.errors import SealedBeamError, UsageError

from .exposition import CONTENT_TYPES, DamagedCollector, render_metrics, wants_openmetrics
from .http_values import (
    HTML_TYPE,
    REPORT_POLICY,
    Query,
    Request,
    RequestError,
    Response,
    respond,
    respond_json,
)
from .job_json import describe_job, describe_timeline, list_job
from .jobs_folder import ITSELF, read_own
from .live_jobs import FINISHED, NotReadYetError, UnknownJobError
from .metrics_cache import MetricsCache
from .replay import alarms_until
from .static_files import INDEX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.monitoring.view import View

    from .live_jobs import Derived, LiveJobs, Snapshot
    from .replay import ReplayClock
    from .static_files import StaticFile

LOCAL_NAME = "localhost"
_METHODS = ("GET", "HEAD")
_ROWS, _ROWS_MAX = 50, 500
_BYTES, _BYTES_MAX = 4096, 1 << 16
_NUMBER_MAX = (1 << 53) - 1  # the largest that a browser counts to
_REPORT_BYTES_MAX = 64 << 20
_PATIENCE_SECONDS = 8.0  # for a first reading: less than a scrape may take
_LIST_SECONDS = 2.0
_STATIC = "/static/"


class _Readable(NamedTuple):
    """A job that could be read."""

    job: Snapshot
    view: View
    derived: Derived


class Api:
    """Answers requests; threads may ask at once."""

    def __init__(
        self,
        jobs: LiveJobs,
        files: Mapping[str, StaticFile],
        hosts: frozenset[str] = frozenset(),
        replay: ReplayClock | None = None,
    ) -> None:
        """Answer with what `jobs` say.

        Args:
            jobs: of the folder.
            files: of the page.
            hosts: names and addresses beside this machine's own by which clients may call it.
            replay: the clock on which finished jobs with a scenario are shown.
        """
        self._jobs, self._files, self._hosts, self._replay = jobs, files, hosts, replay
        self._metrics = MetricsCache()
        self._routes = {
            "/": self._page,
            "/healthz": self._health,
            "/metrics": self._scrape,
            "/report": self._report,
            "/api/jobs": self._list_jobs,
            "/api/job": self._job,
            "/api/timeline": self._timeline,
            "/api/quarantine": self._quarantine,
            "/api/quarantine/bytes": self._bytes,
        }

    def close(self) -> None:
        """Answer no more."""
        self._metrics.close()

    def answer(self, request: Request) -> Response:
        """Return the response to a request."""
        try:
            return self._answer(request)
        except RequestError as error:
            return error.to_response()
        except UnknownJobError:
            return RequestError(404, "there is no such job; see /api/jobs").to_response()
        except NotReadYetError:
            message = "the job is being read; ask again"
            return RequestError(503, message, Retry_After="1").to_response()
        except UsageError as error:
            return RequestError(400, str(error)).to_response()
        except SealedBeamError as error:
            return RequestError(409, str(error)).to_response()

    def _answer(self, request: Request) -> Response:
        if request.method not in _METHODS:
            raise RequestError(405, "only GET and HEAD are answered", Allow=", ".join(_METHODS))
        if not is_allowed_host(request.host, self._hosts):
            raise RequestError(400, "this Host is not served; see sealedbeam serve --allow-host")
        if request.path.startswith(_STATIC):
            return self._send_file(request.path.removeprefix(_STATIC), request)
        route = self._routes.get(request.path)
        if route is None:
            raise RequestError(404, "nothing is served here; see /")
        return route(request)

    def _page(self, request: Request) -> Response:
        return self._send_file(INDEX, request)

    def _send_file(self, name: str, request: Request) -> Response:
        file = self._files.get(name)
        if file is None:
            raise RequestError(404, "the page has no such file")
        headers = {"ETag": file.etag, "Cache-Control": "no-cache"}
        if file.etag in request.if_none_match:
            return Response(304, b"", file.content_type, headers)
        return Response(200, file.data, file.content_type, headers)

    def _health(self, _: Request) -> Response:
        return respond(b"ok\n", "text/plain; charset=utf-8")

    def _scrape(self, request: Request) -> Response:
        names = self._jobs.names()
        labelled = names != [ITSELF]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        jobs = [self._jobs.get(name, deadline - time.monotonic()) for name in names]
        if not labelled and jobs[0].view is None:
            raise RequestError(503, jobs[0].error)  # a scrape that fails is seen, an empty one not
        views = {job.name: self._view_now(job) for job in jobs}
        as_openmetrics = wants_openmetrics(request.accept)

        def render() -> bytes:
            collectors = {
                name: DamagedCollector() if view is None else JobCollector(view)
                for name, view in views.items()
            }
            return render_metrics(collectors, labelled=labelled, as_openmetrics=as_openmetrics)

        body = self._metrics.get(views, as_openmetrics=as_openmetrics, render=render)
        return respond(body, CONTENT_TYPES[as_openmetrics])

    def _view_now(self, job: Snapshot) -> View | None:
        """Return a job's view, in a replay as it was at this instant."""
        clock = self._clock_of(job)
        if clock is None or job.derived is None:
            return job.view
        return job.derived.view_at(clock.now_seconds(job.derived.duration_seconds))

    def _clock_of(self, job: Snapshot) -> ReplayClock | None:
        """Return the replay's clock for a finished job that took simulated time."""
        has_time = job.derived is not None and job.derived.duration_seconds > 0
        return self._replay if has_time and job.status in FINISHED else None

    def _list_jobs(self, _: Request) -> Response:
        deadline = time.monotonic() + _LIST_SECONDS
        lines = [self._line(name, deadline) for name in self._jobs.names()]
        return respond_json({"jobs": lines})

    def _line(self, name: str, deadline: float) -> dict[str, object]:
        try:
            return list_job(name, self._jobs.get(name, deadline - time.monotonic()))
        except (NotReadYetError, UnknownJobError):
            return list_job(name, None)

    def _readable(self, query: Query) -> _Readable:
        """Return the job that a request names."""
        name = query.text("name")
        if name is None and self._jobs.names() != [ITSELF]:
            raise RequestError(400, "the parameter name is missing; see /api/jobs")
        job = self._jobs.get(ITSELF if name is None else name, _PATIENCE_SECONDS)
        if job.view is None or job.derived is None:
            raise RequestError(409, job.error)
        return _Readable(job, job.view, job.derived)

    def _job(self, request: Request) -> Response:
        return respond_json(describe_job(*self._readable(Query(request.query))[:2]))

    def _timeline(self, request: Request) -> Response:
        query = Query(request.query)
        job, _, derived = self._readable(query)
        timeline, clock = derived.timeline, self._clock_of(job)
        duration = float(timeline.window_seconds * timeline.windows)
        until = query.seconds("until")
        if until is None:
            until = duration if clock is None else clock.now_seconds(duration)
        now = min(until, duration)
        alarms = alarms_until(derived.alarms, now)
        pace = clock.pace if clock is not None else None
        return respond_json(describe_timeline(timeline, alarms, now, pace))

    def _quarantine(self, request: Request) -> Response:
        query = Query(request.query)
        offset = query.whole("offset", 0, _NUMBER_MAX)
        limit = query.whole("limit", _ROWS, _ROWS_MAX)
        rows = self._readable(query).derived.quarantine
        return respond_json({"total": rows.total, "rows": rows.list_rows(offset, limit)})

    def _bytes(self, request: Request) -> Response:
        query = Query(request.query)
        if query.text("row") is None:
            raise RequestError(400, "the parameter row is missing; see /api/quarantine")
        row = query.whole("row", 0, _NUMBER_MAX)
        offset = query.whole("offset", 0, _NUMBER_MAX)
        limit = query.whole("limit", _BYTES, _BYTES_MAX)
        found = self._readable(query).derived.quarantine.read_bytes(row, offset, limit)
        if found is None:
            raise RequestError(404, "there is no such row; see /api/quarantine")
        told = {"row": row, "total_bytes": found.total_bytes, "offset": offset}
        return respond_json({**told, "hex": found.piece.hex()})

    def _report(self, request: Request) -> Response:
        job = self._readable(Query(request.query)).job
        page = read_own(job.root, "report.html", _REPORT_BYTES_MAX)
        if page is None:
            raise RequestError(404, "the job has no report yet; it is written when it ends")
        return respond(page, HTML_TYPE, Content_Security_Policy=REPORT_POLICY)


def is_allowed_host(host: str, allowed: frozenset[str]) -> bool:
    """Whether a Host header names this machine itself, or what is `allowed`; any port is good.

    A page of another site that makes its own name lead here still sends that name.
    """
    name, bracket, port = host.rpartition("]")
    if bracket:
        name, port = name.removeprefix("["), port.removeprefix(":")
    else:
        name, _, port = host.partition(":")
    if port and not (port.isascii() and port.isdigit()):
        return False
    name = name.lower().removesuffix(".")
    if name == LOCAL_NAME or name in allowed:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
