"""Training a tokenizer: byte-level byte-pair encoding of a corpus.

BPE: Sennrich et al. 2016 (arXiv 1508.07909); over bytes, so that every text can be written: Radford
et al. 2019 (GPT-2), whose split into words is used; digits stay single as in Touvron et al. 2023
(arXiv 2302.13971), so that numbers are read as they are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import orjson

from openhearth.data.shards import corpus_of
from openhearth.data.tokenizer import FILES
from openhearth.data.tokens.documents import text_folders
from openhearth.errors import MissingExtra, UsageError
from openhearth.progress import Progress, silent
from openhearth.store import Artifact, Draft, Store

if TYPE_CHECKING:
    import tokenizers

BYTES = 256


def train_bpe(
    store: Store,
    documents: Artifact,
    vocabulary: int,
    *,
    special: Sequence[str] = ("<|endoftext|>",),
    name: str | None = None,
    progress: Progress = silent,
) -> Artifact:
    """A tokenizer of `vocabulary` tokens for a corpus, or for the `train` split of a dataset.

    `special` are among them and get the first ids; the first of them ends texts. The same
    documents give the same bytes. A small corpus may have too few pairs for so many tokens;
    `metrics` says how many there are. The files are `tokenizer.json` and `tokenizer_config.json`.

    Raises:
        UsageError: the artifact has no documents, or the vocabulary is too small or has no end.
        MissingExtra: the `tokenizers` package is not installed.
    """
    if not special or len(set(special)) < len(special):
        raise UsageError("A tokenizer needs special tokens, each once: the first one ends texts.")
    if vocabulary < BYTES + len(special):
        raise UsageError(
            f"A vocabulary of {vocabulary} is too small: {BYTES} bytes and {len(special)} special "
            f"tokens need {BYTES + len(special)}."
        )
    folder = next(f for f in text_folders(documents) if f != "heldout")

    def build(draft: Draft) -> None:
        backend = _train(_texts(documents, folder, progress), vocabulary, special)
        draft.path(FILES[0]).write_text(backend.to_str(pretty=True))
        draft.path(FILES[1]).write_bytes(orjson.dumps({"eos_token": special[0]}))
        draft.metrics["vocabulary"] = backend.get_vocab_size()
        draft.license += documents.manifest.license
        draft.creator += documents.manifest.creator

    artifact = store.make(
        "tokenizer",
        build,
        inputs={"documents": documents.digest},
        recipe={"bpe": vocabulary, "special": list(special)},
    )
    if name:
        store.tag(name, artifact.digest)
    return artifact


def _train(
    texts: Iterator[list[str]], vocabulary: int, special: Sequence[str]
) -> tokenizers.Tokenizer:
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    except ModuleNotFoundError as error:
        raise MissingExtra("tokenizers", "torch") from error
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def _texts(documents: Artifact, folder: str, progress: Progress) -> Iterator[list[str]]:
    seen = 0
    for batch in corpus_of(documents, folder).batches():
        yield batch.column("text").to_pylist()
        seen += batch.num_rows
        progress("bpe", seen, None, f"{seen} documents")
