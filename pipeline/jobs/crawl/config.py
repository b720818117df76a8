"""The options of a crawl, checked; what they decide is in the configuration hash."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from sealedbeam.pipeline.config import refuse_bool
from sealedbeam.pipeline.crawl.filters import NO_PAGES, UrlRules
from sealedbeam.pipeline.crawl.selection import UNLIMITED, Quotas
from sealedbeam.pipeline.integrity.ladder import OnDamage, Policy
from sealedbeam.pipeline.integrity.protection import PROTECTIONS

_Int = Annotated[int, BeforeValidator(refuse_bool)]
_Float = Annotated[float, BeforeValidator(refuse_bool)]
_Texts = tuple[str, ...]
PRODUCT_TOKEN = "sealedbeam"  # noqa: S105 - the name in robots.txt, no secret


def _whole(lowest: int, highest: int) -> Any:
    """Return the field of a whole number, with the words that an error tells it in."""
    words = f"a whole number from {lowest:,} to {highest:,}"
    return Field(ge=lowest, le=highest, description=words)


class CrawlConfig(BaseModel):
    """The options of a crawl; each has the default of the command.

    Attributes:
        user_agent: whole; names the crawler and how its user can be reached.
        delay_seconds: between two requests to one host.
        rate_per_second: requests to all hosts together, 0 for no limit.
        connections: at a time in one worker.
        depth: links from a seed; None for no limit, and so for `pages` and `pages_per_host`.
        pages: of the whole crawl.
        pages_per_host: of one host.
        max_bytes: of bodies, after which no further round begins; 0 for no limit.
        max_seconds: after which no further round begins; 0 for no limit.
        round_seconds: after which a round begins no further request.
        round_pages: addresses in a round.
        body_bytes: of one page, what is beyond is cut.
        allow_networks: that may be connected to, although they are not public.
        allow_hosts, deny_hosts, allow_prefixes, deny_prefixes, allow_patterns, deny_patterns,
            deny_extensions: rules for addresses, see `UrlRules`.
        traps: whether addresses that look made up without end are left out.
        sitemaps: whether the site maps that robots.txt names are read.
        shards: of the frontier.
        record_seconds: that a worker may stand still.
        worker_memory_bytes: the most memory of a worker.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    user_agent: str = ""
    delay_seconds: Annotated[_Float, Field(ge=0, le=3600, description="0 to 3,600 seconds")] = 1.0
    rate_per_second: Annotated[_Float, Field(ge=0, le=1e6, description="0 to 1,000,000")] = 0.0
    connections: Annotated[_Int, _whole(1, 10_000)] = 1_000
    depth: Annotated[_Int | None, _whole(0, 1_000)] = None
    pages: Annotated[_Int | None, _whole(1, 1 << 40)] = None
    pages_per_host: Annotated[_Int | None, _whole(1, 1 << 40)] = None
    max_bytes: Annotated[_Int, _whole(0, 1 << 60)] = 0
    max_seconds: Annotated[_Float, Field(ge=0, le=1e9, description="0 or more seconds")] = 0.0
    round_seconds: Annotated[_Float, Field(gt=0, le=86400, description="to 86,400 seconds")] = 300.0
    round_pages: Annotated[_Int, _whole(1, 10_000_000)] = 100_000
    body_bytes: Annotated[_Int, _whole(1, 1 << 30)] = 16 << 20
    allow_networks: _Texts = ()
    allow_hosts: _Texts = ()
    deny_hosts: _Texts = ()
    allow_prefixes: _Texts = ()
    deny_prefixes: _Texts = ()
    allow_patterns: _Texts = ()
    deny_patterns: _Texts = ()
    deny_extensions: _Texts = NO_PAGES
    traps: bool = True
    sitemaps: bool = True
    shards: Annotated[_Int, _whole(1, 4096)] = 8
    protection: Annotated[str, Field(description=", ".join(PROTECTIONS))] = "correct"
    seed: Annotated[_Int, _whole(0, (1 << 64) - 1)] = 0
    record_seconds: Annotated[_Float, Field(gt=0, le=86400, description="to 86,400 seconds")] = 30
    worker_memory_bytes: Annotated[_Int, _whole(256 << 20, 1 << 50)] = 2048 << 20

    @field_validator("protection")
    @classmethod
    def _known_protection(cls, value: str) -> str:
        if value not in PROTECTIONS:
            raise ValueError(f"{value!r} is not one of {', '.join(PROTECTIONS)}")
        return value

    def policy(self) -> Policy:
        """Return the ladder's policy: a page that is damaged before it is archived is dropped.

        It cannot be derived, since a server need not send the same twice: it is fetched again.
        """
        return Policy(PROTECTIONS[self.protection], OnDamage.DROP)

    def rules(self) -> UrlRules:
        """Return the rules for addresses; raises UsageError where one cannot be read."""
        return UrlRules(
            self.allow_hosts,
            self.deny_hosts,
            self.allow_prefixes,
            self.deny_prefixes,
            self.allow_patterns,
            self.deny_patterns,
            self.deny_extensions,
        )

    def quotas(self) -> Quotas:
        """Return the limits of the crawl and of a round."""
        return Quotas(
            UNLIMITED if self.depth is None else self.depth,
            UNLIMITED if self.pages is None else self.pages,
            UNLIMITED if self.pages_per_host is None else self.pages_per_host,
            self.round_pages,
        )
