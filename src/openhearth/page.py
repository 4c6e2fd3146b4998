"""Pages of HTML that need nothing beside themselves, all in one style."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from openhearth.errors import MissingExtra

STYLE = Path(__file__).with_name("page.css")


def render(template: Path, **values: Any) -> bytes:
    """A Jinja template with these values and the common `style`.

    Raises:
        MissingExtra: jinja2 is not installed.
    """
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingExtra("jinja2", "report") from error
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = environment.from_string(template.read_text())
    return source.render(style=STYLE.read_text(), **values).encode()
