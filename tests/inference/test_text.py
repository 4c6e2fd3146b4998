"""Text as it streams: characters whole, stop strings never shown, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openhearth.data.tokenizer import Tokenizer
from openhearth.inference.text import TextStream
from tests.conftest import write_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    directory = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(directory)
    return Tokenizer.load(directory)


def stream(tokenizer: Tokenizer, text: str, stops: list[str]) -> tuple[list[str], bool]:
    """The pieces that came out, and whether a stop string ended them."""
    out = TextStream(tokenizer, tokenizer.encode("Say:"), stops)
    pieces = []
    for token in tokenizer.encode(text):
        pieces.append(out.push(token))
        if out.stopped:
            break
    return [*pieces, out.finish()], out.stopped


@given(text=st.text(max_size=60))
def test_without_stops_the_pieces_join_to_the_text(tokenizer: Tokenizer, text: str) -> None:
    pieces, stopped = stream(tokenizer, text, [])
    assert "".join(pieces) == tokenizer.decode(tokenizer.encode(text))
    assert not stopped


@given(text=st.text(alphabet="abcé\n", max_size=40), stops=st.lists(st.text("abé", max_size=4)))
def test_the_text_ends_where_the_first_stop_begins(
    tokenizer: Tokenizer, text: str, stops: list[str]
) -> None:
    pieces, stopped = stream(tokenizer, text, stops)
    shown = "".join(pieces)
    present = [s for s in stops if s and s in text]
    assert stopped == bool(present)
    assert text.startswith(shown)
    if present:
        # Tokens bring several characters at once; the earliest stop among what had come decides.
        assert any(text[len(shown) :].startswith(s) for s in present)
        assert not any(s in shown for s in present)
    else:
        assert shown == text


def test_a_character_of_several_tokens_comes_whole(tokenizer: Tokenizer) -> None:
    pieces, _ = stream(tokenizer, "a🦔b", [])
    assert len(tokenizer.encode("🦔")) > 1
    assert [p for p in pieces if p] == ["a", "🦔", "b"]


def test_what_could_become_a_stop_is_held_back(tokenizer: Tokenizer) -> None:
    out = TextStream(tokenizer, [], ["\n\n"])
    newline = tokenizer.encode("\n")[0]
    (x,) = tokenizer.encode("x")
    assert [out.push(x), out.push(newline), out.push(x)] == ["x", "", "\nx"]
    assert [out.push(newline), out.finish()] == ["", "\n"]


def test_bytes_that_never_become_a_character_do_not_hold_back_for_ever(
    tokenizer: Tokenizer,
) -> None:
    first_byte = tokenizer.encode("🦔")[0]
    out = TextStream(tokenizer, [], [])
    shown = "".join(out.push(first_byte) for _ in range(20))
    assert "\ufffd" in shown
