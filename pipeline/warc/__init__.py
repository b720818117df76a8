"""Web archives: reading them record by record, past damage, in parts that fit together; writing.

parts         parts of an archive, their extents, reading one record again
framing       what the kinds of archive have in common
members       archives with one compressed member for each record
plain         archives whose records lie end to end
resync        where reading goes on after damage
effort        bounds the work that is spent on bytes without getting a record
codec         inflates one member, proven complete
gzip_member   gzip members, fast and exactly
gzip_format   header and trailer of a gzip member
frames        Zstandard and LZ4 frames
listing       lists of what archives should hold, and the differences
window        bounded views of stored bytes and of inflated streams
header        WARC and HTTP headers, field by field
record        a record and its page, from complete bytes
digests       declared digests: good, absent or bad
detect        how an archive is laid out
lookalikes    what a file is that is no archive
source        the seam to files, stores or memory
values        what the reader returns, and its vocabulary
writer        records as gzip members, with their digests
cdxj          lines of the index of an archive
"""

from .detect import detect_container
from .parts import PartReader, read_record
from .source import ByteSource, BytesSource
from .values import Container, Digest, Extent, Reason, Region, WarcRecord

__all__ = [
    "ByteSource",
    "BytesSource",
    "Container",
    "Digest",
    "Extent",
    "PartReader",
    "Reason",
    "Region",
    "WarcRecord",
    "detect_container",
    "read_record",
]
