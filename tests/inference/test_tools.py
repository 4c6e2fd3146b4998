"""Tool calls found in streams: each format, what is no call, and any cutting of the text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from openhearth.inference.tools import FORMATS, ToolCall, ToolParser, format_of

CALL = '{"name": "add", "arguments": {"a": 1, "b": "}\\"{"}}'
ADD = ("add", '{"a": 1, "b": "}\\"{"}')


def parse(form: str, pieces: Sequence[str]) -> list[str | ToolCall]:
    """All that comes out, neighbouring texts joined."""
    parser, joined = ToolParser(FORMATS[form]), []
    for one in [*(one for piece in pieces for one in parser.push(piece)), *parser.finish()]:
        if isinstance(one, str) and joined and isinstance(joined[-1], str):
            joined[-1] += one
        else:
            joined.append(one)
    return joined


def calls(*given: tuple[str, str]) -> list[ToolCall]:
    return [ToolCall(i, name, arguments) for i, (name, arguments) in enumerate(given)]


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ("hermes", f"Well.\n<tool_call>\n{CALL}\n</tool_call>", ["Well.\n", *calls(ADD)]),
        ("hermes", "1 < 2 and <tool_ca", ["1 < 2 and <tool_ca"]),
        ("llama3", '{"name": "f", "parameters": {}}', calls(("f", "{}"))),
        (
            "llama3",
            '\n{"name": "f", "parameters": {}}; {"name": "g", "parameters": { "x" : [1]}}',
            calls(("f", "{}"), ("g", '{ "x" : [1]}')),
        ),
        ("llama3", f"<|python_tag|>{CALL} then", [*calls(ADD), " then"]),
        ("llama3", '{"answer": 42}', ['{"answer": 42}']),
        ("llama3", f"See: {CALL}", [f"See: {CALL}"]),
        ("mistral", f"[TOOL_CALLS] [{CALL}, {CALL}]", calls(ADD, ADD)),
        ("mistral", f"ok [TOOL_CALLS][{CALL}]", ["ok ", *calls(ADD)]),
    ],
)
def test_calls_in_each_format(form: str, text: str, expected: list[str | ToolCall]) -> None:
    assert parse(form, [text]) == expected
    assert parse(form, list(text)) == expected


def test_several_calls_are_counted_and_the_text_between_them_stays() -> None:
    block = f"<tool_call>{CALL}</tool_call>"
    first, second = calls(ADD, ADD)
    assert parse("hermes", [f"{block}\n{block}."]) == [first, "\n", second, "."]
    assert first.id != second.id
    assert len(first.id) == 9


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        CALL[:-1],
        CALL + "x",
        "[1]",
        '{"name": "f"}',
        '{"name": 1, "arguments": {}}',
        '{"name": "f", "arguments": "{}"}',
        '{"name": "f", "arguments": {,}}',
        '{"name": "f", "arguments": {"a": NaN}}',
        '{"name": "f" "arguments": {}}',
        "{" + '"a": [' * 3000 + "]" * 3000 + "}",
    ],
)
def test_a_malformed_call_is_text_and_the_next_one_is_a_call(body: str) -> None:
    bad, good = f"<tool_call>{body}</tool_call>", f"<tool_call>{CALL}</tool_call>"
    assert parse("hermes", [bad + good]) == [bad, *calls(ADD)]


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


def follows(form: str, text: str, outcome: list[str | ToolCall]) -> bool:
    """Whether the text is nothing but what came out, in its order, and what marks calls."""
    around = {
        "hermes": (r"<tool_call>\s*", r"\s*</tool_call>"),
        "llama3": (r"(<\|python_tag\|>)?[\s;]*", ""),
        "mistral": (r"(\[TOOL_CALLS\]\s*\[|,)\s*", r"\s*\]?"),
    }
    pattern = ""
    for one in outcome:
        if isinstance(one, str):
            pattern += re.escape(one)
        else:
            before, after = around[form]
            inside = rf'"name": "{one.name}", "\w+": {re.escape(one.arguments)}'
            pattern += rf"{before}\{{{inside}\}}{after}"
    return re.fullmatch(pattern, text) is not None


@pytest.mark.parametrize("trap", ["{", '{"', '{"a": "', "{\\", ""])
def test_a_long_row_of_beginnings_is_text(trap: str) -> None:
    text = f"<tool_call>{trap}" * 10_000  # would take hours if each were read to the end
    assert parse("hermes", [text]) == [text]


@pytest.mark.parametrize(
    ("template", "form"),
    [
        ('{%- if tools %}<tool_call>\\n{"name": …}\\n</tool_call>', "hermes"),
        ("{{ '[TOOL_CALLS] [' }}", "mistral"),
        ('<|start_header_id|>assistant<|end_header_id|> {"name": …, "parameters": …}', "llama3"),
        ("<|im_start|>assistant", None),
    ],
)
def test_the_chat_template_tells_the_format(template: str, form: str | None) -> None:
    assert format_of(template) == (form and FORMATS[form])
