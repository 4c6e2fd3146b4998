"""Tool calls found in streams: each format, what is no call, and any cutting of the text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openhearth.inference.tool_format import FORMATS
from openhearth.inference.tools import Arguments, ToolCall, ToolParser

CALL = '{"name": "add", "arguments": {"a": 1, "b": "}\\"{"}}'
ADD = ("add", '{"a": 1, "b": "}\\"{"}')
F_LATE = ("f", '{"a": {}}')


Outcome = list[str | tuple[str, str]]  # texts, and calls by their names and arguments


def parse(form: str, pieces: Sequence[str]) -> Outcome:
    """All that comes out, with neighbouring texts and the arguments of each call joined."""
    parser, joined, count = ToolParser(FORMATS[form]), [], 0
    for one in [*(one for piece in pieces for one in parser.push(piece)), *parser.finish()]:
        last = joined[-1] if joined else None
        if isinstance(one, ToolCall):
            assert one.index == count
            joined.append((one.name, ""))
            count += 1
        elif isinstance(one, Arguments):
            assert isinstance(last, tuple)
            assert one.index == count - 1
            joined[-1] = (last[0], last[1] + one.text)
        elif isinstance(last, str):
            joined[-1] = last + one
        else:
            joined.append(one)
    return joined


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("hermes", f"Well.\n<tool_call>\n{CALL}\n</tool_call>", ["Well.\n", ADD]),
        ("hermes", "1 < 2 and <tool_ca", ["1 < 2 and <tool_ca"]),
        ("llama3", '{"name": "f", "parameters": {}}', [("f", "{}")]),
        (
            "llama3",
            '\n{"name": "f", "parameters": {}}; {"name": "g", "parameters": { "x" : [1]}}',
            [("f", "{}"), ("g", '{ "x" : [1]}')],
        ),
        ("llama3", f"<|python_tag|>{CALL} then", [ADD, " then"]),
        ("llama3", '{"answer": 42}', ['{"answer": 42}']),
        ("llama3", f"See: {CALL}", [f"See: {CALL}"]),
        ("hermes", '<tool_call>{"arguments": {"a": {}}, "name": "f"}</tool_call>', [F_LATE]),
        ("mistral", f"[TOOL_CALLS] [{CALL}, {CALL}]", [ADD, ADD]),
        ("mistral", f"ok [TOOL_CALLS][{CALL}]", ["ok ", ADD]),
    ],
)
def test_calls_in_each_format(form: str, text: str, expected: Outcome) -> None:
    assert parse(form, [text]) == expected
    assert parse(form, list(text)) == expected


def test_several_calls_are_counted_and_the_text_between_them_stays() -> None:
    block = f"<tool_call>{CALL}</tool_call>"
    assert parse("hermes", [f"{block}\n{block}."]) == [ADD, "\n", ADD, "."]
    parser = ToolParser(FORMATS["hermes"])
    first, second = (one for one in parser.push(block * 2) if isinstance(one, ToolCall))
    assert first.id != second.id
    assert len(first.id) == 9


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_call_begins_when_its_arguments_do_and_these_come_as_they_are_written(form: str) -> None:
    bracket = "[" if FORMATS[form].bracket == "[" else ""
    parser = ToolParser(FORMATS[form])
    assert not parser.push(FORMATS[form].opening + bracket + ' {"name": "f", "arguments": ')
    assert parser.push("{") == [ToolCall(0, "f"), Arguments(0, "{")]
    for piece in ('"a', '": "<', '}"', ', "b": {"c"', ": 1", "}"):
        assert parser.push(piece) == [Arguments(0, piece)]
    assert parser.push("}") == [Arguments(0, "}")]
    assert not parser.push("}")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[1]",
        '{"name": "f"}',
        '{"name": 1, "arguments": {}}',
        '{"name": "f", "arguments": "{}"}',
        '{"name": "f" "arguments": {}}',
        "{" + '"a": [' * 3000 + "]" * 3000 + "}",
    ],
)
def test_a_malformed_call_is_text_and_the_next_one_is_a_call(body: str) -> None:
    bad, good = f"<tool_call>{body}</tool_call>", f"<tool_call>{CALL}</tool_call>"
    assert parse("hermes", [bad + good]) == [bad, ADD]


@pytest.mark.parametrize(
    ("body", "arguments", "rest"),
    [
        ('{"a": 1}', '{"a": 1}', ""),  # without its last bracket
        ('{"a": 1}}x', '{"a": 1}', "x</tool_call>"),
        ('{"a": 1}, "b"; ', '{"a": 1}', ', "b"; </tool_call>'),
        ('{"a": 1,}}', '{"a": 1,}', ""),  # is not checked
        ('{"a": NaN}}', '{"a": ', "NaN}}</tool_call>"),
        ('{"a": 1', '{"a": 1', ""),
    ],
)
def test_a_call_that_breaks_off_ends_there_and_the_next_one_is_a_call(
    body: str, arguments: str, rest: str
) -> None:
    bad = f'<tool_call>{{"name": "f", "arguments": {body}</tool_call>'
    good = f"<tool_call>{CALL}</tool_call>"
    between = [rest] if rest else []
    assert parse("hermes", [bad + good]) == [("f", arguments), *between, ADD]


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_answer_may_end_anywhere(form: str) -> None:
    opening, closing = FORMATS[form].opening, FORMATS[form].closing
    brackets = ("[", "]") if FORMATS[form].bracket == "[" else ("", "")
    whole = f"{opening}{brackets[0]}{CALL}{brackets[1]}{closing}"
    begins = whole.index('{"a"')
    for end in range(1, len(whole)):
        text = whole[:end]
        arguments = text[begins:][: len(ADD[1])]
        assert parse(form, [text]) == ([("add", arguments)] if arguments else [text])


fragments = st.sampled_from(
    [
        *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "<tool", "[", "]", ", "),
        *(CALL, f"[{CALL}]", f"<tool_call>{CALL}</tool_call>", '{"name": "f", "parameters": {}}'),
        *("{", "}", '"', "\\", ";", "\n", " ", "text", '{"name":', "é😀"),
    ]
)


@given(
    form=st.sampled_from(sorted(FORMATS)),
    parts=st.lists(fragments, max_size=12),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
@example(form="hermes", parts=["<tool", "<tool_call>", CALL, "</tool_call>"], cuts=[3, 9, 20])
def test_any_cutting_gives_the_same_and_all_of_the_text(
    form: str, parts: list[str], cuts: list[int]
) -> None:
    text = "".join(parts)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    outcome = parse(form, [text[a:b] for a, b in itertools.pairwise(edges)])
    assert outcome == parse(form, [text])
    assert follows(form, text, outcome)


def follows(form: str, text: str, outcome: Outcome) -> bool:
    """Whether the text is nothing but what came out, in its order, and what marks calls."""
    around = {
        "hermes": (r"<tool_call>\s*", r"(\s*(</tool_call>|(<[/a-z_]*)?\Z))?"),
        "llama3": (r"(<\|python_tag\|>)?[\s;]*", ""),
        "mistral": (r"(\[TOOL_CALLS\]\s*\[|\s*,)\s*", r"(\s*\]|\s*(,\s*(\{.*)?)?\Z)?"),
    }
    pattern = ""
    for one in outcome:
        if isinstance(one, str):
            pattern += re.escape(one)
        else:
            before, after = around[form]
            inside = rf'"name": "{one[0]}", "\w+": {re.escape(one[1])}'
            pattern += rf"{before}\{{{inside}\}}{after}"
    return re.fullmatch(pattern, text, re.DOTALL) is not None


@pytest.mark.parametrize("trap", ["{", '{"', '{"a": "', "{\\", ""])
def test_a_long_row_of_beginnings_is_text(trap: str) -> None:
    text = f"<tool_call>{trap}" * 10_000  # would take hours if each were read to the end
    assert parse("hermes", [text]) == [text]
