from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.fetch_log import encode_log_entry, read_log, valid_bytes
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.protection import CORRECT

BLOCKS = [
    write_block(b"log/%d" % number, [(b"id", bytes([number]) * (1 + 40 * number))], CORRECT).data
    for number in range(6)
]
LOG = b"".join(map(encode_log_entry, BLOCKS))
ENDS = [sum(len(block) + 8 for block in BLOCKS[:count]) for count in range(len(BLOCKS) + 1)]


def test_a_log_gives_back_its_blocks() -> None:
    """What was appended is read, in order, and the log needs no cut."""
    assert [bytes(entry.block) for entry in read_log(LOG)] == BLOCKS
    assert valid_bytes(LOG) == len(LOG)
    assert (list(read_log(b"")), valid_bytes(b"")) == ([], 0)


def test_a_torn_log_is_cut_at_its_last_whole_entry() -> None:
    """Cut anywhere, a log keeps all entries that were written to their end."""
    for length in range(len(LOG)):
        whole = sum(end <= length for end in ENDS) - 1
        assert [bytes(entry.block) for entry in read_log(LOG[:length])] == BLOCKS[:whole]
        assert valid_bytes(LOG[:length]) == ENDS[whole]


@given(st.integers(0, 8 * len(LOG) - 1))
def test_a_flip_costs_no_other_entry(bit: int) -> None:
    """One flipped bit leaves all entries that it does not hit where they are."""
    damaged = bytearray(LOG)
    damaged[bit >> 3] ^= 1 << (bit & 7)
    hit = sum(end <= bit >> 3 for end in ENDS) - 1
    found = {entry.start: bytes(entry.block) for entry in read_log(bytes(damaged))}
    for number, block in enumerate(BLOCKS):
        if number != hit:
            assert found[ENDS[number]] == block


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are(data: bytes) -> None:
    """Any bytes are read without an error, and entries lie within them, one after the other."""
    at = 0
    for entry in read_log(data):
        assert at <= entry.start < entry.end <= len(data)
        at = entry.end
    assert valid_bytes(data) == at
