"""Plain text as tokens: nothing is lost, order is kept, and a killed run ends like another."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from openhearth.data import SCHEMA, Tokenizer
from openhearth.data.executors import Threads
from openhearth.data.schema import document
from openhearth.data.tokenizer import find_tokenizer
from openhearth.data.tokens import TokenCorpus, tokenize_corpus
from openhearth.errors import UsageError
from openhearth.store import Artifact, Draft, Store
from tests.data.tokens.conftest import documentation, make_corpus

PARTS = [
    ["Return the sum.", "", "A text that names <|endoftext|>, </s> and <|im_end|> is a text."],
    [],
    [" \n\ttabs, NUL \0, e\u0301, 你好 and 🙂\r\n", "def add(a, b): return a + b"],
]
TEXTS = [text for part in PARTS for text in part]


def decoded(corpus: TokenCorpus, tokenizer: Tokenizer) -> list[str]:
    return [tokenizer.decode(corpus.tokens(i).tolist()) for i in range(len(corpus))]


def test_the_tokens_of_a_real_tokenizer_say_the_whole_text(
    store: Store, smollm_directory: Path
) -> None:
    found = find_tokenizer(store, str(smollm_directory))
    tokenizer, texts = Tokenizer.load(found), [*documentation()[0], *TEXTS]
    artifact = tokenize_corpus(store, make_corpus(store, [texts]), found)
    corpus = TokenCorpus.open(artifact)
    assert decoded(corpus, tokenizer) == texts
    # 0 is <|endoftext|>; the model's eos_token is <|im_end|>, the end of a turn.
    assert {int(corpus.tokens(i)[-1]) for i in range(len(corpus))} == {0}
    assert corpus.tokens(0)[:-1].tolist() == tokenizer.encode(texts[0])
    assert (corpus.index.dtype, corpus.index.vocabulary) == ("uint16", 49152)
    # Better than one token for three bytes, or the wrong merges were used.
    assert corpus.size < sum(len(text.encode()) for text in texts) / 3


def test_documents_keep_their_order_names_and_terms(store: Store, small: Artifact) -> None:
    source = make_corpus(store, PARTS)
    artifact = tokenize_corpus(store, source, small, name="texts")
    corpus = TokenCorpus.open(store.get("texts"))
    assert decoded(corpus, Tokenizer.load(small)) == TEXTS
    assert corpus.documents["id"].to_pylist() == ["0/0", "0/1", "0/2", "2/0", "2/1"]
    assert corpus.documents["source"].to_pylist() == ["s0", "s0", "s0", "s2", "s2"]
    assert artifact.manifest.creator == ("author 0", "author 2")
    assert artifact.manifest.metrics["documents"] == {
        "documents": 5,
        "bytes": sum(len(text.encode()) for text in TEXTS),
        "tokens": corpus.size,
    }
    assert corpus.index.tokenizer == artifact.manifest.inputs["tokenizer"] == small.digest


def test_an_empty_document_is_its_end_alone(store: Store, small: Artifact) -> None:
    corpus = TokenCorpus.open(tokenize_corpus(store, make_corpus(store, PARTS), small))
    assert corpus.tokens(1).tolist() == [2]


def test_a_beginning_is_written_where_the_tokenizer_wants_one(
    store: Store, small: Artifact, tmp_path: Path
) -> None:
    settings = small.read_json("tokenizer_config.json") | {"add_bos_token": True}
    (tmp_path / "tokenizer.json").write_bytes(small.path("tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    wanting = find_tokenizer(store, str(tmp_path))
    corpus = TokenCorpus.open(tokenize_corpus(store, make_corpus(store, PARTS), wanting))
    assert corpus.tokens(1).tolist() == [1, 2]
    assert decoded(corpus, Tokenizer.load(wanting)) == TEXTS


def test_both_splits_of_a_dataset_are_tokenised(store: Store, small: Artifact) -> None:
    def build(draft: Draft) -> None:
        for split, texts in {"train": ["a", "b"], "heldout": ["c"]}.items():
            rows = [document(text, text, "s") for text in texts]
            table = pa.Table.from_pylist(rows, schema=SCHEMA)
            pq.write_table(table, draft.path(f"{split}/000000.parquet"))
        draft.path("funnel.json").write_text("[]")

    artifact = tokenize_corpus(store, store.make("dataset", build), small)
    tokenizer = Tokenizer.load(small)
    assert decoded(TokenCorpus.open(artifact, "train"), tokenizer) == ["a", "b"]
    assert decoded(TokenCorpus.open(artifact, "heldout"), tokenizer) == ["c"]
    with pytest.raises(UsageError, match="one of train, heldout"):
        TokenCorpus.open(artifact)


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65536, "uint16"), (65537, "uint32")])
def test_tokens_are_as_wide_as_the_largest_id(
    store: Store, tmp_path: Path, vocabulary: int, dtype: str
) -> None:
    import tokenizers

    words = {"</s>": 0} | {f"w{number}": number for number in range(1, vocabulary)}
    backend = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w1"))
    backend.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["</s>"])
    backend.save(str(tmp_path / "words.json"))
    tokenizer = find_tokenizer(store, str(tmp_path / "words.json"))
    last = vocabulary - 1
    artifact = tokenize_corpus(store, make_corpus(store, [[f"w{last} w7"]]), tokenizer)
    corpus = TokenCorpus.open(artifact)
    assert corpus.tokens(0).tolist() == [last, 7, 0]
    assert (corpus.tokens(0).dtype, corpus.index.vocabulary) == (dtype, vocabulary)
    # Little-endian, whatever machine wrote them.
    size = 2 if dtype == "uint16" else 4
    raw = artifact.path("documents/000000.bin").read_bytes()
    assert raw == b"".join(number.to_bytes(size, "little") for number in (last, 7, 0))


def test_one_giant_document_and_any_number_of_threads(store: Store, small: Artifact) -> None:
    words = random.Random(0)
    giant = " ".join(words.choice(TEXTS[2].split()) for _ in range(60_000))
    source = make_corpus(store, [["before", giant, "after"], *PARTS])
    artifact = tokenize_corpus(store, source, small, executor=Threads(3))
    assert decoded(TokenCorpus.open(artifact), Tokenizer.load(small))[1] == giant
    other = Store(store.root.parent / "other")
    shutil.copytree(store.root, other.root, dirs_exist_ok=True)
    shutil.rmtree(other.root / "made")
    (other.root / "made").mkdir()
    again = tokenize_corpus(
        other, other.load(source.digest), other.load(small.digest), executor=Threads(1)
    )
    assert again.digest == artifact.digest


def test_a_row_length_is_kept_and_costs_no_second_copy(store: Store, small: Artifact) -> None:
    source = make_corpus(store, PARTS)
    whole = tokenize_corpus(store, source, small)
    packed = tokenize_corpus(store, source, small, packed_length=16)
    for name in ("documents/000000.bin", "documents/000000.offsets"):
        assert packed.manifest.files[name] == whole.manifest.files[name]
    rows = TokenCorpus.open(packed).rows()
    assert {len(rows.tokens(i)) for i in range(len(rows) - 1)} == {16}
    with pytest.raises(UsageError, match="how many tokens"):
        TokenCorpus.open(whole).rows()


def test_what_cannot_be_tokenised_is_refused(store: Store, small: Artifact, tmp_path: Path) -> None:
    source = make_corpus(store, PARTS)
    with pytest.raises(UsageError, match="has no documents"):
        tokenize_corpus(store, small, small)
    with pytest.raises(UsageError, match="has no documents"):
        tokenize_corpus(store, tokenize_corpus(store, source, small), small)
    with pytest.raises(UsageError, match="1 or more"):
        tokenize_corpus(store, source, small, packed_length=0)
    raw = json.loads(small.path("tokenizer.json").read_bytes()) | {"added_tokens": []}
    (tmp_path / "endless.json").write_text(json.dumps(raw))
    with pytest.raises(UsageError, match="no token for the end of a text"):
        tokenize_corpus(store, source, find_tokenizer(store, str(tmp_path / "endless.json")))


CHILD = """
import sys
from openhearth.data.tokens import tokenize_corpus
from openhearth.store import Store

