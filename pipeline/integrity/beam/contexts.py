"""Where the rows of a block belong: window and pane, sealed with the block and checked again.

    windowing 8 bytes | length of pane u8 | pane | window        (in Beam's own coders)

Rule: under the windowing that a block was sealed in it must arrive in its window. Where the blocks
were put into other windows on the way, or windows may merge, the window that they arrive in counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from apache_beam import coders
from apache_beam.transforms import window as windows
from apache_beam.utils.windowed_value import PANE_INFO_UNKNOWN
from sealedbeam.pipeline.integrity.checksum import digest128

if TYPE_CHECKING:
    import apache_beam as beam

_WINDOWING_BYTES = 8
_UNCHECKED = bytes(_WINDOWING_BYTES)
_PANES = coders.PaneInfoCoder()
_ONE_WINDOW = (windows.GlobalWindows, windows.FixedWindows, windows.Sessions)


class Windowing(NamedTuple):
    """What a step must know of its PCollection's windows.

    Attributes:
        name: tells windowings apart; zeros where windows may merge.
        coder: of its windows.
        single: whether each element is in one window, for certain.
    """

    name: bytes
    coder: coders.Coder
    single: bool

    def encode(self, window: Any, pane: Any) -> bytes:
        """Return the context of a block in this window and pane."""
        encoded = b"" if pane is PANE_INFO_UNKNOWN else _PANES.encode(pane)
        return b"".join((self.name, len(encoded).to_bytes(1), encoded, self.coder.encode(window)))

    def belongs(self, context: bytes, window: Any) -> bool:
        """Whether a block with this context may arrive in this window."""
        other = self.name == _UNCHECKED or context[:_WINDOWING_BYTES] != self.name
        return other or self.coder.encode(window) == context[_window_start(context) :]


def _window_start(context: bytes) -> int:
    size = context[_WINDOWING_BYTES] if len(context) > _WINDOWING_BYTES else 0
    return _WINDOWING_BYTES + 1 + size


def pane_of(context: bytes) -> Any:
    """Return the pane that stands in a context."""
    encoded = context[_WINDOWING_BYTES + 1 : _window_start(context)]
    return _PANES.decode(encoded) if encoded else PANE_INFO_UNKNOWN


def windowing_of(pcollection: beam.PCollection) -> Windowing:
    """Return the windowing of a PCollection."""
    fn = pcollection.windowing.windowfn
    kind = type(fn)
    settings = sorted((name, str(value)) for name, value in vars(fn).items())
    text = f"{kind.__module__}.{kind.__qualname__} {settings}"
    name = _UNCHECKED if fn.is_merging() else digest128(text.encode())[:_WINDOWING_BYTES]
    return Windowing(name, fn.get_window_coder(), kind in _ONE_WINDOW)
