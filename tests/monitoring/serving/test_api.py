from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from sealedbeam.monitoring.serving.api import is_allowed_host
from sealedbeam.monitoring.serving.static_files import load_files
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.ledger import Outcome

from tests.support.serving import (
    OPENMETRICS,
    RECORDS,
    Client,
    FixedReader,
    client_of,
    make_marker,
    make_view,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Readers = dict[str, FixedReader]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two jobs."""
    for name in ("one", "deep/cells/two"):
        make_marker(tmp_path / name)
    return tmp_path


@pytest.fixture
def readers() -> Readers:
    return {"one": FixedReader(), "two": FixedReader()}


@pytest.fixture
def client(folder: Path, readers: Readers) -> Iterator[Client]:
    """Return a client of a folder with two jobs."""
    with client_of(folder, lambda root: readers[root.name]) as found:
        yield found


@pytest.fixture
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of a folder that is a job itself."""
    folder = tmp_path_factory.mktemp("single")
    make_marker(folder)
    with client_of(folder, lambda _: FixedReader()) as found:
        yield found


def test_jobs_are_listed_by_their_place(client: Client) -> None:
    """A job's name is its path in the folder; the list says what and how each is."""
    listed = client.json("/api/jobs")["jobs"]
    assert [job["name"] for job in listed] == ["deep/cells/two", "one"]
    assert listed[1] == {
        "name": "one",
        "status": "complete",
        "scenario": "a scenario",
        "protection": "correct",
        "command": "sealedbeam index",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../one", "one/", "/one", "one/..", "./one", "deep", "deep/cells", ".", ""),
        *("one%00", "one%00/x", "%2e%2e", "..%2fone", "link", "one/ledger", "deep/../one"),
        *("/etc/passwd", "....//one", "one\\..", "%ff", "x" * 5000),
    ],
)
@pytest.mark.parametrize("path", ["/api/job", "/api/timeline", "/api/quarantine", "/report"])
def test_no_other_name_is_a_job(client: Client, folder: Path, path: str, name: str) -> None:
    """Only the listed names are taken, letter by letter; all others are not found."""
    (folder / "link").symlink_to(folder / "one")
    assert client.error(path, f"name={name}") == (404, "there is no such job; see /api/jobs")


def test_name_may_be_left_out_of_a_single_job(single: Client, client: Client) -> None:
    """A folder that is a job needs no name; one of jobs does."""
    assert single.json("/api/job")["name"] == "."
    assert single.json("/api/job", "name=.")["name"] == "."
    assert client.error("/api/job") == (400, "the parameter name is missing; see /api/jobs")


def test_job_is_told_with_its_ledger(single: Client) -> None:
    """Sums by hop, by method and by reason are those of the ledger, next to what the job was."""
    told, view = single.json("/api/job"), make_view()
    totals = {hop: account.total() for hop, account in view.hops.items()}
    assert told["hops"] == {
        hop: {"records": cell.records} | {str(o): getattr(cell, o) for o in Outcome}
        for hop, cell in totals.items()
    }
    assert told["corrected_bits"] == {"seal": 1, "syndrome": 7}
    assert told["dropped_reasons"] == {"a_new_reason": 2, "bad_seal": 1}
    assert told["ledger"] == {"verdict": "balanced", "imbalance_records": 0, "findings": []}
    assert told["scenario"]["clusters"][0]["latitude"] == 53.35
    assert told["truth"] == {"injected": 0, "escaped": 0}


def test_text_of_pages_is_harmless(tmp_path: Path) -> None:
    """Markup, terminal escapes and what turns text round reach nobody as such."""
    make_marker(tmp_path)
    hostile = "<script>alert(1)</script>\x1b[31m\u202e&\x7f"
    view = make_view(command=hostile, inputs=((hostile, 1),), findings=(hostile,))
    with client_of(tmp_path, lambda _: FixedReader(view)) as client:
        response = client.get("/api/job")
    text = response.body.decode("ascii")
    assert not set(text) & set("<>&\x1b\x7f")
    told = json.loads(text)
    assert told["command"] == "<script>alert(1)</script>\ufffd[31m\ufffd&\ufffd"
    assert response.content_type == "application/json"


def test_metrics_of_one_job_are_plain(single: Client) -> None:
    """The numbers of a job's scrape are those of its ledger, in both formats."""
    for samples in (single.samples(), single.samples(accept=OPENMETRICS)):
        view = make_view()
        for hop, account in view.hops.items():
            for outcome in Outcome:
                told = [
                    n
                    for key, n in samples.items()
                    if key[0] == RECORDS and f"hop={hop}" in key and f"outcome={outcome}" in key
                ]
                assert sum(told) == getattr(account.total(), outcome)


def test_metrics_of_many_jobs_bear_their_names(client: Client, single: Client) -> None:
    """Each job's samples are those that it has alone, and one label more."""
    alone, together = single.samples(), client.samples()
    for name in ("one", "deep/cells/two"):
        mine = {
            tuple(word for word in key if not word.startswith("job_name=")): number
            for key, number in together.items()
            if f"job_name={name}" in key
        }
        assert mine == alone
    assert len(together) == 2 * len(alone)


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        (OPENMETRICS, True),
        (f"text/plain;q=0.5,{OPENMETRICS};q=0.8", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=nonsense", True),
        (";;;,,,=", False),
    ],
)
def test_format_follows_the_accept_header(
    single: Client, accept: str, *, is_openmetrics: bool
) -> None:
    """OpenMetrics for who asks for it, and Prometheus' own text for all others."""
    response = single.get("/metrics", accept=accept)
    expected = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert (response.content_type == expected) == is_openmetrics
    assert response.body.endswith(b"# EOF\n") == is_openmetrics


