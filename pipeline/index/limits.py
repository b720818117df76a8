"""What a page may cost: the limits of the parser, each with its reason.

What is over a limit is cut and counted, or the page is rejected as too complex. Pages as people
write them stay far below: a manual of 8 MB has 0.4 million tags. But 16 MiB have room for millions
of whatever costs most, so that each kind has a limit of its own; together they keep one page under
600 MB and a few seconds. Titles and single links have theirs where they are read, in `html` and
`links`.
"""

from __future__ import annotations

from enum import StrEnum

# Cut and counted.
MAX_DECODED_BODY_BYTES = 16 * 2**20  # its tree takes up to thirty times as much
MAX_STORED_BODY_BYTES = 32 * 2**20  # before decoding: what the archive's reader keeps
MAX_TEXT_BYTES = 8 * 2**20  # in UTF-8: twice the Bible; its tokens take thirty times as much
MAX_LINKS_CHARACTERS = 4 * 2**20  # all links of a page together: a long base multiplies
MAX_REFERENCES = 100_000  # looked at: those that lead nowhere take as long as links
LINKS_SLICE = 1_000  # so many are resolved before their length is looked at

# Rejected as too complex, by what the HTML engine was measured to take.
MAX_TAGS = 10**6  # an element and its text take 300 bytes
MAX_ATTRIBUTES = 10**6  # each takes 230 bytes
MAX_ATTRIBUTES_COMPARED = 4 * 10**8  # with all before them in their tag: 3 ns each
MAX_ELEMENTS_SEARCHED = 10**9  # open ones, by all tags: 2 ns each
MAX_ELEMENTS_REPEATED = 10**6  # unclosed formatting, by later blocks: 1 us and 360 bytes each


class Cut(StrEnum):
    """What of a page was over its limit, so that the rest of it is not in the document."""

    BODY = "body"
    TEXT = "text"
    LINKS = "links"
