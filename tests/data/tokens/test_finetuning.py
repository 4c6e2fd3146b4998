"""Rows as tokens: what counts, what is cut, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openhearth.data import Tokenizer, TokenShards
from openhearth.data.tokens import encode, tokenize_file
from openhearth.data.tokens.spans import encode_messages, encode_row, runs
from openhearth.errors import UsageError
from openhearth.store import Artifact, Store
from tests.data.tokens.test_formats import ASKED, GOOD, SAID, write


@pytest.fixture
def tokenizer(small: Artifact) -> Tokenizer:
    return Tokenizer.load(small)


def counted(tokenizer: Tokenizer, name: str, row: Any, inputs: Any = "auto") -> list[list[str]]:
    """The texts that count of each sequence."""
    return [
        [tokenizer.decode(ids, skip_special=False) for ids, counts in runs(encoded) if counts]
        for encoded in encode_row(tokenizer, name, row, inputs)
    ]


def test_of_a_conversation_the_answers_count(tokenizer: Tokenizer) -> None:
    row = {"messages": [*ASKED, *SAID, *ASKED, {"role": "assistant", "content": "Four."}]}
    assert counted(tokenizer, "messages", row) == [["4<|im_end|>", "Four.<|im_end|>"]]
    row["messages"][1] = SAID[0] | {"weight": 0}
    assert counted(tokenizer, "messages", row) == [["Four.<|im_end|>"]]
    (encoded,) = encode_row(tokenizer, "messages", row, "auto")
    whole = tokenizer.chat(row["messages"]).rstrip("\n")
    assert tokenizer.decode(encoded.ids, skip_special=False) == whole


def test_one_turn_is_what_it_is_in_a_dataset(tokenizer: Tokenizer) -> None:
    messages = [*ASKED, *SAID]
    ids, counts = encode(tokenizer, messages)
    encoded = encode_messages(tokenizer, messages)
    assert (encoded.ids, encoded.counts) == (ids, [bool(c) for c in counts])


def test_prompts_count_where_that_is_wanted(tokenizer: Tokenizer) -> None:
    assert counted(tokenizer, "prompt", GOOD["prompt"]) == [[" 4<|im_end|>"]]
    (text,) = counted(tokenizer, "prompt", GOOD["prompt"], True)[0]
    assert "2 + 2 = 4<|im_end|>".endswith(text)
    assert len(text) > len(" 4<|im_end|>")
    (text,) = counted(tokenizer, "text", GOOD["text"])[0]
    assert text.endswith(" four.</s>")


@pytest.mark.parametrize("name", ["preference", "chosen"])
def test_of_a_preference_the_chosen_answer_comes_first(tokenizer: Tokenizer, name: str) -> None:
    assert counted(tokenizer, name, GOOD[name]) == [["4<|im_end|>"], ["5<|im_end|>"]]


def test_sides_may_be_messages(tokenizer: Tokenizer) -> None:
    row = {"prompt": ASKED, "chosen": SAID, "rejected": "5"}
    assert counted(tokenizer, "chosen", row) == counted(tokenizer, "preference", GOOD["preference"])


def test_pairs_are_texts(tokenizer: Tokenizer) -> None:
    assert len(encode_row(tokenizer, "pairs", GOOD["pairs"], "auto")) == 3
    assert len(encode_row(tokenizer, "pairs", {"anchor": "a", "positive": "b"}, "auto")) == 2


def test_a_template_that_rewrites_what_was_said_learns_the_last_answer(small: Artifact) -> None:
    """As those do that leave the thoughts of earlier turns out."""
    settings = json.loads(small.path("tokenizer_config.json").read_bytes())
    settings["chat_template"] = (
        "{% for m in messages %}<|im_start|>{{ m.role }} "
        "{{ m.content if loop.last or m.role == 'user' else '...' }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant {% endif %}"
    )
    import tokenizers

    backend = tokenizers.Tokenizer.from_file(str(small.path("tokenizer.json")))
    rewriting = Tokenizer(backend, settings)
    row = {"messages": [*ASKED, *SAID, *ASKED, {"role": "assistant", "content": "Four."}]}
    assert counted(rewriting, "messages", row) == [["Four.<|im_end|>"]]


def test_what_is_cut_and_left_out_is_counted(store: Store, small: Artifact, tmp_path: Path) -> None:
    long = "x y z " * 200
    path = write(
        tmp_path / "train.jsonl",
        GOOD["prompt"],
        {"prompt": "a", "completion": long},
        {"prompt": long, "completion": "a"},
        {"prompt": "a", "completion": " "},
    )
    silent = {"messages": [*ASKED, SAID[0] | {"weight": 0}]}
    nothing = write(tmp_path / "nothing.jsonl", silent)
    with pytest.raises(UsageError, match="1 have empty answers"):
        tokenize_file(store, nothing, small)
    made = tokenize_file(store, path, small, heldout=path, max_tokens=64)
    said = made.manifest.metrics["train"]
    assert said["lines"] == {"truncated": [2], "too_long": [3], "empty": [4]}
    assert [said[n] for n in ("examples", "truncated", "too_long", "empty")] == [2, 1, 1, 1]
    assert (said["format"], said["sequences"]) == ("prompt", 1)
    for split in ("train", "heldout"):
        shards = TokenShards.open(made, split)
        assert len(shards) == 2
        assert shards.lengths.max() == 64
        assert shards.source(1) == "line 2"
    assert tokenize_file(store, path, small, heldout=path, max_tokens=64) == made


def test_a_file_of_nothing_is_refused(store: Store, small: Artifact, tmp_path: Path) -> None:
    path = write(tmp_path / "empty.jsonl", {"prompt": "a", "completion": ""})
    with pytest.raises(UsageError, match="1 have empty answers"):
        tokenize_file(store, path, small)
    path = write(tmp_path / "some.jsonl", GOOD["pairs"], {"anchor": "a", "positive": "b"})
    with pytest.raises(UsageError, match="Some lines of"):
        tokenize_file(store, path, small)
