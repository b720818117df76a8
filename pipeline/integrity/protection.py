"""The protection presets: what each one adds to a block, and their stable ids."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from .checksum import CRC32C_XXH3, NO_CODE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .checksum import Code


@dataclass(frozen=True, slots=True)
class Protection:
    """A named level of protection.

    Attributes:
        protection_id: the number that stands in stored blocks; never given to anything else.
        name: what users call it.
        code: the codes that seal each record, header and table.
        corrects: whether a reader corrects single flipped bits by their syndrome.
        parity: whether blocks carry lane parity, which corrects more than single flips.
    """

    protection_id: int
    name: str
    code: Code
    corrects: bool
    parity: bool = False

    @property
    def seals(self) -> bool:
        """Whether blocks carry seals at all."""
        return self.code != NO_CODE


NONE = Protection(0, "none", NO_CODE, corrects=False)
DETECT = Protection(1, "detect", CRC32C_XXH3, corrects=False)
CORRECT = Protection(2, "correct", CRC32C_XXH3, corrects=True)
PARITY = Protection(3, "parity", CRC32C_XXH3, corrects=True, parity=True)

PROTECTIONS: Mapping[str, Protection] = MappingProxyType(
    {protection.name: protection for protection in (NONE, DETECT, CORRECT, PARITY)}
)
"""The presets by name."""
