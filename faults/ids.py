"""The ids of faults: the same in every run of a plan, and no other plan's.

Draws follow the seed alone, so that two plans of one seed can be compared; ids are keyed by the
plan's hash besides, so that an id names one fault among those of many plans.
"""

from __future__ import annotations

from .draws import draw, stream_key

OF_RECORDS = "records"
"""What strikes records; other faults are named under their kind."""


class FaultIds:
    """Names the faults of one plan."""

    def __init__(self, plan_sha256: str) -> None:
        """Key all ids by the hash of a plan."""
        self._sha256 = plan_sha256
        self._keys: dict[tuple[str, str, int], int] = {}

    def name(self, struck: bytes, what: str, hop: str, attempt: int, number: int = 0) -> str:
        """Return the id of a fault: 16 hexadecimal digits.

        Args:
            struck: the identity of the record, or the id of the block.
            what: `OF_RECORDS`, or the kind of the fault.
            hop: where it struck.
            attempt: the delivery.
            number: the fault's own among those of the same record and delivery.
        """
        key = self._keys.get((what, hop, attempt))
        if key is None:
            # The sum stands where a seed does: these streams are no seed's.
            key = stream_key(int(self._sha256, 16), "ids", what, hop, attempt)
            self._keys[what, hop, attempt] = key
        return f"{draw(struck, key, number):016x}"
