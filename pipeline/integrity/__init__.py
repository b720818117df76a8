"""Sealing, correcting and conserving records: bytes in, bytes out; knows no page.

checksum     the two codes, their providers and their registry
syndrome     which single bit flipped, from a CRC-32C alone
correction   judges a sealed region and corrects it: one code proposes, the other confirms
parity       corrects one flipped bit in each of 64 lanes
protection   the presets `none`, `detect`, `correct`, `parity`
layout       header and table of a block, byte by byte (FORMAT.md is normative)
block        writes blocks of sealed records; reads back all that can be proven
lineage      the identity of a record: where in the inputs it comes from
channel      the seam between sealing and opening: delivery, place, settlement
ladder       intact, corrected, retried, dropped: takes a block across one hop
ledger       what was sealed and what became of it, by hop, cluster and time window
reconcile    the verdict on a ledger: balanced, imbalanced, unknown
damaged      what any pipeline sets aside: a row with its bytes, cause and digest
rows         very many small rows in blocks, each corrected or lost alone: pure functions
sealed_value one value under its own seal, bound to its key: pure functions
beam         the same as Beam transforms, a package
transforms   what users of those import: Seal, Open, Guard, Protect, Reconcile, SealedCoder
"""
