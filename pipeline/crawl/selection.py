"""Which addresses a round asks for: what is due, breadth first, fair to hosts, within the limits.

Rules:
1. An address is due when its `next_at` has come, if its host is not waiting and its depth within
   the limit. Where depth is limited, so is a page that was found nearer to a seed than the depth
   from which its links were counted: what lies behind it may now be within the limit. It is asked
   for once more, and whole, since its links are needed.
2. Within a host the order is depth, round of discovery, address. Between hosts it is depth, then
   the place within the host, then the name of the host: a large host does not hold up the others.
   What would be a new page and what is looked at again have places of their own.
3. Pages that the frontier has already are counted against the limits on pages, and so are addresses
   that would be new pages; looking at a page again is not.

The same frontier gives the same selection, however many shards it has. Rows are read one row group
at a time, and of those that are due no more are kept than twice what a round takes, and one row
group: to put more rows in front of one can never bring it forward, so that what falls out early
would fall out at the end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .frontier import PAGES, UNKNOWN
from .frontier_store import FRONTIER, Damage, open_shard, read_shard

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

UNLIMITED: Final = 1 << 40
_PAGE_STATES = pa.array(sorted(state.value for state in PAGES), pa.string())


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of a crawl and of one round.

    Attributes:
        depth_max: links from a seed.
        pages_max: pages of the whole crawl.
        pages_per_host_max: of them, on one host.
        round_max: addresses in a round.
    """

    depth_max: int = UNLIMITED
    pages_max: int = UNLIMITED
    pages_per_host_max: int = UNLIMITED
    round_max: int = 100_000


@dataclass(slots=True)
class Selection:
    """What one shard offers for a round, in order, and the rows that cannot be believed."""

    rows: pa.Table
    damaged: list[Damage] = field(default_factory=list)


def count_pages(source: BinaryIO) -> Counter[str]:
    """Return how many pages the shard has of each host; hosts without pages are left out.

    Raises:
        IntegrityError: the shard cannot be read at all.
    """
    counts: Counter[str] = Counter()
    with open_shard(source, FRONTIER) as file:
        for number in range(file.num_row_groups):
            try:
                table = file.read_row_group(number, columns=["host", "state"], use_threads=False)
            except (pa.ArrowException, OSError):
                continue  # whoever reads the rows tells the damage
            pages = table.filter(pc.is_in(table.column("state"), value_set=_PAGE_STATES))
            for group in pages.column("host").value_counts().to_pylist():
                counts[group["values"]] += group["counts"]
    return counts


def select_due(
    source: BinaryIO,
    *,
    now: int,
    quotas: Quotas,
    pages: Mapping[str, int],
    pages_left: int,
    waiting_hosts: Collection[str] = (),
) -> Selection:
    """Return the rows of one shard of the frontier that may be in the next round.

    Args:
        source: the shard, seekable.
        now: seconds since the epoch.
        quotas: the limits.
        pages: pages that the shard has of each host, from `count_pages`.
        pages_left: pages that the crawl may still get: `pages_max` less those of all shards.
        waiting_hosts: hosts that are not to be asked in this round.

    Raises:
        IntegrityError: the shard cannot be read at all.
    """
    selection = Selection(FRONTIER.schema.empty_table())
    waiting = pa.array(sorted(waiting_hosts), pa.string())
    for group in read_shard(source, FRONTIER):
        if isinstance(group, Damage):
            selection.damaged.append(group)
            continue
        due = group.filter(pa.array(_are_due(group, now, quotas, waiting)))
        # What was kept before stands in order already, and comes before what follows it in the
        # shard: among equals of a host the order of the addresses is kept.
        selection.rows = pa.concat_tables([selection.rows, due])
        if len(selection.rows) > 2 * quotas.round_max:
            selection.rows = _pick(selection.rows, quotas, pages, pages_left)
    selection.rows = _pick(selection.rows, quotas, pages, pages_left)
    return selection


def combine(selections: Sequence[pa.Table], quotas: Quotas, pages_left: int) -> pa.Table:
    """Return the rows of a round, in order, from what all shards offer; no two share a host."""
    offered = pa.concat_tables([FRONTIER.schema.empty_table(), *selections])
    within_host = Quotas(round_max=quotas.round_max)  # those limits are kept by each shard
    return _pick(offered, within_host, {}, pages_left)


def _are_due(
    table: pa.Table, now: int, quotas: Quotas, waiting: pa.StringArray
) -> NDArray[np.bool_]:
    depth = table.column("depth").to_numpy()
    due = table.column("next_at").to_numpy() <= now
    if quotas.depth_max < UNKNOWN:
        linked_depth = table.column("linked_depth").to_numpy()
        due |= (linked_depth >= 0) & (depth < linked_depth)
    due &= (depth <= quotas.depth_max) & (depth < UNKNOWN)
    if len(waiting):
        due &= ~pc.is_in(table.column("host"), value_set=waiting).to_numpy()
    result: NDArray[np.bool_] = due
    return result


def _pick(table: pa.Table, quotas: Quotas, pages: Mapping[str, int], pages_left: int) -> pa.Table:
    """Return the rows of `table` that a round takes, in order.

    Rows of a host with the same depth and round stand in the order of their addresses.
    """
    hosts, host = _number_hosts(table)
    room = np.array(
        [max(quotas.pages_per_host_max - pages.get(name, 0), 0) for name in hosts], np.int64
    )
    depth = table.column("depth").to_numpy()
    found = table.column("discovered_round").to_numpy()
    is_new = ~pc.is_in(table.column("state"), value_set=_PAGE_STATES).to_numpy()
    order = np.lexsort((found, depth, is_new, host))
    place = _places(2 * host[order] + is_new[order])
    has_room = ~is_new[order] | (place < room[host[order]])
    order, place = order[has_room], place[has_room]
    order = order[np.lexsort((is_new[order], host[order], place, depth[order]))]
    order = order[~is_new[order] | (np.cumsum(is_new[order]) <= pages_left)]
    return table.take(pa.array(order[: quotas.round_max])).combine_chunks()


def _number_hosts(table: pa.Table) -> tuple[list[str], NDArray[np.int64]]:
    """Return the hosts by name, and for each row the number of its host among them."""
    encoded = table.column("host").combine_chunks().dictionary_encode()
    names = encoded.dictionary.to_pylist()
    hosts = sorted(names)
    numbers = {name: number for number, name in enumerate(hosts)}
    by_code = np.array([numbers[name] for name in names], np.int64)
    return hosts, by_code[encoded.indices.to_numpy()]


def _places(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row how many of its group are before it; groups lie together."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(np.append(starts, len(group)))
    places: NDArray[np.int64] = np.arange(len(group)) - np.repeat(starts, sizes)
    return places
