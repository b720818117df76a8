"""Data at rest: scrubs a finished output, and repairs it from parity over its files.

scrub    verifies all files, repairs, protects, keeps a history
subject  what every file has to be, by manifest and parity
verify   one file against what it has to be
strips   files in strips of 64 KiB, each with a digest of its own
parity   which files are protected together, and the bytes of parity.json
protect  makes the parity files
repair   makes damaged files again and puts them in place
replicas files that lie there twice
erasure  the code: any m of k + m strips can be lost
gf256    arithmetic in the field of 256 elements
history  how far a scrub is, and the scrubs that were
telling  a scrub in words
pace     a limit on the rate of reading
threads  many files at a time
"""