def test_damaged_job_leaves_the_others_alone(client: Client, readers: Readers) -> None:
    """It says that it is damaged, in words without this machine's folders; the others are shown."""
    readers["two"].error = IntegrityError("ledger/job.json is damaged")
    statuses = {job["name"]: job["status"] for job in client.json("/api/jobs")["jobs"]}
    assert statuses == {"one": "complete", "deep/cells/two": "damaged"}
    assert client.error("/api/job", "name=deep/cells/two") == (409, "ledger/job.json is damaged")
    assert client.json("/api/job", "name=one")["status"] == "complete"
    samples = client.samples()
    told = [key for key in samples if "job_name=deep/cells/two" in key]
    assert [key[0] for key in told] == ["sealedbeam_run_info"]
    assert "status=damaged" in told[0]


def test_scrape_of_a_damaged_job_fails(tmp_path: Path) -> None:
    """Alone in its folder it answers a scrape with an error, so that who watches notices."""
    make_marker(tmp_path)
    reader = FixedReader(error=IntegrityError(f"{tmp_path}/ledger is damaged"))
    with client_of(tmp_path, lambda _: reader) as client:
        assert client.error("/metrics") == (503, "ledger is damaged")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "x"])
def test_only_reading_is_allowed(client: Client, method: str) -> None:
    """Whatever would change anything is refused, everywhere."""
    for path in ("/", "/metrics", "/api/jobs", "/nowhere"):
        response = client.get(path, method=method)
        assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("host", "is_allowed"),
    [
        *((name, True) for name in ("localhost", "LOCALHOST:80", "127.0.0.1:8417", "127.9.9.9")),
        *((name, True) for name in ("[::1]:8417", "[::1]", "localhost.", "indexer.example:80")),
        *((name, False) for name in ("", "evil.example", "evil.example:8417", "10.0.0.1", "[::2]")),
        *((name, False) for name in ("localhost.evil.example", "127.0.0.1.nip.io", "localhost@x")),
        *((name, False) for name in ("localhost, evil", "localhost:80:80", "[::1", "::1]x", "0")),
        *((name, False) for name in ("localhost:x", "[::1]x", "localhost/", "127.1", "\x00")),
    ],
)
def test_host_must_be_this_machine(host: str, *, is_allowed: bool) -> None:
    """A page whose name was made to lead here still sends its own name."""
    assert is_allowed_host(host, frozenset({"indexer.example"})) == is_allowed


def test_wrong_host_gets_nothing(client: Client) -> None:
    """Not even the page is given to a name that is not served."""
    for path in ("/", "/static/index.html", "/metrics", "/healthz", "/api/jobs"):
        assert client.get(path, host="evil.example").status == 400


def test_every_response_forbids_what_it_can(client: Client) -> None:
    """No framing, no guessing of types, no scripts but the page's files; errors included."""
    for path in ("/", "/metrics", "/healthz", "/api/jobs", "/nowhere", "/static/x", "/report"):
        headers = client.get(path).all_headers()
        policy = headers["Content-Security-Policy"]
        scripts = re.search("script-src ([^;]*)", policy)
        assert scripts is None or scripts.group(1) == "'self'"
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert not any(name.startswith("Access-Control") for name in headers)


def test_report_is_a_page_without_rights(client: Client, folder: Path) -> None:
    """It may have its style and nothing else; a link is no report."""
    assert client.error("/report", "name=one")[0] == 404
    (folder / "outside.html").write_text("secret")
    (folder / "one" / "report.html").symlink_to(folder / "outside.html")
    assert client.get("/report", "name=one").status in {404, 409}
    (folder / "one" / "report.html").unlink()
    (folder / "one" / "report.html").write_text("<!doctype html>")
    while (response := client.get("/report", "name=one")).status != 200:
        pass
    assert response.body == b"<!doctype html>"
    policy = response.all_headers()["Content-Security-Policy"]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
    )


@pytest.mark.parametrize(
    "path",
    [
        *("/static/", "/static/..", "/static/../api.py", "/static//index.html", "/static/vendor"),
        *("/static/%2e%2e/api.py", "/static/vendor/../index.html", "/static/index.html/", "//"),
        *("/static/\x00", "/static/index.html\x00.js", "/index.html", "/static/INDEX.HTML"),
    ],
)
def test_only_the_pages_own_files_are_served(client: Client, path: str) -> None:
    """Files are looked up by their exact names, and nothing else is one."""
    assert client.get(path).status == 404


def test_files_are_sent_once(client: Client) -> None:
    """Who has a file's very bytes gets no second copy."""
    assert client.get("/").body == client.get("/static/index.html").body == b"<!doctype html>"
    script = client.get("/static/vendor/a.js")
    assert script.all_headers()["Content-Type"] == "text/javascript; charset=utf-8"
    etag = script.headers["ETag"]
    again = client.get("/static/vendor/a.js", if_none_match=etag)
    assert (again.status, again.body) == (304, b"")
    assert client.get("/static/vendor/a.js", if_none_match='"other"').status == 200


def test_shipped_files_have_types() -> None:
    """The page's own files are there, and a browser runs what it should run."""
    files = load_files()
    assert files["index.html"].content_type == "text/html; charset=utf-8"
    scripts = [file for name, file in files.items() if name.endswith(".js")]
    assert scripts
    assert {file.content_type for file in scripts} == {"text/javascript; charset=utf-8"}
