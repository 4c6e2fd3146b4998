"""Figures as inline SVG, in colours that work on light and dark pages."""

from __future__ import annotations

import io
import re
from typing import Any

from openhearth.errors import MissingExtra

GREY, FIRE, COOL = "#888888", "#e0642d", "#4a86c5"
COLOURS = (FIRE, COOL, "#4f9d69", "#a065b8", "#c9a227", "#3aa6a6", "#b8556b", "#7a7a4a")
"""For things beside each other, most striking first."""


def axes(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """A figure of this size in inches, and its axes: one, or a list of `columns` beside each other.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingExtra("matplotlib", "report") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    found = figure.subplots(1, columns, sharey=True, squeeze=False)[0]
    for each in found:
        each.spines[["top", "right"]].set_visible(False)
        for spine in each.spines.values():
            spine.set_color(GREY)
        each.tick_params(colors=GREY, which="both")
    return figure, found[0] if columns == 1 else list(found)


def svg(figure: Any, title: str) -> str:
    """The figure as an `<svg>` element, with a title for those who cannot see it; the same figure
    is the same text.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": title}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", text, count=1)
    return text.replace(">", f' role="img"><title>{title}</title>', 1)
