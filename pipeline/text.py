"""Makes foreign text fit for a terminal: for any number of lines, or for one."""

from __future__ import annotations

import re

LINE_CHARACTERS_MAX = 2_000

# C0 but for the tab and the line feed, DEL and C1 begin terminal sequences or move the cursor, as
# line and paragraph separators do; bidirectional controls make text look like other text; lone
# surrogates cannot be printed at all.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def harmless(text: str) -> str:
    """Return `text`, of any number of lines, with nothing else that a terminal obeys."""
    return _OBEYED.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Return `text` on one line that a terminal can show, its middle left out if it is too long."""
    half = LINE_CHARACTERS_MAX // 2
    if len(text) > LINE_CHARACTERS_MAX:
        text = f"{text[:half]} ... {text[-half:]}"
    line = " ".join(text.split())
    return "".join(character if character.isprintable() else "\ufffd" for character in line)
