"""Fixtures: a cluster for all tests, an archive of many parts, and its index made locally.

Where Java is not installed the tests are skipped, and CI makes that a failure.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.warc import Container

from tests.flink.cluster import Cluster
from tests.flink.jobs import JOB_OPTIONS
from tests.support.archives import build_archive
from tests.support.jobs import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGES = 1200


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Yield a cluster that all tests share."""
    for program in ("java", "setpriv", "ps"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    with Cluster.start(tmp_path_factory.mktemp("flink")) as cluster:
        yield cluster


@pytest.fixture
def cluster(running_cluster: Cluster) -> Cluster:
    """Return the cluster, all of it alive and idle."""
    running_cluster.await_whole()
    return running_cluster


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an archive of many parts."""
    path = tmp_path_factory.mktemp("archive") / "pages.warc"
    path.write_bytes(build_archive(PAGES, Container.PLAIN).data)
    return path


@pytest.fixture(scope="session")
def local_index(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index that the local runner makes of the archive."""
    output = tmp_path_factory.mktemp("local") / "index"
    words = ("index", str(archive), "--output", str(output), *JOB_OPTIONS, "--quiet")
    subprocess.run(command(*words), check=True)
    return output
