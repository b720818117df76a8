"""The user's rules take and refuse addresses as they say; what is wrong with them is told."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.filters import UrlRules
from sealedbeam.pipeline.errors import UsageError

LABELS = st.sampled_from(["a", "b", "org", "example"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("rules", "url", "word"),
    [
        (UrlRules(), "http://a.org/", ""),
        (UrlRules(), "http://a.org/x.PNG", "extension_denied"),
        (UrlRules(), "http://a.org/x.png/y", ""),
        (UrlRules(), "http://a.org/y?x.png", ""),
        (UrlRules(), "http://a.zip/", ""),
        (UrlRules(deny_extensions=()), "http://a.org/x.png", ""),
        (UrlRules(deny_extensions=(".HTM",)), "http://a.org/x.htm", "extension_denied"),
        (UrlRules(allow_hosts=("a.org",)), "http://www.a.org/", ""),
        (UrlRules(allow_hosts=("a.org",)), "http://a.org:8080/", ""),
        (UrlRules(allow_hosts=("a.org:8080",)), "http://a.org/", "host_not_allowed"),
        (UrlRules(allow_hosts=("a.org:8080",)), "http://a.org:8080/", ""),
        (UrlRules(allow_hosts=("a.org",)), "http://ba.org/", "host_not_allowed"),
        (UrlRules(allow_hosts=("*.Bücher.de",)), "http://xn--bcher-kva.de/", ""),
        (UrlRules(allow_hosts=("0.0.1",)), "http://127.0.0.1/", "host_not_allowed"),
        (UrlRules(allow_hosts=("127.0.0.1",)), "http://127.0.0.1:8000/", ""),
        (UrlRules(allow_hosts=("[::1]",)), "http://[::1]:8000/", ""),
        (
            UrlRules(allow_hosts=("a.org",), deny_hosts=("b.a.org",)),
            "http://b.a.org/",
            "host_denied",
        ),
        (UrlRules(deny_hosts=("org",)), "http://b.a.org/", "host_denied"),
        (UrlRules(allow_prefixes=("http://A.org/docs",)), "http://a.org/docs/x", ""),
        (UrlRules(allow_prefixes=("http://a.org",)), "http://a.org.evil/", "prefix_not_allowed"),
        (UrlRules(deny_prefixes=("http://a.org/p",)), "http://a.org/p", "prefix_denied"),
        (UrlRules(deny_patterns=("sort=", r"/\d{4}/")), "http://a.org/2024/x", "pattern_denied"),
        (UrlRules(deny_patterns=("(?i)SORT=",)), "http://a.org/?sort=x", "pattern_denied"),
        (UrlRules(deny_patterns=("(?i)a", "B")), "http://c.org/b", ""),
        (UrlRules(allow_patterns=(r"\.html$",)), "http://a.org/x.html?y", "pattern_not_allowed"),
        (
            UrlRules(allow_hosts=("a.org",), allow_prefixes=("http://b.org/",)),
            *("http://b.org/", "host_not_allowed"),
        ),
    ],
)
def test_verdicts(rules: UrlRules, url: str, word: str) -> None:
    """Each kind of list refuses and permits what it names, and refusals win."""
    assert word == rules.judge(url)
    assert word == pickle.loads(pickle.dumps(rules)).judge(url)


@given(HOSTS, st.lists(HOSTS, min_size=1, max_size=3), st.sampled_from(["", ":81"]))
def test_hosts_match_whole_labels(host: str, listed: list[str], port: str) -> None:
    """A host is covered if its labels end with those of an entry."""
    expected = any(host == entry or host.endswith(f".{entry}") for entry in listed)
    url = f"http://{host}{port}/"
    assert expected == (UrlRules(deny_hosts=tuple(listed)).judge(url) == "host_denied")
    assert expected == (UrlRules(allow_hosts=tuple(listed)).judge(url) == "")


@given(
    st.lists(st.sampled_from(["a", "b+c", "[ab]c", "c$", "a.b", "(a|b)c"]), min_size=1, max_size=3),
    st.text("abc", max_size=6),
)
def test_patterns_are_searched_for(patterns: list[str], text: str) -> None:
    """Any of several patterns counts, wherever it is found."""
    url = f"http://x.y/{text}"
    expected = any(re.search(pattern, url) for pattern in patterns)
    assert expected == (UrlRules(deny_patterns=tuple(patterns)).judge(url) == "pattern_denied")


def test_no_pattern_hangs() -> None:
    """A pattern that takes Python for ever is searched for in linear time."""
    rules = UrlRules(deny_patterns=("(a*)*(a|aa)*b$",))
    assert rules.judge("http://x.y/" + "a" * 2000) == ""


@pytest.mark.parametrize(
    ("rules", "named"),
    [
        ({"allow_hosts": ("a.org/x",)}, "allow_hosts: 'a.org/x' is no host"),
        ({"deny_hosts": ("u@a.org",)}, "deny_hosts: 'u@a.org' is no host"),
        ({"deny_hosts": ("",)}, "deny_hosts: '' is no host"),
        ({"deny_hosts": ("a?b",)}, "deny_hosts: 'a?b' is no host"),
        ({"deny_hosts": ("a#b",)}, "deny_hosts: 'a#b' is no host"),
        ({"allow_prefixes": ("a.org/docs",)}, "allow_prefixes: 'a.org/docs' is no web address"),
        ({"deny_patterns": ("ok", "(a")}, "deny_patterns: '(a' is no pattern of RE2: missing )"),
        ({"deny_patterns": ("a)|(b",)}, "deny_patterns: 'a)|(b' is no pattern of RE2"),
        ({"deny_patterns": (r"(a)\1",)}, "is no pattern of RE2: invalid escape"),
        ({"deny_patterns": tuple(f"{k}[^a]{{999}}" for k in range(99))}, "these patterns are none"),
        ({"deny_patterns": ("((a{99}){99}){99}",)}, "deny_patterns: "),
        ({"deny_extensions": "png"}, "deny_extensions must be a list"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, tuple[str, ...]], named: str) -> None:
    """What is no host, prefix or pattern is refused with its list and its text."""
    with pytest.raises(UsageError, match=re.escape(named)):
        UrlRules(**rules)
