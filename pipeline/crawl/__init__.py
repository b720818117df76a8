"""Web archives: reading them record by record, past damage, in parts that fit together.

warc          parts of an archive, their extents, reading one record again
framing       where records begin and end, and where the next one is after damage
gzip_member   inflates single members, proven complete
gzip_format   header and trailer of a gzip member
window        bounded views of stored bytes and of inflated streams
warc_header   WARC and HTTP headers, field by field
warc_record   a record and its page, from complete bytes
digests       declared digests: good, absent or bad
detect        how an archive is laid out
source        the seam to files, stores or memory
values        what the reader returns, and its vocabulary
"""

from .detect import detect_container
from .source import ByteSource, BytesSource
from .values import Container, Digest, Extent, Reason, Region, WarcRecord
from .warc import PartReader, read_record

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
