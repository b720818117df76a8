"""Where reading goes on after damage, so that no neighbour is lost and no inner record planted.

The next thing that proves to be a record may lie inside the damaged one: an archive can be stored
in an archive's record. In this order:

1. An end that the damage itself makes certain is believed.
2. An end that a damaged record's own lengths give is believed if a record begins there, and what
   was found before it does not fill the space up to it.
3. The first find counts, unless the damaged record shows that it holds an archive: where its body
   begins, as far as its header can be read, an archive begins. Then finds inside it are passed
   over, up to the second line ends that close an enclosing plain record, or in members up to a find
   whose unbroken chain leads past the furthest offset that the damaged member can reach.
4. Where a plain record's header cannot be read at all, one unbroken chain is passed over if it ends
   in such second line ends with another record behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .values import Damage, Reason, Region

if TYPE_CHECKING:
    from .framing import Framing, Holder


def set_aside(framing: Framing, position: int, damage: Damage) -> Region:
    """Return the damaged region at `position`, which ends where reading can go on."""
    end = damage.end
    if end is None or not damage.certain:
        end = _resume_at(framing, position, damage)
    reason = damage.reason
    if framing.at_end(end):
        reason = framing.stream_damage or reason
    elif reason is Reason.TRUNCATED:
        reason = framing.broken_inside
    return Region(position, end - position, reason)


def _resume_at(framing: Framing, position: int, damage: Damage) -> int:
    """Return where reading goes on after damage that may reach to `damage.end`.

    Records found before a good guess are either an archive inside the damaged record, or neighbours
    that a damaged deflate stream ran into and ended with, as such streams tend to fall into step.
    Neighbours fill the space up to the guess; inner records are followed by what encloses them.
    """
    holder = framing.holder(position)  # first of all: a search lets go of what lies before it
    found = framing.find(position + 1)
    guess = damage.end
    if guess is not None and found < guess and _is_start(framing, guess):
        return found if framing.chain_end(found, guess) == guess else guess
    return found if holder is None else _leave(framing, found, holder)


def _is_start(framing: Framing, offset: int) -> bool:
    return framing.at_end(offset) or framing.starts_at(offset)


def _leave(framing: Framing, found: int, holder: Holder) -> int:
    """Return where reading goes on after a damaged record that may hold an archive."""
    if not holder.sure_before and not framing.may_be_inner(found):
        return found
    while found < holder.finds_before and not framing.at_end(found):
        chain = framing.chain_end(found, holder.most)
        if chain >= holder.most:
            break
        end = framing.enclosing_end(chain)
        if end is not None and (holder.legible or not framing.at_end(end)):
            return found if _has_line_ends_too_many(framing, end) else end
        if found >= holder.sure_before or chain >= holder.breaks_before or framing.at_end(chain):
            break
        found = framing.find(chain + 1)
    return found


def _has_line_ends_too_many(framing: Framing, offset: int) -> bool:
    """Return whether what looks like an enclosing record's end is how all records here end."""
    return framing.enclosing_end(framing.chain_end(offset, offset + 1)) is not None
