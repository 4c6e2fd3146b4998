"""Named settings of MinHash, so that results can be compared with those of published corpora."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from openhearth.errors import UsageError


@dataclass(frozen=True)
class Preset:
    """How near copies are looked for.

    A document is the set of its runs of `words` normalised words; its signature is `permutations`
    numbers, of which `bands` times `rows` are used. Documents whose Jaccard similarity is s share a
    band with a probability of 1 - (1 - s^rows)^bands. `hash` is `sha1`, RedPajama-V2's, to the
    byte, or `runs`, ours, many times faster.
    """

    words: int
    permutations: int
    bands: int
    rows: int
    hash: Literal["sha1", "runs"]

    def __post_init__(self) -> None:
        if self.bands * self.rows > self.permutations or min(self.words, self.bands, self.rows) < 1:
            raise UsageError(f"{self} makes no sense: bands times rows are at most permutations.")

    def chance(self, similarity: float) -> float:
        """How probable it is that two documents of this similarity share a band."""
        return 1 - (1 - similarity**self.rows) ** self.bands


# RedPajama-V2's bands and rows by similarity: those that misjudge the least on both sides of it.
BANDS = {0.7: (14, 9), 0.8: (9, 13), 0.9: (5, 25), 1.0: (1, 128)}


def _redpajama(similarity: float) -> Preset:
    bands, rows = BANDS[similarity]
    return Preset(words=13, permutations=128, bands=bands, rows=rows, hash="sha1")


# FineWeb's (Penedo et al. 2024, arXiv:2406.17557) and SlimPajama's numbers are theirs, but words
# and hashes are ours, so that their rates are met and not their bytes.
PRESETS = {
    "rpv2": _redpajama(0.7),
    "rpv2-0.7": _redpajama(0.7),
    "rpv2-0.8": _redpajama(0.8),
    "rpv2-0.9": _redpajama(0.9),
    "rpv2-1.0": _redpajama(1.0),
    "fineweb": Preset(words=5, permutations=112, bands=14, rows=8, hash="runs"),
    "slimpajama": Preset(words=13, permutations=128, bands=9, rows=13, hash="runs"),
    "hearth": Preset(words=5, permutations=128, bands=14, rows=9, hash="runs"),
    "hearth-0.8": Preset(words=5, permutations=128, bands=9, rows=13, hash="runs"),
}


def preset_of(name: str) -> Preset:
    """A preset by its name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"There is no preset {name!r}: use one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def near(similarity: float, words: int) -> Preset:
    """Our own hash of runs of so many words, with RedPajama-V2's bands for a similarity.

    Raises:
        UsageError: no bands are known for it.
    """
    if similarity not in BANDS:
        known = ", ".join(map(str, BANDS))
        raise UsageError(f"similarity is {similarity}, but must be one of {known}.")
    bands, rows = BANDS[similarity]
    return Preset(words=words, permutations=128, bands=bands, rows=rows, hash="runs")
