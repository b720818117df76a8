"""A coder that seals each value of another coder: for every place where Beam encodes an element.

That is wherever a runner writes an element down: shuffle, state, the wire between two stages.
"""

from __future__ import annotations

from typing import Any

from apache_beam import coders
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.integrity.sealed_value import open_value, seal_value

from .kinds import describe


class SealedCoder(coders.Coder):  # type: ignore[misc]  # Beam is untyped
    """Wraps a coder: encodes under a seal, decodes what is proven, corrected if need be.

    A coder has no output but its value, so damage that cannot be corrected raises IntegrityError:
    the bundle fails, and the runner reads the bytes again. Where damage has to be a value, use
    `Seal` and `Open`.

    Example:
        class SealedOrder(SealedCoder):
            def __init__(self):
                super().__init__(beam.coders.RowCoder.from_type_hint(Order, None))

        beam.coders.registry.register_coder(Order, SealedOrder)
    """

    def __init__(self, coder: coders.Coder, protection: str = "correct") -> None:
        """Seal what `coder` encodes with a preset."""
        self._coder = coder
        self._protection = check_preset(protection)
        self._identity = describe(coder).encode()

    def encode(self, value: Any) -> bytes:
        """Return the value's encoding under a seal."""
        encoded: bytes = self._coder.encode(value)
        return seal_value(self._identity, encoded, PROTECTIONS[self._protection])

    def decode(self, encoded: bytes) -> Any:
        """Return the value; raises IntegrityError where it cannot be proven."""
        opened = open_value(self._identity, encoded, PROTECTIONS[self._protection])
        if isinstance(opened, LossReason):
            raise IntegrityError(
                f"{len(encoded)} bytes of {describe(self._coder)} cannot be proven ({opened}): "
                "they were damaged since they were encoded"
            )
        return self._coder.decode(opened[0])

    def is_deterministic(self) -> bool:
        """Whether equal values have equal bytes: as the wrapped coder has them."""
        return bool(self._coder.is_deterministic())

    def as_deterministic_coder(
        self, step_label: str, error_message: str | None = None
    ) -> SealedCoder:
        """Return a sealed coder that is deterministic; raises ValueError where there is none."""
        inner = self._coder.as_deterministic_coder(step_label, error_message)
        return SealedCoder(inner, self._protection)

    def to_type_hint(self) -> Any:
        """Return the type of the values."""
        return self._coder.to_type_hint()

    @classmethod
    def from_type_hint(cls, typehint: Any, registry: Any) -> SealedCoder:
        """Return an instance for the registry, which knows coders by their class.

        Raises:
            TypeError: the class cannot be made without arguments: register a subclass that can.
        """
        del typehint, registry
        return cls()  # type: ignore[call-arg]  # a subclass names the coder that it wraps

    def __repr__(self) -> str:
        return f"SealedCoder[{self._coder!r}]"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SealedCoder) and (
            (self._coder, self._protection) == (other._coder, other._protection)
        )

    def __hash__(self) -> int:
        return hash((type(self._coder), self._protection))


def check_preset(name: str) -> str:
    """Return the name of a preset: steps travel with the name, since presets are singletons."""
    if name not in PROTECTIONS:
        raise ValueError(f"protection {name!r} is not one of {', '.join(PROTECTIONS)}")
    return name
