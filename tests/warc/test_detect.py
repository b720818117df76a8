"""The layout of an archive is told from its beginning."""

from __future__ import annotations

import pytest
from sealedbeam.pipeline.warc import (
    BytesSource,
    Container,
    detect_container,
)

from tests.support.archives import (
    build_archive,
    flip_bit,
    gzip_member,
    junk,
)
from tests.support.reading import (
    EVERY,
    MeteredSource,
)


@pytest.mark.parametrize("container", EVERY)
def test_detection(container: Container) -> None:
    """Each layout is told from the beginning of the file, also when the first record is hurt."""
    archive = build_archive(5, container)
    source = MeteredSource(archive.data)
    assert detect_container(source) is container
    assert source.total <= 2 << 20
    if not container.is_stream:
        for offset in (0, 1, 3, archive.records[0].length // 2, archive.records[0].length - 2):
            hurt = BytesSource(flip_bit(archive.data, offset))
            assert detect_container(hurt) is container
        assert detect_container(BytesSource(junk(500) + archive.data)) is container


@pytest.mark.parametrize(
    "data", [b"", b"x", junk(5000), b"<html></html>" * 99, gzip_member(b"<html>" * 99), bytes(99)]
)
def test_not_an_archive(data: bytes) -> None:
    """What holds no record is not an archive."""
    assert detect_container(BytesSource(data)) is Container.UNKNOWN
