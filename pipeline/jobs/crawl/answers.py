"""An answer as a sealed record, and back: its name, and its exact bytes; no pickle."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.crawl.fetch import Exchange
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind
from sealedbeam.pipeline.fields import pack_fields, unpack_fields

if TYPE_CHECKING:
    from sealedbeam.pipeline.errors import Buffer

_FIELDS = 4
_TEXTS = ("url", "address", "truncated", "error")
_SEPARATOR = b": "


def encode_identity(task: str, number: int, answer: Answer) -> bytes:
    """Return the name of the record of an answer: its task, its number there, kind, address.

    An address that is fetched again has another record, in the task of another round.
    """
    return f"{task}:{number}:{answer.kind}:{answer.url}".encode()


def decode_identity(identity: bytes) -> tuple[AnswerKind, str]:
    """Return kind and address of the answer that `encode_identity` named."""
    _, _, kind, url = identity.decode().split(":", 3)
    return AnswerKind(kind), url


def encode_answer(answer: Answer) -> bytes:
    """Return the bytes of an answer: what is known of it, request head, response head, body."""
    exchange = answer.exchange
    known = {
        "kind": answer.kind,
        "host": answer.host,
        "asked": answer.url,
        "time_seconds": exchange.time_seconds,
        "seconds": exchange.seconds,
        "status": exchange.status,
        **{name: getattr(exchange, name) for name in _TEXTS},
    }
    return pack_fields(
        (json.dumps(known).encode(), exchange.request_head, exchange.head, exchange.body)
    )


def decode_answer(payload: Buffer) -> Answer:
    """Return the answer that `encode_answer` made `payload` of; raises ValueError otherwise."""
    head, request, response, body = map(bytes, unpack_fields(payload, _FIELDS))
    try:
        known: dict[str, Any] = json.loads(head)
        exchange = Exchange(
            time_seconds=float(known["time_seconds"]),
            seconds=float(known["seconds"]),
            status=int(known["status"]),
            request_head=request,
            head=response,
            fields=_fields(response),
            body=body,
            **{name: str(known[name]) for name in _TEXTS},
        )
        if not (math.isfinite(exchange.time_seconds) and math.isfinite(exchange.seconds)):
            raise ValueError("its times are no numbers")
        return Answer(AnswerKind(known["kind"]), str(known["asked"]), str(known["host"]), exchange)
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no answer: {error}") from None


def _fields(head: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the fields of a response's head, as the fetcher had put it together."""
    pairs = (line.partition(_SEPARATOR) for line in head.split(b"\r\n")[1:])
    return tuple((name, value) for name, separator, value in pairs if separator)
