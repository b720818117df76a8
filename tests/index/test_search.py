"""Claims about whole answers: matches, scores and order, against slow and obviously right code."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.index.query import Clause, parse_query
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.index.tokens import tokenize
from sealedbeam.pipeline.index.verified import LocalFolder
from sealedbeam.pipeline.manifest import encode_manifest

from tests.support.small_index import SmallDocument, documents_of, write_index

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TEXTS = (
    "the red lamp",
    "The sealed beam lamp is a lamp that works in dirt and rain",
    "a beam of light, sealed",
    "red red red",
    "lamp sealed beam sealed beam",
    "nothing of the kind",
    "",
    "\u6771\u4eac\u90fd \u4eac\u90fd",
    "\u90fd\u4eac\u6771",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("index")
    write_index(folder, documents_of(TEXTS))
    return Index.open(folder)


def found(index: Index, query: str, top: int = 100) -> set[int]:
    """Return the numbers of the texts that match; they are in the URLs."""
    return {int(hit.url.rsplit("/", 1)[1]) for hit in index.search(query, top).hits}


def has_phrase(tokens: Sequence[str], terms: tuple[str, ...]) -> bool:
    return any(
        tuple(tokens[start : start + len(terms)]) == terms for start in range(len(tokens) + 1)
    )


def slow_scores(documents: Sequence[SmallDocument], clauses: list[Clause]) -> dict[int, float]:
    """Return the score of every document that matches, one document and one term at a time."""
    tokens = {d.doc_id: tokenize(d.text) for d in documents if d.indexed}
    mean = sum(map(len, tokens.values())) / max(1, len(tokens))
    scores = {}
    for doc_id, own in tokens.items():
        matching = [clause for clause in clauses if has_phrase(own, clause.terms)]
        if not matching or any(c.required and c not in matching for c in clauses):
            continue
        scores[doc_id] = 0.0
        for term in (term for clause in matching for term in clause.terms):
            tf = Counter(own)[term]
            df = sum(term in other for other in tokens.values())
            idf = math.log(1 + (len(tokens) - df + 0.5) / (df + 0.5))
            scores[doc_id] += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * len(own) / mean))
    return scores


def test_any_bare_word_matches(index: Index) -> None:
    """Without a phrase, a document matches if it has any of the words."""
    assert found(index, "red light") == {0, 2, 3}


def test_phrase_is_exact(index: Index) -> None:
    """A phrase matches where its terms stand at consecutive positions, whatever their case."""
    assert found(index, '"sealed beam"') == {1, 4}
    assert found(index, '"Beam LAMP"') == {1}
    assert found(index, '"lamp beam"') == set()


def test_phrases_are_required_and_words_are_not(index: Index) -> None:
    """All phrases must match; bare words beside them only add to the score."""
    assert found(index, '"sealed beam" red') == {1, 4}
    assert found(index, '"sealed beam" "works in dirt"') == {1}
    plain, with_word = (index.search(q).hits for q in ('"sealed beam"', '"sealed beam" rain'))
    with_rain = 1 << 32
    before, after = (
        next(hit.score for hit in hits if hit.doc_id == with_rain) for hits in (plain, with_word)
    )
    assert after > before


def test_phrase_of_one_word_is_required(index: Index) -> None:
    """Quotation marks round a single word make it required."""
    assert found(index, '"red" lamp') == {0, 3}


def test_repeated_words_in_a_phrase(index: Index) -> None:
    """A phrase may have a term more than once."""
    assert found(index, '"red red red"') == {3}
    assert found(index, '"red red red red"') == set()
    assert found(index, '"sealed beam sealed beam"') == {4}


def test_repeated_query_word_counts_twice(index: Index) -> None:
    """A word that is said twice adds its score twice."""
    once, twice = (index.search(q).hits[0] for q in ("light", "light Light"))
    assert twice.score == pytest.approx(2 * once.score, rel=1e-12)


def test_run_of_han_is_an_optional_phrase(index: Index) -> None:
    """Bare characters without spaces between them are searched together, and not required."""
    assert found(index, "\u6771\u4eac") == {7}
    assert found(index, "\u6771\u4eac light") == {2, 7}
    assert found(index, "\u6771 \u4eac") == {7, 8}


@pytest.mark.parametrize("query", ["", "   ", "!?", '""', '"', '"..." -', "\u200b", "unheard-of"])
def test_query_that_finds_nothing(index: Index, query: str) -> None:
    """A query without words, or of unknown words, has an empty answer and is no error."""
    wanted = {"query": query, "total": 0, "hits": ()}
    if query != "unheard-of":  # "of" is a word of two texts
        assert wanted == index.search(query).to_dict()
    assert index.search("unheard").total == 0


def test_required_unknown_phrase_finds_nothing(index: Index) -> None:
    """A required word that no document has leaves nothing, whatever else is asked."""
    assert found(index, '"unheard" lamp') == set()


def test_unbalanced_quotation_mark_is_text(index: Index) -> None:
    """A quotation mark without a partner does not make a phrase."""
    assert found(index, 'red "light beam') == found(index, "red light beam")
    assert found(index, '"sealed beam" "red') == {1, 4}


def test_long_query(index: Index) -> None:
    """A query of ten thousand characters is answered like its words, repeated."""
    once = index.search("lamp red").hits
    many = index.search("lamp red " * 1111).hits
    assert [hit.doc_id for hit in once] == [hit.doc_id for hit in many]
    assert many[0].score == pytest.approx(1111 * once[0].score, rel=1e-9)
    assert index.search("x" * 10_000).total == 0
    assert index.search('"' + "lamp " * 2000 + '"').total == 0
    assert index.search(" ".join(f"word{i}" for i in range(1250))).total == 0


def test_ties_ascend_by_document(tmp_path: Path) -> None:
    """Equal scores are ordered by document number, also at the edge of what is shown."""
    documents = documents_of(["same words"] * 9 + ["same"], parts=3)
    write_index(tmp_path, documents)
    hits = Index.open(tmp_path).search("words", top=4).hits
    assert sorted(d.doc_id for d in documents[:9])[:4] == [hit.doc_id for hit in hits]
    assert [hit.rank for hit in hits] == [1, 2, 3, 4]
    assert len({hit.score for hit in hits}) == 1


def test_duplicates_are_not_found(tmp_path: Path) -> None:
    """A stored duplicate is in no answer and in no figure that scores stand on."""
    documents = [SmallDocument(0, "lamp oil"), SmallDocument(1, "lamp lamp", indexed=False)]
    write_index(tmp_path, documents)
    results = Index.open(tmp_path).search("lamp")
    assert results.total == 1
    assert results.hits[0].score == pytest.approx(math.log(1 + 0.5 / 1.5))


def test_empty_index(tmp_path: Path) -> None:
    """An index without documents answers, with nothing."""
    write_index(tmp_path, [])
    assert Index.open(tmp_path).search("lamp").total == 0


@pytest.mark.parametrize("top", [0, -1])
def test_top_is_positive(index: Index, top: int) -> None:
    """Asking for no hits is a mistake in the call."""
    with pytest.raises(UsageError, match="at least one hit"):
        index.search("lamp", top)


def test_total_counts_all_matches(index: Index) -> None:
    """`total` does not depend on how many hits are shown."""
    assert index.search("lamp red", top=1).total == 4
    assert len(index.search("lamp red", top=1).hits) == 1


def test_answer_as_json(index: Index) -> None:
    """The answer has the documented JSON form."""
    content = json.loads(json.dumps(index.search('"light sealed"').to_dict()))
    (hit,) = content.pop("hits")
    assert content == {"query": '"light sealed"', "total": 1}
    assert hit.pop("score") > 0
    assert hit == {
        "rank": 1,
        "doc_id": 1,
        "url": "http://example.org/2",
        "title": "T2",
        "snippet": "a beam of **light, sealed**",
    }


@pytest.mark.parametrize("name", ["", "absent", "file/below"])
def test_unfinished_index_is_refused(tmp_path: Path, name: str) -> None:
    """Where there is no manifest there is no index, and the message says so."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UsageError, match="no finished index here"):
        Index.open(tmp_path / name)


