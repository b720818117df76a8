"""Parts of an archive, however it is cut, chain to what one reading gives."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.warc import (
    Container,
    Extent,
)

from tests.support.archives import (
    build_archive,
    with_nested,
)
from tests.support.reading import (
    STORED,
    bodies,
    damaged,
    read_all,
    read_part,
    read_stitched,
    truth,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_parts_unite_to_the_whole(data: st.DataObject) -> None:
    """However an archive is cut into parts, damaged or not, they give what one reading gives."""
    container = data.draw(st.sampled_from(STORED))
    nested = data.draw(st.sampled_from([None, *STORED]))
    level = data.draw(st.sampled_from([0, 6]))
    stored = damaged(data, with_nested(container, nested, level).data)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stored)), max_size=6)))
    assert read_all(stored, container) == read_stitched(stored, container, cuts)


@pytest.mark.parametrize("container", STORED)
@pytest.mark.parametrize("nested", STORED)
def test_a_nested_archive_plants_no_page(container: Container, nested: Container) -> None:
    """Wherever parts are cut, pages of an archive stored in a record never count as pages."""
    archive = with_nested(container, nested)
    expected = truth(archive.records)
    record = archive.records[3]
    planted = 0
    for cut in range(record.offset + 1, record.end, 97):
        part, _ = read_part(archive.data, container, cut, record.end, exact_start=False)
        planted += len(bodies(part))
        assert expected == bodies(read_stitched(archive.data, container, [cut]))
    assert (planted > 0) == (container is Container.PLAIN or nested is Container.GZIP_MEMBERS)


def test_a_part_without_a_record_start_chains() -> None:
    """A part inside one long record owns nothing, and is not searched past its own end."""
    archive = build_archive(3, body_bytes=20_000)
    record = archive.records[2]
    part, extent = read_part(
        archive.data,
        archive.container,
        record.offset + 100,
        record.offset + 200,
        exact_start=False,
    )
    assert part == []
    assert Extent(None, record.offset + 200) == extent
    assert record.offset + 200 == extent.begins
