"""Grammars of calls: whatever may be written is parsed as sound calls, or is the other answer."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.tokenizer import Tokenizer
from openhearth.inference import BadConstraint, Constraint
from openhearth.inference.constraint import Compiler
from openhearth.inference.sampler import unpack
from openhearth.inference.tool_format import FORMATS
from openhearth.inference.tool_grammar import ANYTHING, Tool, call_grammar
from openhearth.inference.tools import Arguments, ToolCall, ToolParser

pytest.importorskip("llguidance")

TOOLS = [
    Tool(
        "weather",
        {
            "properties": {"city": {"$ref": "#/$defs/city"}},
            "required": ["city"],
            "additionalProperties": False,
            "$defs": {"city": {"enum": ["Oslo", "Rome"]}},
        },
    ),
    Tool("now", {"type": "object", "properties": {}, "additionalProperties": False}),
]
NUMBER = Constraint("json_schema", '{"type": "integer", "minimum": 0, "maximum": 9}')


@pytest.fixture(scope="module", params=[True, False], ids=["markers are tokens", "plain markers"])
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    backend = tokenizers.Tokenizer(tokenizers.models.BPE())
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<end>", "[TOOL_CALLS]", "<|python_tag|>"] if request.param else ["<end>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(['{"name": "weather", "arguments": {}}'] * 3, trainer)
    if request.param:
        names = ("<tool_call>", "</tool_call>")
        backend.add_tokens([tokenizers.AddedToken(name, special=False) for name in names])
    return Tokenizer(backend, {"eos_token": "<end>"})


@pytest.fixture(scope="module")
def compiler(tokenizer: Tokenizer) -> Compiler:
    return Compiler(tokenizer)


def written(compiler: Compiler, tokenizer: Tokenizer, form: Constraint, seed: int) -> str:
    """An answer of random tokens among those allowed, which ends as soon as it may."""
    matcher, noise, answer = compiler.matcher(form), np.random.default_rng(seed), []
    end = tokenizer.end_of_turn
    for _ in range(400):
        allowed = np.flatnonzero(unpack(matcher.mask(), matcher.vocab_size))
        token = end if end in allowed and noise.random() < 0.5 else int(noise.choice(allowed))
        matcher.accept(token)
        if token == end:
            return tokenizer.decode(answer, skip_special=False)
        answer.append(token)
    pytest.fail("the answer does not end")


@given(
    name=st.sampled_from(sorted(FORMATS)),
    several=st.booleans(),
    otherwise=st.sampled_from([None, NUMBER]),
    seed=st.integers(0, 2**32),
)
def test_answers_are_sound_calls_or_the_other_answer(
    compiler: Compiler,
    tokenizer: Tokenizer,
    name: str,
    several: bool,
    otherwise: Constraint | None,
    seed: int,
) -> None:
    form = FORMATS[name]
    grammar = call_grammar(form, TOOLS, tokenizer.marker, several=several, otherwise=otherwise)
    text = written(compiler, tokenizer, grammar, seed)
    parser = ToolParser(form)
    parts = [*parser.push(text), *parser.finish()]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    rest = "".join(part for part in parts if isinstance(part, str)).strip()
    if not calls:
        assert otherwise is not None
        assert 0 <= json.loads(rest) <= 9
        return
    assert not rest
    assert several or len(calls) == 1
    for call in calls:
        pieces = (part for part in parts if isinstance(part, Arguments))
        arguments = json.loads("".join(p.text for p in pieces if p.index == call.index))
        assert arguments == {} if call.name == "now" else arguments["city"] in ("Oslo", "Rome")


@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_beside_free_text_only_sound_calls_begin(
    compiler: Compiler, tokenizer: Tokenizer, name: str, several: bool
) -> None:
    form = FORMATS[name]
    grammar = call_grammar(form, TOOLS, tokenizer.marker, several=several, otherwise=ANYTHING)

    def fits(text: str) -> bool:
        matcher = compiler.matcher(grammar)
        for token in [*tokenizer.encode(text), tokenizer.end_of_turn]:
            if not unpack(matcher.mask(), matcher.vocab_size)[token]:
                return False
            matcher.accept(token)
        return True

    head = "" if form.bare else form.opening
    ends = ("[", "]") if form.bracket == "[" else ("", "")
    call = f'{ends[0]}{{"name": "now", "{form.arguments}": {{}}}}{ends[1]}{form.closing}'
    assert fits("It is noon.")
    assert fits(f"{head}{call}")
    assert form.bare or fits(f"Let me look.{head}{call}")
    assert not fits(head + call.replace("now", "never"))
    assert not fits(head + call.replace("{}", '{"x": 1}'))


def test_beside_tools_an_answer_may_be_json_only(tokenizer: Tokenizer) -> None:
    with pytest.raises(BadConstraint, match="JSON"):
        call_grammar(
            FORMATS["hermes"],
            TOOLS,
            tokenizer.marker,
            several=True,
            otherwise=Constraint("regex", "a"),
        )