store = Store(sys.argv[1])
documents, tokenizer = map(store.load, sys.argv[2:])
tokenize_corpus(
    store, documents, tokenizer,
    progress=lambda stage, done, total, note: print(stage, done, flush=True),
)
"""


def test_a_killed_run_goes_on_to_the_same_digest(
    store: Store, small: Artifact, tmp_path: Path
) -> None:
    letters = random.Random(0)
    long = ["".join(letters.choices("abcdefgh \n", k=300_000)) for _ in range(3)]
    source = make_corpus(store, [PARTS[0], PARTS[2], long, ["after"]])
    unbroken = Store(tmp_path / "unbroken")
    shutil.copytree(store.root, unbroken.root, dirs_exist_ok=True)
    command = [sys.executable, "-c", CHILD, str(store.root), source.digest, small.digest]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert [next(child.stdout), next(child.stdout)] == ["tokens 1\n", "tokens 2\n"]
        child.kill()  # while it is at the long documents
        assert child.wait() == -signal.SIGKILL
    done = list((store.root / "work").rglob("*.done"))
    assert {path.name for path in done} == {"000000.done", "000001.done"}
    resumed = tokenize_corpus(store, source, small)
    whole = tokenize_corpus(unbroken, unbroken.load(source.digest), unbroken.load(small.digest))
    assert resumed.digest == whole.digest
    assert decoded(TokenCorpus.open(resumed), Tokenizer.load(small))[-4:] == [*long, "after"]
