"""`hearth data tokens`, `tokenizer`, `export` and `import`: what training reads."""

from __future__ import annotations

from pathlib import Path

import click

from openhearth.cli.data.common import (
    aside_lines,
    aside_of,
    format_option,
    limit_option,
    name_option,
    on_option,
    plural,
    threads_option,
)
from openhearth.cli.frame import emit, progress


@click.command()
@click.argument("docs")
@click.option("--tokenizer", required=True, help="A model's or tokenizer's name, or a file.")
@name_option("What to call the token shards in the store.", required=True, option="--out")
@click.option("--packed", type=click.IntRange(min=2), help="Rows of so many tokens, without gaps.")
@format_option
@limit_option
@threads_option
@on_option
def tokens(
    docs: str,
    tokenizer: str,
    name: str,
    packed: int | None,
    kind: str | None,
    limit: int | None,
    threads: int | None,
    on: str,
) -> None:
    """Turn DOCS, a location or a corpus or dataset in the store, into token shards."""
    from openhearth.data import find_documents
    from openhearth.data.ray import open_executor
    from openhearth.data.tokenizer import find_tokenizer
    from openhearth.data.tokens import tokenize_corpus
    from openhearth.store import Store

    store, show = Store(), progress()
    chosen = find_tokenizer(store, tokenizer)
    documents = find_documents(store, docs, kind, limit, show)
    made = tokenize_corpus(
        store,
        documents,
        chosen,
        packed_length=packed,
        name=name,
        executor=open_executor(on, threads),
        progress=show,
    )
    splits, aside = made.manifest.metrics, aside_of(documents)
    lines = [
        f"{split}: {plural(counts['documents'], 'document')}, {counts['tokens']} tokens."
        for split, counts in splits.items()
    ]
    emit(
        {"digest": made.digest, "name": name, "splits": splits, "quarantine": aside},
        "\n".join([*lines, *aside_lines(aside), f"Token shards {name}, {made.digest[:12]}."]),
    )


@click.command()
@click.argument("docs")
@click.option("--vocabulary", default=32_000, show_default=True, help="How many tokens.")
@click.option(
    "--special",
    multiple=True,
    default=("<|endoftext|>",),
    show_default=True,
    help="Repeatable; the first one ends texts.",
)
@name_option("What to call it in the store.", required=True)
@format_option
@limit_option
def tokenizer(
    docs: str,
    vocabulary: int,
    special: tuple[str, ...],
    name: str,
    kind: str | None,
    limit: int | None,
) -> None:
    """Train a byte-level BPE tokenizer on DOCS, a location or a corpus or dataset in the store."""
    from openhearth.data import find_documents
    from openhearth.data.tokens import train_bpe
    from openhearth.store import Store

    store, show = Store(), progress()
    documents = find_documents(store, docs, kind, limit, show)
    made = train_bpe(store, documents, vocabulary, special=special, name=name, progress=show)
    metrics, aside = made.manifest.metrics, aside_of(documents)
    said = f"Tokenizer {name}, {made.digest[:12]}: {metrics['vocabulary']} tokens."
    emit(
        {"digest": made.digest, "name": name, "metrics": metrics, "quarantine": aside},
        "\n".join([said, *aside_lines(aside)]),
    )


@click.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--split", help="Where there are several.")
def export(name: str, path: Path, split: str | None) -> None:
    """Write the token shards NAME as PATH.bin and PATH.idx, which Megatron-LM reads."""
    from openhearth.data.tokens import export_megatron
    from openhearth.store import Store

    files = [str(file) for file in export_megatron(Store().get(name), path, split)]
    emit({"files": files}, f"Written: {' and '.join(files)}.")


@click.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@name_option("What to call the token shards in the store.", required=True)
def import_(path: Path, name: str) -> None:
    """Take PATH.bin and PATH.idx of Megatron-LM into the store as token shards."""
    from openhearth.data.tokens import import_megatron
    from openhearth.store import Store

    made = import_megatron(Store(), path, name=name)
    (counts,) = made.manifest.metrics.values()
    emit(
        {"digest": made.digest, "name": name, "splits": made.manifest.metrics},
        f"{plural(counts['documents'], 'document')}, {counts['tokens']} tokens: "
        f"token shards {name}, {made.digest[:12]}.",
    )