def test_manifest_without_a_shard_is_refused(tmp_path: Path) -> None:
    """An index whose manifest lacks a shard cannot pass for one without the words."""
    manifest = write_index(tmp_path, documents_of(TEXTS))
    missing = dataclasses.replace(manifest, files=manifest.files[:-1])
    (tmp_path / "manifest.json").write_bytes(encode_manifest(missing))
    with pytest.raises(IntegrityError, match="2 shards"):
        Index.open(LocalFolder(tmp_path))


words = st.sampled_from(
    ["ab", "Ab", "b", "c-d", "d", "\u00e9", "e\u0301", "\u6771\u4eac", "\u3042"]
)
texts = st.lists(words, max_size=12).map(" ".join)
queries = st.lists(words | st.just('"') | st.just("zz"), max_size=7).map(" ".join)


@given(
    st.lists(st.tuples(texts, st.booleans()), max_size=8),
    queries,
    st.integers(1, 3),
    st.integers(1, 4),
)
def test_scores_agree_with_a_slow_computation(
    tmp_path_factory: pytest.TempPathFactory,
    corpus: list[tuple[str, bool]],
    query: str,
    shards: int,
    group_rows: int,
) -> None:
    """On any corpus every query gives the documents, scores and order of the definition."""
    documents = [
        SmallDocument(((i % 2) << 32) + i, text, indexed=indexed)
        for i, (text, indexed) in enumerate(corpus)
    ]
    folder = tmp_path_factory.mktemp("index")
    write_index(folder, documents, shards=shards, group_rows=group_rows)
    expected = slow_scores(documents, parse_query(query))
    results = Index.open(folder).search(query, top=100)
    actual = {hit.doc_id: hit.score for hit in results.hits}
    assert results.total == len(expected)
    assert actual == pytest.approx(expected, rel=1e-9)
    assert list(results.hits) == sorted(results.hits, key=lambda hit: (-hit.score, hit.doc_id))


def test_search_imports_no_heavy_package(tmp_path: Path) -> None:
    """A cold search starts without pandas and Apache Beam."""
    write_index(tmp_path, documents_of(TEXTS))
    program = (
        "import sys; from sealedbeam.pipeline.index.search import Index;"
        f"hits = Index.open({str(tmp_path)!r}).search('\"sealed beam\" \u6771\u4eac lamp').hits;"
        "print(len(hits), sorted({'pandas', 'apache_beam', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert run.stdout == "2 []\n"
