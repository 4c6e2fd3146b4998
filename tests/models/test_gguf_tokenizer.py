"""SentencePiece vocabularies become tokenizers that cut every text as `sentencepiece` does."""

from __future__ import annotations

import io

import gguf
import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from openhearth.models.gguf import GgufFile
from openhearth.models.gguf_tokenizer import convert
from tests.conftest import TEXT

sentencepiece = pytest.importorskip("sentencepiece")

GIVEN = ["\n", "\n\n", "▁▁", "▁▁▁", "<h1>"]
"""Pieces which no merge makes, but which are found in the text before there are merges."""
LETTERS = "abdefhiklnorstuvw<>1é好 \n\t"


@pytest.fixture(scope="module", params=[False, True], ids=["Gemma", "Llama"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[tokenizers.Tokenizer, sentencepiece.SentencePieceProcessor]:
    """Ours and theirs; Llama's vocabulary puts a space before every text."""
    prefix, model = request.param, io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=330,
        byte_fallback=True,
        user_defined_symbols=[] if prefix else GIVEN,
        normalization_rule_name="identity",
        add_dummy_prefix=prefix,
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    path = tmp_path_factory.mktemp("vocabulary") / "small.gguf"
    writer = gguf.GGUFWriter(path, "gemma3")
    writer.add_tokenizer_model("llama")
    numbers = range(theirs.vocab_size())
    kinds = [_kind(theirs, i) for i in numbers]
    # Pieces given beforehand stand there as they stand in a text, with plain spaces.
    pieces = [
        theirs.id_to_piece(i).replace("▁", " ") if k == 4 else theirs.id_to_piece(i)
        for i, k in zip(numbers, kinds, strict=True)
    ]
    writer.add_token_list(pieces)
    writer.add_token_scores([theirs.get_score(i) for i in numbers])
    writer.add_token_types(kinds)
    writer.add_unk_token_id(theirs.unk_id())
    writer.add_add_space_prefix(prefix)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return convert(GgufFile(path))[0], theirs


def _kind(processor: sentencepiece.SentencePieceProcessor, i: int) -> int:
    if processor.is_unknown(i):
        return 2
    if processor.is_control(i):
        return 3
    if processor.is_byte(i):
        return 6
    return 4 if processor.id_to_piece(i) in GIVEN else 1


@given(text=st.one_of(st.text(LETTERS), st.text(), st.lists(st.sampled_from(TEXT)).map(" ".join)))
@example(text="the sum  of   two\n\n\nnumbers <h1>")
@example(text="a\U0010ffff")
def test_texts_are_cut_as_by_sentencepiece(
    text: str, both: tuple[tokenizers.Tokenizer, sentencepiece.SentencePieceProcessor]
) -> None:
    ours, theirs = both
    ours.encode_special_tokens = True  # the names of control tokens are mere text for them
    assert ours.encode(text, add_special_tokens=False).ids == theirs.encode(text)
