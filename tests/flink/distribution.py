"""Gets what a Flink cluster for Beam is made of, with pinned checksums, into a cache of this user.

Flink itself comes from PyPI, whose package `apache-flink-libraries` holds the whole distribution.
Beam's side of it is put together out of jars of Maven Central, listed in jars.txt: all that a job
server needs and nothing of Flink's own, in one jar, as Beam's build would make it. Its manifest
names Flink's jars beside it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from urllib.request import urlopen
from zipfile import ZIP_DEFLATED, ZipFile

FLINK_VERSION = "1.19.3"
FLINK_SHA256 = "4a58e3a1fb7d83340bc96b6c080624c6d792d69fae5d294b96224775204a9c60"
JARS = Path(__file__).with_name("jars.txt")
JOB_SERVER = "job-server.jar"
_MAVEN = "https://repo.maven.apache.org/maven2/"
_MAIN = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_SERVICES = "META-INF/services/"
# Signatures are void in a merged jar, an index would hide the other jars, and only Linux is run on.
_LEFT_OUT = re.compile(
    r"META-INF/(MANIFEST\.MF|INDEX\.LIST|.*\.(SF|RSA|DSA)|native/.*(osx|windows|aarch).*)"
    r"|(.*/)?module-info\.class|.*/"
)
_NEEDED = re.compile(r"[^/]+/deps/(lib/(flink-dist|log4j)[^/]*|plugins/metrics-prometheus/[^/]*)")
_SECONDS_MAX = 300.0
_LINE_BYTES = 70
_FETCHERS = 8
_ATTEMPTS = 3


@dataclass(frozen=True)
class Distribution:
    """A folder with Flink and Beam's job server."""

    folder: Path

    @property
    def jars(self) -> list[Path]:
        """Flink's own jars."""
        return sorted((self.folder / "lib").glob("*.jar"))

    @property
    def plugins(self) -> Path:
        """The folder of Flink's plugins."""
        return self.folder / "plugins"

    @property
    def job_server(self) -> Path:
        """The jar of Beam's job server."""
        return self.folder / JOB_SERVER


def get_distribution() -> Distribution:
    """Return the distribution, which is made when it is first asked for."""
    recipe = hashlib.sha256(Path(__file__).read_bytes() + JARS.read_bytes()).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = home / "sealedbeam-servers"
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"flink-{FLINK_VERSION}-{recipe}"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # gone with the process, however that ends
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=cache) as temporary:
                _make(Path(temporary) / "made")
                (Path(temporary) / "made").replace(folder)
    return Distribution(folder)


def _make(folder: Path) -> None:
    folder.mkdir()
    with ThreadPoolExecutor(_FETCHERS) as fetchers:
        flink = fetchers.submit(_fetch_flink, folder)
        jars = list(fetchers.map(_fetch_jar, JARS.read_text().splitlines()))
        flink.result()
    beside = [f"lib/{path.name}" for path in sorted((folder / "lib").glob("*.jar"))]
    merge_jars(jars, beside, folder / JOB_SERVER)


def _fetch_flink(folder: Path) -> None:
    """Take what a cluster runs on out of Flink's source package on PyPI."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"apache-flink-libraries=={FLINK_VERSION} --hash=sha256:{FLINK_SHA256}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-cache-dir", "--no-deps", "--no-binary", ":all:", "--require-hashes"]
    done = subprocess.run(
        [*pip, "--requirement", wanted, "--dest", folder],
        timeout=_SECONDS_MAX,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (package,) = folder.glob("*.tar.gz")
    with tarfile.open(package) as archive:
        for member in archive:
            if member.isfile() and _NEEDED.fullmatch(member.name):
                path = folder / member.name.partition("/deps/")[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                assert source is not None
                with path.open("wb") as file:
                    shutil.copyfileobj(source, file)
    package.unlink()


def _fetch_jar(line: str) -> bytes:
    """Return the jar that a line of jars.txt names, if it is that one."""
    expected, path = line.split()
    data = b""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with urlopen(_MAVEN + path, timeout=_SECONDS_MAX) as answer:
                data = answer.read()
            break
        except OSError:
            if attempt == _ATTEMPTS:
                raise
    assert expected == hashlib.sha256(data).hexdigest(), f"{path} is not what jars.txt says"
    return data


def merge_jars(jars: list[bytes], beside: list[str], target: Path) -> None:
    """Put jars together in one; of files with the same name the first counts, services add up.

    Args:
        jars: the contents.
        beside: jars that the merged one needs, relative to its folder.
        target: where to write it.
    """
    services: dict[str, list[bytes]] = {}
    with ZipFile(target, "w", ZIP_DEFLATED) as merged:
        merged.writestr("META-INF/MANIFEST.MF", _manifest(beside))
        taken: set[str] = set()
        for jar in jars:
            with ZipFile(BytesIO(jar)) as source:
                for name in source.namelist():
                    if name.startswith(_SERVICES) and name != _SERVICES:
                        services.setdefault(name, []).append(source.read(name))
                    elif name not in taken and not _LEFT_OUT.fullmatch(name):
                        taken.add(name)
                        merged.writestr(name, source.read(name))
        for name, parts in services.items():
            merged.writestr(name, b"\n".join(parts))


def _manifest(beside: list[str]) -> str:
    """Return a manifest; its lines are short, a longer one goes on behind a space."""
    text = f"Class-Path: {' '.join(beside)}"
    pieces = [text[at : at + _LINE_BYTES - 1] for at in range(0, len(text), _LINE_BYTES - 1)]
    return f"Manifest-Version: 1.0\nMain-Class: {_MAIN}\n" + "\n ".join(pieces) + "\n"
