"""Data: text in, token shards out.

In: files, folders, pages and packages. Out: a corpus with signals as an overlay, a curated dataset
with a funnel that says what each rule removed, and its tokens. It owns the readers, the signals,
the rule sets and de-duplication, and never imports torch.
"""

from openhearth.data.curate import CurateRecipe, curate
from openhearth.data.rules import Rule, load_rules
from openhearth.data.schema import SCHEMA, Corpus, Quarantine
from openhearth.data.signals import SIGNALS, compute, native_available
from openhearth.data.sources import read
from openhearth.data.tokenizer import Tokenizer
from openhearth.data.tokens import TokenShards, pack, tokenize

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
    "curate",
    "load_rules",
    "native_available",
    "pack",
    "read",
    "tokenize",
]
