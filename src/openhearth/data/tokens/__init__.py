"""Tokens: what training reads. Conversations with a mask of what is learnt, and plain text."""

from openhearth.data.tokens.bpe import train_bpe
from openhearth.data.tokens.conversations import TokenShards, encode, tokenize
from openhearth.data.tokens.documents import tokenize_corpus
from openhearth.data.tokens.finetuning import measure_file, tokenize_file
from openhearth.data.tokens.megatron import export_megatron, import_megatron
from openhearth.data.tokens.pack import Rows, pack
from openhearth.data.tokens.stream import TokenCorpus

__all__ = [
    "Rows",
    "TokenCorpus",
    "TokenShards",
    "encode",
    "export_megatron",
    "import_megatron",
    "measure_file",
    "pack",
    "tokenize",
    "tokenize_corpus",
    "tokenize_file",
    "train_bpe",
]
