"""Data: text in, token shards out.

In: files of any format, anywhere, and packages. Out: a corpus with signals as an overlay, a curated
dataset with a funnel that says what each rule removed, and its tokens. It owns the readers, the
signals, the rule sets, de-duplication and selection, and never imports torch.
"""

from typing import TYPE_CHECKING

from openhearth.door import lazily

if TYPE_CHECKING:
    from openhearth.data.corpus import find_documents
    from openhearth.data.curation import curate
    from openhearth.data.filter import filter_corpus
    from openhearth.data.publish import compute_signals
    from openhearth.data.recipe import CurateRecipe
    from openhearth.data.rules import Rule, default_rules, load_rules
    from openhearth.data.schema import SCHEMA, Corpus, Quarantine
    from openhearth.data.shards import read_split
    from openhearth.data.signals import SIGNALS, compute, native_available
    from openhearth.data.sources import read
    from openhearth.data.tokenizer import Tokenizer
    from openhearth.data.tokens import TokenShards, tokenize
    from openhearth.data.tokens.pack import pack

__all__ = [
    "SCHEMA",
    "SIGNALS",
    "Corpus",
    "CurateRecipe",
    "Quarantine",
    "Rule",
    "TokenShards",
    "Tokenizer",
    "compute",
    "compute_signals",
    "curate",
    "default_rules",
    "filter_corpus",
    "find_documents",
    "load_rules",
    "native_available",
    "pack",
    "read",
    "read_split",
    "tokenize",
]

__getattr__ = lazily(
    __name__,
    {
        "Corpus": "schema",
        "CurateRecipe": "recipe",
        "Quarantine": "schema",
        "Rule": "rules",
        "SCHEMA": "schema",
        "SIGNALS": "signals",
        "TokenShards": "tokens",
        "Tokenizer": "tokenizer",
        "compute": "signals",
        "compute_signals": "publish",
        "curate": "curation",
        "default_rules": "rules",
        "filter_corpus": "filter",
        "find_documents": "corpus",
        "load_rules": "rules",
        "native_available": "signals",
        "pack": "tokens",
        "read": "sources",
        "read_split": "shards",
        "tokenize": "tokens",
    },
)
