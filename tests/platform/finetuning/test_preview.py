"""What a run would learn from, token by token, of every format, by Together's own types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from together.types import FineTunePreviewResponse

from openhearth.data import Tokenizer
from openhearth.errors import UsageError
from openhearth.platform.finetuning import Asked, PreviewReply, PreviewRequest
from openhearth.platform.finetuning.preview import MASKED
from openhearth.store import Store

CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "1 and 1?"}]},
    {"role": "assistant", "content": "Hm.", "weight": 0},
    {"role": "user", "content": "Well?"},
    {"role": "assistant", "content": "Two."},
]
TOOLS = {
    "messages": [
        {"role": "user", "content": "1 and 1?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "2"},
        {"role": "assistant", "content": "Two."},
    ],
    "tools": [{"type": "function", "function": {"name": "add", "parameters": {}}}],
}
SIDES = {
    "preferred_output": TALK[-1:],
    "non_preferred_output": [{"role": "assistant", "content": "Hm."}],
}
FORMATS: dict[str, tuple[dict[str, Any], str, list[list[str]]]] = {
    "messages": ({"messages": TALK}, "conversation", [["Two.<|im_end|>"]]),
    "tools": (
        TOOLS,
        "conversation",
        [
            [
                '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call><|im_end|>',
                "Two.<|im_end|>",
            ]
        ],
    ),
    "prompt": ({"prompt": "1 + 1 =", "completion": " 2"}, "instruction", [[" 2<|im_end|>"]]),
    "text": ({"text": "Two."}, "general", [["wo.</s>"]]),
    "preference": (
        {"input": {"messages": TALK[:2]}} | SIDES,
        "preference",
        [["Two.<|im_end|>"], ["Hm.<|im_end|>"]],
    ),
    "chosen": (
        {"prompt": "1 + 1 =", "chosen": " 2", "rejected": " 3"},
        "preference",
        [[" 2<|im_end|>"], [" 3<|im_end|>"]],
    ),
}


@pytest.fixture
def shown(store: Store, tmp_path: Path) -> Any:
    """The reply about rows of a file."""

    def show(rows: list[Any], **fields: Any) -> PreviewReply:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        request = PreviewRequest(model="tiny", training_file="file", **fields)
        return request.reply(Asked(store, "me", lambda _: path, lambda _: None))

    return show


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_learnt_of_every_format(name: str, shown: Any, store: Store) -> None:
    row, called, learnt = FORMATS[name]
    method = "dpo" if called == "preference" else "sft"
    reply = shown([row], training_method=method)
    tokenizer = Tokenizer.load(store.get("tiny"))
    found = [
        [
            tokenizer.decode(row.input_ids[start:stop], skip_special=False)
            for start, stop in row.trained_spans
        ]
        for row in reply.rows
    ]
    assert found == learnt
    assert reply.dataset_format == called
    for row in reply.rows:
        inside = {i for start, stop in row.trained_spans for i in range(start, stop)}
        expected = [t if i in inside else MASKED for i, t in enumerate(row.input_ids)]
        assert row.labels == expected
        assert len(row.tokens) == row.num_tokens == len(row.input_ids)
        assert row.num_trained_tokens == len(inside)
        assert not row.truncated


def test_it_is_what_their_client_reads(shown: Any) -> None:
    reply = shown([FORMATS["messages"][0]] * 3, top_k=2)
    theirs = FineTunePreviewResponse.model_validate(reply.model_dump())
    assert len(theirs.rows) == 2
    assert theirs.train_on_inputs is False


def test_prompts_may_count(shown: Any) -> None:
    (row,) = shown([FORMATS["prompt"][0]], train_on_inputs=True).rows
    assert row.trained_spans == [(1, row.num_tokens)]


def test_what_is_cut_is_said(shown: Any) -> None:
    (row,) = shown([{"prompt": "number ", "completion": "one two " * 2000}]).rows
    assert row.truncated
    assert row.trained_spans[-1][1] == row.num_tokens


def test_the_method_must_fit_the_file(shown: Any) -> None:
    with pytest.raises(UsageError, match="format `preference`, which sft does not learn from"):
        shown([FORMATS["preference"][0]])
    with pytest.raises(UsageError, match="format `text`, which dpo"):
        shown([FORMATS["text"][0]], training_method="dpo")
