"""Quality signals of texts: every one of them computed in one pass, each a toggle for rules.

Families: `rps` (RedPajama-V2), `oh` (our own), and those of known rule sets (`gopher`, `fineweb`,
`c4`, `refinedweb`, `dolma`). The native pass and the plain Python modules here say the same. Scores
need more than the text: metadata, or a model.
"""

from openhearth.data.signals.compute import Weights, compute, expand, native_available
from openhearth.data.signals.lists import Lists, read_words
from openhearth.data.signals.names import (
    DOCUMENT_SIGNALS,
    FAMILIES,
    LINE_SIGNALS,
    PUBLISHED,
    SCORES,
    SIGNALS,
    is_signal,
)
from openhearth.data.signals.resources import Resources, SignalRecipe
from openhearth.data.signals.table import signal_table

__all__ = [
    "DOCUMENT_SIGNALS",
    "FAMILIES",
    "LINE_SIGNALS",
    "PUBLISHED",
    "SCORES",
    "SIGNALS",
    "Lists",
    "Resources",
    "SignalRecipe",
    "Weights",
    "compute",
    "expand",
    "is_signal",
    "native_available",
    "read_words",
    "signal_table",
]
