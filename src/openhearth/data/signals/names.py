"""The names of all signals: those of families, which need only the text, and scores, which need
more.
"""

from __future__ import annotations

from types import ModuleType

from openhearth.data.signals import c4, dolma, fineweb, gopher, hearth, redpajama, refinedweb

# In the order of the native pass, which knows each family by its bit.
FAMILIES: dict[str, ModuleType] = {
    "rps": redpajama,
    "oh": hearth,
    "gopher": gopher,
    "fineweb": fineweb,
    "c4": c4,
    "refinedweb": refinedweb,
    "dolma": dolma,
}
DOCUMENT_SIGNALS = tuple(name for family in FAMILIES.values() for name in family.DOCUMENT)
LINE_SIGNALS = tuple(name for family in FAMILIES.values() for name in family.LINES)

CCNET = (
    "ccnet_length",
    "ccnet_original_length",
    "ccnet_nlines",
    "ccnet_original_nlines",
    "ccnet_language_score",
    "ccnet_perplexity",
    "ccnet_bucket",
)
CLASSIFIERS = tuple(f"rps_doc_ml_{name}_score" for name in ("palm", "wikipedia", "wikiref"))
IMPORTANCE = ("books", "openwebtext", "wikipedia")
WEIGHTED = tuple(
    f"rps_doc_{name}_importance{kind}" for name in IMPORTANCE for kind in ("", "_length_correction")
)
SCORES = (*CCNET, "rps_doc_ut1_blacklist", *CLASSIFIERS, *WEIGHTED)

SIGNALS = (*DOCUMENT_SIGNALS, *LINE_SIGNALS, *SCORES)
PUBLISHED = ("rps", "oh", *SCORES)  # RedPajama-V2's 45, and ours
OWN_SCORE = "score_"  # what the names of the scores of one's own models begin with


def is_signal(name: str) -> bool:
    """Whether there is such a signal."""
    return name in SIGNALS or (name.startswith(OWN_SCORE) and name != OWN_SCORE)
