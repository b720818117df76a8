"""The file of a plan, as bytes that were checked: what its readers begin with."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sealedbeam.pipeline.errors import IntegrityError


def read_plan_file(path: str, sha256: str) -> bytes:
    """Return the bytes of the plan in the file `path`.

    Raises:
        IntegrityError: the file cannot be read, or is not the one with this SHA-256.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise IntegrityError(f"cannot read the fault plan {path}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"the fault plan {path} changed; run the same command again")
    return data
