"""An answer as its steps come, taken apart: thoughts, text, and calls of tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from openhearth.inference.request import Delta
from openhearth.platform.thoughts import ThoughtReader
from openhearth.platform.tools import CallDelta, ToolUse


@dataclass(frozen=True)
class Step:
    """What has become certain by one step; `said` has the text that is neither."""

    thought: str
    said: Delta
    calls: Sequence[CallDelta]


class Reader:
    """Reads one answer. `inside` says whether it begins within a thought, None that it has none."""

    def __init__(self, tools: ToolUse | None, inside: bool | None) -> None:
        self._thoughts = None if inside is None else ThoughtReader(inside)
        self._calls = tools.reader() if tools else None

    def read(self, delta: Delta) -> Step:
        """The next step."""
        thought = ""
        calls: Sequence[CallDelta] = ()
        if self._thoughts:
            thought, text = self._thoughts.read(delta.text, delta.finish_reason is not None)
            delta = replace(delta, text=text)
        if self._calls:
            delta, calls = self._calls.read(delta)
        return Step(thought, delta, calls)
