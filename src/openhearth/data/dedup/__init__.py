"""Duplicates: found, grouped, and dropped but for one copy; repeated parts, found and cut out."""

from openhearth.data.dedup.exact import Exact
from openhearth.data.dedup.find import Drop, Duplicates, Method, find
from openhearth.data.dedup.keep import Best, First, Newest, Sources, keep_of
from openhearth.data.dedup.minhash import Near
from openhearth.data.dedup.paragraphs import Paragraphs
from openhearth.data.dedup.presets import PRESETS, Preset, near, preset_of
from openhearth.data.dedup.publish import minhash_corpus
from openhearth.data.dedup.run import DedupRecipe, dedup_corpus
from openhearth.data.dedup.spans import Cut, Repeated, find_repeated
from openhearth.data.dedup.substring import Substrings

__all__ = [
    "PRESETS",
    "Best",
    "Cut",
    "DedupRecipe",
    "Drop",
    "Duplicates",
    "Exact",
    "First",
    "Method",
    "Near",
    "Newest",
    "Paragraphs",
    "Preset",
    "Repeated",
    "Sources",
    "Substrings",
    "dedup_corpus",
    "find",
    "find_repeated",
    "keep_of",
    "minhash_corpus",
    "near",
    "preset_of",
]
