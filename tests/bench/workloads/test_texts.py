from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from openhearth.bench.draws import fair, stream
from openhearth.bench.workloads.facts import Facts, fields, json_type
from openhearth.bench.workloads.lexicon import frames, words
from openhearth.bench.workloads.names import Names
from openhearth.bench.workloads.texts import SLOT, Writer, finish

SEEDS = st.integers(0, 2**256)


@given(seed=SEEDS)
def test_sentences_are_whole(seed: int) -> None:
    writer = Writer(stream(seed))
    for _ in range(40):
        sentence = writer.sentence()
        assert re.fullmatch(r'["A-Z].*[.?!]', sentence), sentence
        assert not re.search(r"[{}]|  |\b[Aa] [aeiou]|\b[Aa]n [b-df-hj-np-tv-z]", sentence), (
            sentence
        )


def test_every_class_of_a_frame_has_words() -> None:
    for kind in ("sentence", "question", "opening", "following", "reply"):
        for frame in frames(kind):
            for slot in set(SLOT.findall(frame)) - {"name", "place"}:
                assert len(words(slot)) == len(set(words(slot))) > 10
                assert all(words(slot))


def test_no_frame_comes_again_before_all_others() -> None:
    writer, beginnings = Writer(stream(4)), set()
    for _ in frames("sentence"):
        beginnings.add(writer.sentence())
    assert len(beginnings) == len(frames("sentence"))


@settings(max_examples=20)
@given(seed=SEEDS)
def test_names_are_given_once(seed: int) -> None:
    names = Names(stream(seed))
    people = [names.person() for _ in range(300)]
    places = [names.place() for _ in range(300)]
    assert len({*people, *places}) == 600
    assert all(re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", person) for person in people)
    assert not any(re.search(r"[aeiou]{3}", name.lower()) for name in (*people, *places))


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_fact_is_told_and_asked_and_unlike_others_of_its_kind(seed: int) -> None:
    rng = stream(seed)
    facts = Facts(rng, Names(rng))
    for field in fields():
        told = [facts.fact(field) for _ in range(5)]
        assert len({fact.name for fact in told}) == len({fact.value for fact in told}) == 5
        for fact in told:
            assert fact.name in fact.sentence
            assert str(fact.value).lower() in fact.sentence.lower()
            assert fact.name in fact.question
            assert not re.search(rf"\b{fact.value}\b", fact.question)
            assert isinstance(fact.value, int) == (json_type(field) == "integer")


def test_an_is_said_before_vowels() -> None:
    assert finish("a old oar is a thing.") == "An old oar is a thing."
    assert finish('"a egg," she said.') == '"An egg," she said.'


def test_random_numbers_depend_on_seed_and_purpose_alone() -> None:
    # hashlib.sha256(b"7/a/1") into random.Random, as computed once by hand with Python 3.11.
    assert stream(7, "a", 1).getrandbits(32) == 4161288362
    assert stream(7, "a", 1).random() == stream(7, "a", 1).random()
    assert (
        len({stream(*x).random() for x in ((7,), (7, "a"), (7, "b"), (8, "a"), (7, "a", 1))}) == 5
    )


@given(count=st.integers(0, 500), share=st.floats(0, 1))
def test_a_fair_share_is_exact(count: int, share: float) -> None:
    assert sum(fair(stream(count), count, share)) == round(count * share)
