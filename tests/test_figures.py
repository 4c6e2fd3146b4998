"""Figures and pages that all rooms share."""

from __future__ import annotations

from pathlib import Path

from openhearth.figures import axes, svg
from openhearth.page import STYLE, render


def draw(columns: int = 1) -> str:
    figure, ax = axes(3, 2, columns)
    for each in ax if columns > 1 else [ax]:
        each.plot([1, 2], [3, 4])
    return svg(figure, "A line")


def test_the_same_figure_is_the_same_text() -> None:
    assert draw() == draw()


def test_a_figure_has_a_title_and_grows_with_its_page() -> None:
    text = draw(columns=2)
    opening = text[: text.index(">")]
    assert text.startswith("<svg")
    assert 'role="img"' in opening
    assert "width=" not in opening
    assert "<title>A line</title>" in text


def test_a_page_has_the_style_and_its_values_escaped(tmp_path: Path) -> None:
    template = tmp_path / "page.jinja"
    template.write_text("<style>{{ style|safe }}</style>{{ word }}")
    page = render(template, word="<b>").decode()
    assert STYLE.read_text() in page
    assert page.endswith("&lt;b&gt;")
