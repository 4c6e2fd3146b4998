"""Parts that stood before: paragraphs, lines and runs of words, found in order and cut out."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.data import pipeline
from openhearth.data.dedup import Cut, Paragraphs, Substrings, find_repeated
from openhearth.data.dedup.spans import Parts
from openhearth.data.executors import Threads
from openhearth.data.forms import Parquet
from openhearth.data.schema import Corpus
from openhearth.data.signals.views import normalise
from openhearth.errors import UsageError
from tests.data.dedup.texts import EDGES, corpus_of

METHODS: list[Parts] = [Paragraphs(), Paragraphs(normalised=True), Substrings(3), Substrings(13)]
lines = st.lists(st.sampled_from(["a", "A.", "b c", "", " ", "\u2028", "-", "é\r"]), max_size=8)
texts = st.one_of(st.text(max_size=60), lines.map("\n".join), st.sampled_from(EDGES))


def cut(corpus: Corpus, parts: Parts, work: Path, **options: object) -> list[str]:
    """The texts that are left."""
    found = find_repeated(corpus, parts, work, **options)
    report = pipeline.run(corpus, Cut(found), Parquet(), work / "cut", options.get("executor"))
    found.remember()
    tables = [pa.parquet.read_table(path) for path in report.files]
    return pa.concat_tables(tables).column("text").to_pylist()


@pytest.mark.parametrize("parts", METHODS, ids=lambda parts: parts.name)
@given(st.lists(texts | st.none(), max_size=5))
def test_native_keys_are_as_plain(parts: Parts, found: list[str | None]) -> None:
    for kind in (pa.string(), pa.large_string()):
        fast, plain = (parts.keys(pa.array(found, kind), native=native) for native in (True, False))
        assert np.array_equal(fast[0], plain[0])
        assert np.array_equal(fast[1], plain[1])


@given(texts, st.booleans(), st.data())
def test_paragraphs_make_up_the_text(text: str, normalised: bool, data: st.DataObject) -> None:
    parts = Paragraphs(normalised)
    keys, _ = parts.keys(pa.array([text]))
    nothing, counts = parts.cut(pa.array([text]), np.ones(len(keys), bool))
    assert (nothing.to_pylist(), counts.tolist()) == ([""], [len(keys)])
    seen = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys))), bool
    )
    left, counts = parts.cut(pa.array(["before\n", text, None, "after"])[1:3], seen)
    whole = [part + "\n" for part in text.split("\n")]
    whole[-1] = whole[-1][:-1]
    kept = "".join(part for part, gone in zip(whole, seen, strict=False) if not gone)
    assert left.to_pylist() == [kept, ""]
    assert counts.tolist() == [seen.sum(), 0]


def test_the_first_of_equal_paragraphs_stays(tmp_path: Path) -> None:
    corpus = corpus_of(["a\nb\n\na\n", "x\n\nb\ny", "a\nb", "B!\nz"])
    assert cut(corpus, Paragraphs(), tmp_path) == ["a\nb\n\n", "x\n\ny", "B!\nz"]


def test_lines_are_equal_up_to_case_punctuation_and_spaces(tmp_path: Path) -> None:
    corpus = corpus_of(["a\nb\n\na\n", "x\n\nb\ny", " A.\nb", "B!\nz\n..."])
    assert cut(corpus, Paragraphs(normalised=True), tmp_path) == ["a\nb\n\n", "x\n\ny", "z\n..."]


def test_runs_of_earlier_documents_go(tmp_path: Path) -> None:
    texts = ["one two three four, one two three", "zero One TWO (three) five", "two three four\nx"]
    left = cut(corpus_of(texts), Substrings(3), tmp_path)
    assert left == [texts[0], "zero  five", "\nx"]


@settings(deadline=None)
@given(st.lists(lines.map("\n".join), max_size=8))
def test_what_is_left_is_what_a_set_leaves(found: list[str]) -> None:
    """With so few false positives there are none here."""
    seen: set[str] = set()
    expected = []
    for text in found:
        kept = []
        for part in text.split("\n"):
            if not part.strip() or part not in seen:
                kept.append(part)
            seen.add(part)
        expected.append(("\n".join(kept), kept))
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpus_of(found)
        repeated = find_repeated(corpus, Paragraphs(), Path(folder), false_positives=1e-8)
        left = [text for b in _placed(corpus) for text in repeated.cut(b)[0].to_pylist()]
    for text, (joined, kept) in zip(left, expected, strict=True):
        # Where the last paragraph went, the newline before it stays.
        assert text in (joined, joined + "\n")
        assert text.rstrip("\n").split("\n") == "\n".join(kept).rstrip("\n").split("\n")


def _placed(corpus: Corpus) -> list[pa.RecordBatch]:
    return [
        block.batch(corpus.quarantine).replace_schema_metadata({pipeline.PLACE: f"{i}:{j}"})
        for i, part in enumerate(corpus.parts)
        for j, block in enumerate(part.read(corpus.quarantine))
    ]


@pytest.mark.parametrize("parts", METHODS, ids=lambda parts: parts.name)
def test_any_number_of_threads_finds_the_same(parts: Parts, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    words = [f"w{i}" for i in random.integers(0, 300, 4000)]
    found = ["\n".join(" ".join(words[i + j : i + j + 3]) for j in range(30)) for i in range(300)]
    results = [
        cut(corpus_of(found), parts, tmp_path / str(n), executor=Threads(n)) for n in (1, 2, 5)
    ]
    assert results[0] == results[1] == results[2] != found


def test_a_filter_remembers_other_corpora(tmp_path: Path) -> None:
    index = tmp_path / "seen.bloom"
    options = {"index": index, "capacity": 10}
    assert cut(corpus_of(["a\nb", "c"]), Paragraphs(), tmp_path / "1", **options) == ["a\nb", "c"]
    assert cut(corpus_of(["b\nc\nd"]), Paragraphs(), tmp_path / "2", **options) == ["d"]
    # The same run again, as if it had been killed before its end was noted.
    assert cut(corpus_of(["b\nc\nd"]), Paragraphs(), tmp_path / "2", **options) == ["d"]
    with pytest.raises(UsageError, match="other settings"):
        cut(corpus_of(["a"]), Paragraphs(normalised=True), tmp_path / "3", **options)
    with pytest.raises(UsageError, match="made for 10 keys"):
        cut(corpus_of(["a\n" * 9]), Paragraphs(), tmp_path / "4", **options)


@given(texts)
def test_normalised_words_do_not_depend_on_what_is_around(text: str) -> None:
    """Lines can be normalised one by one."""
    whole = normalise(text).split()
    assert [w for line in text.split("\n") for w in normalise(line).split()] == whole
