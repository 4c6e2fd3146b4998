"""What a table of names says, and how it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = re.compile(r"^blocks\.(\d+)\.")


@dataclass(frozen=True)
class Fused:
    """A matrix that is one of several which another format keeps as one, their rows one after
    another: `parts` are all that it is made of, in our words.
    """

    name: str
    parts: tuple[str, ...]


Table = dict[str, str | Fused]
"""Their name by ours. `{i}` is the number of a block; in theirs, `{e}` is that of an expert, of all
of which ours is the stack. An empty one leaves all names as they are."""


def fused(name: str, *parts: str) -> Table:
    """The entries of the parts of one matrix."""
    return dict.fromkeys(parts, Fused(name, parts))


def translate(name: str, table: Table) -> str:
    """Our name for a weight, or for the matrix it belongs to, in the words of another format.

    >>> translate("blocks.3.mixer.q.weight", {"blocks.{i}.mixer.q": "layers.{i}.q_proj"})
    'layers.3.q_proj.weight'
    """
    if not table:
        return name
    entry, number, leaf = _find(name, table)
    theirs = entry.name if isinstance(entry, Fused) else entry
    return theirs.replace("{i}", number) + leaf


def partners(name: str, table: Table) -> list[str]:
    """All weights of ours that are in the same one of theirs, in its order."""
    if not table:
        return [name]
    entry, number, leaf = _find(name, table)
    if not isinstance(entry, Fused):
        return [name]
    return [part.replace("{i}", number) + leaf for part in entry.parts]


def _find(name: str, table: Table) -> tuple[str | Fused, str, str]:
    """An entry, the number of the block, and what follows the name of the matrix."""
    block = BLOCK.match(name)
    module, leaf = BLOCK.sub("blocks.{i}.", name), ""
    if module not in table:
        module, dot, last = module.rpartition(".")
        leaf = dot + last
    return table[module], block[1] if block else "", leaf
