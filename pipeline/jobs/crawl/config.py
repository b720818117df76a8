"""The options of a crawl, checked; what they decide is in the configuration hash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field
from sealedbeam.pipeline.config import (
    ON_THE_COMMAND_LINE,
    Float,
    Int,
    LadderConfig,
    RunConfig,
    find_idle_cluster,
    whole,
)
from sealedbeam.pipeline.crawl.filters import NO_PAGES, UrlRules
from sealedbeam.pipeline.crawl.selection import UNLIMITED, Quotas
from sealedbeam.pipeline.crawl.urls import without_user
from sealedbeam.pipeline.integrity.ladder import OnDamage, Policy
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator

PRODUCT_TOKEN = "sealedbeam"  # noqa: S105 - the name in robots.txt, no secret


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _without_users(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(map(without_user, values))


Texts = Annotated[tuple[str, ...], BeforeValidator(_as_list)]
Prefixes = Annotated[Texts, AfterValidator(_without_users)]


class CrawlConfig(LadderConfig):
    """The options of a crawl; each has the default of the command.

    Damage on the way to the archive: an answer is fetched again (`on_damage` retry) up to
    `max_attempts` times, dropped at once, or ends the crawl.

    Attributes:
        user_agent: whole; names the crawler and how its user can be reached.
        delay_seconds: between two requests to one host.
        rate_per_second: requests to all hosts together, 0 for no limit.
        connections: at a time in one worker.
        depth: links from a seed; None for no limit, and so for `pages` and `pages_per_host`.
        pages: of the whole crawl.
        pages_per_host: of one host.
        max_bytes: of bodies, after which nothing more is begun; 0 for no limit.
        max_seconds: after which nothing more is begun; 0 for no limit.
        refetch_seconds: from the first look at a page to the second; later it adapts.
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

    user_agent: Annotated[str, Field(description="a text")] = ""
    delay_seconds: Annotated[Float, Field(ge=0, le=3600, description="0 to 3,600 seconds")] = 1.0
    rate_per_second: Annotated[Float, Field(ge=0, le=1e6, description="0 to 1,000,000")] = 0.0
    connections: Annotated[Int, whole(1, 10_000)] = 1_000
    depth: Annotated[Int | None, whole(0, 1_000)] = None
    pages: Annotated[Int | None, whole(1, 1 << 40)] = None
    pages_per_host: Annotated[Int | None, whole(1, 1 << 40)] = None
    max_bytes: Annotated[Int, whole(0, 1 << 60)] = 0
    max_seconds: Annotated[Float, Field(ge=0, le=1e9, description="0 or more seconds")] = 0.0
    round_seconds: Annotated[Float, Field(gt=0, le=86400, description="to 86,400 seconds")] = 300.0
    round_pages: Annotated[Int, whole(1, 10_000_000)] = 100_000
    refetch_seconds: Annotated[Int, whole(60, 31_536_000)] = 2_592_000
    body_bytes: Annotated[Int, whole(1, 1 << 30)] = 16 << 20
    allow_networks: Annotated[
        Texts, Field(description="a list of networks such as 127.0.0.0/8")
    ] = ()
    allow_hosts: Annotated[Texts, Field(description="a list of hosts")] = ()
    deny_hosts: Annotated[Texts, Field(description="a list of hosts")] = ()
    allow_prefixes: Annotated[Prefixes, Field(description="a list of beginnings of addresses")] = ()
    deny_prefixes: Annotated[Prefixes, Field(description="a list of beginnings of addresses")] = ()
    allow_patterns: Annotated[Texts, Field(description="a list of regular expressions")] = ()
    deny_patterns: Annotated[Texts, Field(description="a list of regular expressions")] = ()
    deny_extensions: Annotated[Texts, Field(description="a list such as [pdf, zip]")] = NO_PAGES
    traps: Annotated[bool, Field(description="true or false")] = True
    sitemaps: Annotated[bool, Field(description="true or false")] = True
    shards: Annotated[Int, whole(1, 4096)] = 8
    record_seconds: Annotated[Float, Field(gt=0, le=86400, description="to 86,400 seconds")] = 30
    worker_memory_bytes: Annotated[Int, whole(256 << 20, 1 << 50)] = 2048 << 20

    def policy(self) -> Policy:
        """Return the policy of one delivery: an answer cannot be derived, only fetched again.

        A server need not send the same twice: what it sends then is another record.
        """
        on_damage = OnDamage.FAIL if self.on_damage is OnDamage.FAIL else OnDamage.DROP
        return Policy(PROTECTIONS[self.protection], on_damage)

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


class CrawlCommandConfig(RunConfig, CrawlConfig):
    """All that the crawl command can be told in a file."""

    @property
    def crawl(self) -> CrawlConfig:
        """The crawl's own options."""
        return CrawlConfig(**{name: getattr(self, name) for name in CrawlConfig.model_fields})


def _find_contradictions(config: CrawlCommandConfig) -> Iterator[tuple[str, str]]:
    """Yield what is right by itself and would do nothing beside something else."""
    usual = CrawlCommandConfig()
    if config.on_damage is not OnDamage.RETRY and config.max_attempts != usual.max_attempts:
        yield "max_attempts", "has no effect without on_damage retry; leave one of them out"
    if config.on_damage is OnDamage.FAIL and config.max_dropped_ratio != usual.max_dropped_ratio:
        yield "max_dropped_ratio", "has no effect with on_damage fail; leave one of them out"
    yield from find_idle_cluster(config)


CRAWL_OPTIONS: Final = Options(
    CrawlCommandConfig,
    _find_contradictions,
    dict.fromkeys(("seeds", "output", "config"), ON_THE_COMMAND_LINE),
    {
        f"{rule}_{kind}s": f"--{rule}-{kind}"
        for rule in ("allow", "deny")
        for kind in ("network", "host", "prefixe", "pattern", "extension")
    }
    | {"allow_prefixes": "--allow-prefix", "deny_prefixes": "--deny-prefix"},
)
