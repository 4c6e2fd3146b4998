"""Constraints: what they allow, force and refuse, token by token."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.tokenizer import Tokenizer
from openhearth.errors import HearthError, MissingExtra, UsageError
from openhearth.inference import Constraint
from openhearth.inference.constraint import MOST_CHARACTERS, Compiler, Masker, Masks, Matcher
from openhearth.inference.sampler import unpack

pytest.importorskip("llguidance")

PERSON = Constraint(
    "json_schema",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 8},
                "age": {"type": "integer", "minimum": 0, "maximum": 150},
                "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
            },
            "required": ["name", "age"],
            "additionalProperties": False,
        }
    ),
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<end>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(['{"name": "Ada", "age": 36} true false null'] * 3, trainer)
    return Tokenizer(backend, {"eos_token": "<end>"})


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> Compiler:
    return Compiler(tokenizer)


def allowed(mask: Masks, size: int) -> list[int]:
    return np.flatnonzero(unpack(mask, size)).tolist()


def ramble(matcher: Matcher, end: int, seed: int) -> list[int]:
    """Tokens chosen at random among those allowed, up to the end or for a while."""
    noise, answer = np.random.default_rng(seed), []
    for _ in range(200):
        token = int(noise.choice(allowed(matcher.mask(), matcher.vocab_size)))
        matcher.accept(token)
        if token == end:
            break
        answer.append(token)
    return answer


@given(seed=st.integers(0, 2**32))
def test_whatever_is_chosen_among_the_allowed_fits_the_schema(
    compiler: Compiler, tokenizer: Tokenizer, seed: int
) -> None:
    text = tokenizer.decode(ramble(compiler.matcher(PERSON), tokenizer.end_of_turn, seed))
    person = json.loads(text)
    assert list(person) in (["name", "age"], ["name", "age", "tags"])
    assert len(person["name"]) <= 8
    assert 0 <= person["age"] <= 150
    assert json.dumps(person).count(" ") == text.count(" ")  # one way to write it


@given(seed=st.integers(0, 2**32))
def test_a_regular_expression_matches_the_whole_answer(
    compiler: Compiler, tokenizer: Tokenizer, seed: int
) -> None:
    matcher = compiler.matcher(Constraint("regex", "[a-c]{2,4}-(12|7)"))
    text = tokenizer.decode(ramble(matcher, tokenizer.end_of_turn, seed))
    assert re.fullmatch("[a-c]{2,4}-(12|7)", text)


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8)


@given(choices=st.lists(texts, min_size=1, max_size=4), seed=st.integers(0, 2**32))
def test_a_choice_is_one_of_the_texts(
    compiler: Compiler, tokenizer: Tokenizer, choices: list[str], seed: int
) -> None:
    matcher = compiler.matcher(Constraint("choice", tuple(choices)))
    assert tokenizer.decode(ramble(matcher, tokenizer.end_of_turn, seed)) in choices


def test_a_grammar_nests(compiler: Compiler, tokenizer: Tokenizer) -> None:
    matcher = compiler.matcher(Constraint("grammar", 'start: "(" start ")" | "x"'))
    for token in tokenizer.encode("((x))"):
        assert not matcher.finished
        matcher.accept(token)
    assert matcher.finished
    assert allowed(matcher.mask(), matcher.vocab_size) == [tokenizer.end_of_turn]


def test_forced_tokens_are_those_that_the_tokenizer_writes(
    compiler: Compiler, tokenizer: Tokenizer
) -> None:
    matcher = compiler.matcher(PERSON)
    forced = matcher.forced()
    assert forced == tokenizer.encode('{"name": "A')[: len(forced)]
    assert tokenizer.decode(forced).startswith('{"name":')
    for token in forced:
        assert token in allowed(matcher.mask(), matcher.vocab_size)
        matcher.accept(token)


def test_a_token_that_may_not_follow_ends_the_matcher_for_good(
    compiler: Compiler, tokenizer: Tokenizer
) -> None:
    matcher = compiler.matcher(Constraint("regex", "a+"))
    with pytest.raises(HearthError, match="constraint"):
        matcher.accept(tokenizer.encode("b")[0])
    with pytest.raises(HearthError, match="constraint"):
        matcher.mask()
    assert compiler.matcher(Constraint("regex", "a+")).mask().any()


def test_masks_of_a_step_are_those_of_each_answer_alone(
    compiler: Compiler, tokenizer: Tokenizer
) -> None:
    a, b, c, x = (tokenizer.encode(letter)[0] for letter in "abcx")
    regex = Constraint("regex", "ab*c")
    failed = compiler.matcher(regex)
    with pytest.raises(HearthError):
        failed.accept(x)
    drafts: list[tuple[Matcher, Sequence[int]]] = [
        (compiler.matcher(PERSON), []),
        (compiler.matcher(regex), [a, b, c]),
        (compiler.matcher(regex), [x, b]),
        (failed, [a]),
    ]
    masker = Masker(threads=2)
    person, drafted, wrong, error = masker.begin(drafts).result()
    assert masker.begin([]).result() == []
    assert np.array_equal(masker.begin(drafts[:1]).result()[0], person)
    assert np.array_equal(masker.begin(drafts[1:2]).result()[0], drafted)
    masker.close()
    assert np.array_equal(person, compiler.matcher(PERSON).mask()[None])
    size = tokenizer.vocab_size
    assert [allowed(row, size) for row in drafted] == [
        [a],
        sorted([b, c]),
        sorted([b, c]),
        [tokenizer.end_of_turn],
    ]
    assert allowed(wrong[0], size) == [a]
    assert not wrong[1:].any()
    assert isinstance(error, HearthError)
    assert allowed(drafts[1][0].mask(), size) == [a]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("json_schema", '{"type": "integer", "minimum": 5, "maximum": 3}'),
        ("json_schema", '{"type": "no such type"}'),
        ("json_schema", '{"type": '),
        ("json_schema", "[1]"),
        ("json_schema", "false"),
        ("json_schema", '{"$ref": "#"}'),
        ("json_schema", '{"$ref": "http://example.com/schema"}'),
        ("json_schema", '{"items": ' * 500 + "{}" + "}" * 500),
        ("json_schema", "[" * 60_000),
        ("regex", "("),
        ("regex", r"[^\s\S]"),
        ("regex", "x" * (MOST_CHARACTERS + 1)),
        ("grammar", "start: missing"),
        ("grammar", 'start: start "a"'),
        ("choice", ()),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_kind(
    compiler: Compiler, kind: str, value: str
) -> None:
    with pytest.raises(UsageError, match=f"^The {kind} constraint"):
        compiler.matcher(Constraint(kind, value))  # type: ignore[arg-type]


def test_without_the_library_it_is_said_what_to_install(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(MissingExtra, match=r"openhearth\[constraints\]"):
        Compiler(tokenizer)
