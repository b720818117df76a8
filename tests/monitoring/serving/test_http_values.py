from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.monitoring.serving.http_values import Query, RequestError


@given(st.text(max_size=30))
def test_numbers_are_numbers(text: str) -> None:
    """Any text is a whole number within its bounds, or is refused in one line."""
    query = Query(f"n={quote(text)}")
    if re.fullmatch("[0-9]{1,15}", text, re.ASCII) and int(text) <= 100:
        assert query.whole("n", 7, 100) == int(text)
    else:
        with pytest.raises(RequestError, match="whole number from 0 to 100"):
            query.whole("n", 7, 100)


@given(st.text(max_size=60))
def test_any_query_is_read_or_refused(text: str) -> None:
    """No text behind the question mark does anything but name parameters."""
    try:
        Query(text).text("name")
    except RequestError as error:
        assert error.status == 400  # noqa: PT017 - either way is good


def test_query_is_bounded() -> None:
    """A parameter that stands there twice is refused, and so are too many."""
    for text in ("name=a&name=b", "&".join(f"n{number}=" for number in range(100))):
        with pytest.raises(RequestError):
            Query(text)
