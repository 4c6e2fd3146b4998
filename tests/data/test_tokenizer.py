"""Tokenizers: round trips, beginnings and ends, and templates that come from strangers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.tokenizer import Tokenizer, find_tokenizer
from openhearth.errors import CorruptArtifact, NotFound, UsageError
from openhearth.store import Store
from tests.conftest import write_tokenizer

HELLO = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(directory)
    return directory


def with_settings(directory: Path, target: Path, **changes: object) -> Tokenizer:
    settings = json.loads((directory / "tokenizer_config.json").read_text()) | changes
    target.mkdir(exist_ok=True)
    (target / "tokenizer_config.json").write_text(json.dumps(settings))
    (target / "tokenizer.json").write_bytes((directory / "tokenizer.json").read_bytes())
    return Tokenizer.load(target)


@given(text=st.text(max_size=80).filter(lambda t: "<" not in t))
def test_decoding_undoes_encoding(directory: Path, text: str) -> None:
    tokenizer = Tokenizer.load(directory)
    assert tokenizer.decode(tokenizer.encode(text)) == text.encode("utf-8", "replace").decode()


def test_ends_of_an_answer(directory: Path, tmp_path: Path) -> None:
    assert Tokenizer.load(directory).eos_ids == {4}
    assert with_settings(directory, tmp_path, eos_token_ids=[2]).eos_ids == {2, 4}
    with pytest.raises(UsageError, match="no eos_token"):
        _ = with_settings(directory, tmp_path, eos_token=None).end_of_turn


def test_the_beginning_comes_once_and_only_where_it_is_wanted(
    directory: Path, tmp_path: Path
) -> None:
    plain = Tokenizer.load(directory)
    wanting = with_settings(directory, tmp_path, add_bos_token=True)
    ids = plain.encode("Hello")
    assert wanting.encode("Hello") == [1, *ids]
    assert wanting.encode("<s>Hello") == [1, *ids]
    assert wanting.encode("Hello", add_bos=False) == ids


def test_special_tokens_are_shown_only_one_by_one(directory: Path) -> None:
    tokenizer = Tokenizer.load(directory)
    assert tokenizer.decode([*tokenizer.encode("Hi"), 4]) == "Hi"
    assert tokenizer.decode([*tokenizer.encode("Hi"), 4], skip_special=False) == "Hi<|im_end|>"
    assert tokenizer.token_text(4) == "<|im_end|>"
    assert tokenizer.marker("<|im_end|>") == 4
    assert tokenizer.marker("H") is None
    assert tokenizer.marker("<|nothing|>") is None


def test_a_conversation_in_the_models_words(directory: Path) -> None:
    tokenizer = Tokenizer.load(directory)
    expected = "<|im_start|>user\nHello<|im_end|>\n"
    assert tokenizer.chat(HELLO) == expected
    assert tokenizer.chat(HELLO, add_generation_prompt=True) == expected + "<|im_start|>assistant\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('not like this') }}",
        "{{ messages[5].content.foo }}",
        "{{ 1 / 0 }}",
        "{% if %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10000000000) %}x{% endfor %}",
    ],
)
def test_templates_that_fail_or_reach_outside_are_refused(
    directory: Path, tmp_path: Path, template: str
) -> None:
    tokenizer = with_settings(directory, tmp_path, chat_template=template)
    with pytest.raises(UsageError):
        tokenizer.chat(HELLO)


def test_tools_are_written_as_json_and_not_as_html(directory: Path, tmp_path: Path) -> None:
    template = "{% for tool in tools or [] %}{{ tool | tojson }}{% endfor %}"
    tokenizer = with_settings(directory, tmp_path, chat_template=template)
    assert tokenizer.chat_template == template
    assert tokenizer.chat(HELLO, tools=[{"a": "<ü>"}]) == '{"a": "<ü>"}'
    assert tokenizer.chat(HELLO) == ""


def test_a_template_may_know_words_of_its_own(directory: Path, tmp_path: Path) -> None:
    template = "{{ mood }}{{ messages | length }}"
    tokenizer = with_settings(directory, tmp_path, chat_template=template)
    assert tokenizer.chat(HELLO, variables={"mood": "calm", "messages": []}) == "calm1"


def test_without_a_template_there_is_no_chat(directory: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no chat template"):
        with_settings(directory, tmp_path, chat_template=None).chat(HELLO)


@given(junk=st.binary(max_size=60))
def test_damaged_files_are_refused(
    junk: bytes, directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = tmp_path_factory.mktemp("junk")
    (target / "tokenizer.json").write_bytes(junk)
    (target / "tokenizer_config.json").write_text("{}")
    with pytest.raises(CorruptArtifact, match="cannot be read"):
        Tokenizer.load(target)


def test_a_file_alone_will_do_for_text(directory: Path, tmp_path: Path) -> None:
    path = tmp_path / "my.json"
    path.write_bytes((directory / "tokenizer.json").read_bytes())
    tokenizer = Tokenizer.load(path)
    assert tokenizer.decode(tokenizer.encode("Hello")) == "Hello"
    with pytest.raises(UsageError, match="no chat template"):
        tokenizer.chat(HELLO)


def test_the_end_of_a_text_is_not_the_end_of_a_turn(directory: Path, tmp_path: Path) -> None:
    """With a chat template eos_token may end turns; without one it ends texts, if it is named."""
    tokenizer = Tokenizer.load(directory)
    assert (tokenizer.end_of_turn, tokenizer.end_of_text) == (4, 2)
    assert with_settings(directory, tmp_path, chat_template=None).end_of_text == 4
    nothing = {"chat_template": None, "eos_token": None}
    assert with_settings(directory, tmp_path, **nothing).end_of_text == 2


def test_texts_cannot_name_special_tokens(directory: Path) -> None:
    tokenizer = Tokenizer.load(directory)
    text = "<|im_end|> and </s> in a text"
    (ids,) = tokenizer.encode_literally([text])
    assert not {2, 4} & set(ids)
    assert tokenizer.decode(ids) == text
    assert 4 in tokenizer.encode(text)
    assert pickle.loads(pickle.dumps(tokenizer)).encode_literally([text]) == [ids]


def test_a_tokenizer_is_found_by_path_or_by_name(directory: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    found = find_tokenizer(store, str(directory))
    assert found == find_tokenizer(store, str(directory / "tokenizer.json"))
    store.tag("mine", found.digest)
    assert find_tokenizer(store, "mine") == found
    assert Tokenizer.load(found).chat(HELLO) == Tokenizer.load(directory).chat(HELLO)


def test_what_is_no_tokenizer_is_not_found(tmp_path: Path) -> None:
    store = Store(tmp_path / "home")
    with pytest.raises(NotFound, match=r"nothing\.json"):
        find_tokenizer(store, "nothing.json")
    store.tag("empty", store.make("report", lambda draft: None).digest)
    with pytest.raises(UsageError, match="has no tokenizer"):
        find_tokenizer(store, "empty")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(CorruptArtifact, match=r"bad\.json cannot be read"):
        find_tokenizer(store, str(tmp_path / "bad.json"))
