from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError
from sealedbeam.pipeline.integrity.channel import ChannelReference, PerfectTransit, Place
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.jobs.engine import name_error, run_on_engine
from sealedbeam.pipeline.jobs.finish import Unobserved
from sealedbeam.pipeline.jobs.prepare import prepare

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.jobs.context import JobContext
    from sealedbeam.pipeline.jobs.finish import Finished

SAMPLE = Path(__file__).parents[2] / "seeds" / "sample.warc.gz"
TWO_PROCESSES = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
LOSING_CHANNEL = "losing_channel"


class LosingTransit(PerfectTransit):
    """Loses every block."""

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:  # noqa: ARG002 - its
        return None


@dataclass(frozen=True)
class LosingChannel:
    """Makes transits that lose every block."""

    argument: str

    def begin(self, task: str) -> Transit:  # noqa: ARG002 - the protocol's
        return LosingTransit(Place("local", "", 0))

    def reference(self) -> ChannelReference:
        return ChannelReference(f"{LOSING_CHANNEL}:LosingChannel", self.argument)


@pytest.fixture
def losing_channel(monkeypatch: pytest.MonkeyPatch) -> ChannelReference:
    """Return a reference to a channel that loses everything, importable in this process."""
    module = ModuleType(LOSING_CHANNEL)
    module.LosingChannel = LosingChannel  # type: ignore[attr-defined]  # a module made by hand
    monkeypatch.setitem(sys.modules, LOSING_CHANNEL, module)
    return LosingChannel("").reference()


def job(output: Path, *inputs: str, **options: Any) -> JobContext:
    return prepare([str(SAMPLE), *inputs], output, JobConfig(**options))


def run(context: JobContext, runner: str = "FnApiRunner", *options: str) -> Finished | None:
    return run_on_engine(context, Unobserved(), runner, options)


def test_complete_job(tmp_path: Path) -> None:
    """A job on a runner by name ends with its summary and exit code 0; again, nothing is done."""
    context = job(tmp_path / "index")
    result = run(context)
    assert result is not None
    assert (result.exit_code, result.findings) == (0, ())
    assert json.loads(context.store.read("summary.json")) == result.summary
    assert context.store.exists("manifest.json")
    assert run(context) is None


def test_incomplete_job(tmp_path: Path) -> None:
    """An input that is no archive is named; the rest is indexed and the exit code is 4."""
    other = tmp_path / "notes.warc"
    other.write_bytes(b"no archive at all\n" * 9)
    result = run(job(tmp_path / "index", str(other)))
    assert result is not None
    assert (result.exit_code, result.summary["status"]) == (4, "incomplete")
    assert [f"{other} is not a web archive that can be read"] == list(result.findings)


def test_failed_job(tmp_path: Path, losing_channel: ChannelReference) -> None:
    """Too much dropped: exit code 3 with the reason, and no manifest."""
    config = JobConfig(on_damage=OnDamage.DROP)
    context = prepare([str(SAMPLE)], tmp_path / "index", config, losing_channel)
    result = run(context)
    assert result is not None
    assert (result.exit_code, result.summary["status"]) == (3, "failed")
    assert any("more than the allowed share" in finding for finding in result.findings)
    assert not context.store.exists("manifest.json")


def test_policy_fail_names_hop_and_exit_code(
    tmp_path: Path, losing_channel: ChannelReference
) -> None:
    """What a task raises comes out as itself, in one line, without the runner's decoration."""
    config = JobConfig(on_damage=OnDamage.FAIL)
    context = prepare([str(SAMPLE)], tmp_path / "index", config, losing_channel)
    with pytest.raises(IntegrityError, match=r"^hop pages: [^\n]+ derives them again$") as caught:
        run(context)
    assert caught.value.exit_code == 3


def test_error_in_another_process_keeps_its_name(tmp_path: Path) -> None:
    """Where the runner hands over a traceback as text, the error is found in it."""
    archive = tmp_path / "gone.warc.gz"
    archive.write_bytes(SAMPLE.read_bytes())
    context = prepare([str(archive)], tmp_path / "index", JobConfig())
    archive.unlink()
    with pytest.raises(SealedBeamError, match=r"^cannot open input [^\n]+gone.warc.gz: No such"):
        run(context, "FnApiRunner", *TWO_PROCESSES)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("NoRunner", []),
        ("FnApiRunner", ["--direct_running_mode=nonsense"]),
        ("FnApiRunner", ["--direct_num_workers=many"]),
    ],
)
def test_runner_or_options_that_cannot_work(
    tmp_path: Path, runner: str, options: list[str]
) -> None:
    """An unknown runner or a wrong option is an error of usage, before any work."""
    context = job(tmp_path / "index")
    with pytest.raises(UsageError, match=runner):
        run(context, runner, *options)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (IntegrityError("a [b] c [while running 'X/Do']"), IntegrityError, "a [b] c"),
        (UsageError("a"), UsageError, "a"),
        (
            RuntimeError(
                "Traceback:\n  File x\nsealedbeam.pipeline.errors.IntegrityError: first\n\nDuring\n"
                "sealedbeam.pipeline.errors.IntegrityError: a [while running 'X-ptransform-1']\n"
            ),
            IntegrityError,
            "a",
        ),
        (
            RuntimeError("Channel closed\nprematurely."),
            SealedBeamError,
            "R gave up (RuntimeError): Channel closed prematurely.",
        ),
    ],
)
def test_errors_are_named(error: Exception, kind: type[SealedBeamError], message: str) -> None:
    """Our own errors come back as themselves; foreign ones in one line with the runner's name."""
    named = name_error(error, "R")
    assert (kind, message) == (type(named), str(named))
