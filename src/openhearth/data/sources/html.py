"""The main content of HTML pages as plain text, found by resiliparse."""

from __future__ import annotations

from openhearth.errors import MissingExtra


def main_text(html: str) -> str:
    """The page without navigation, scripts and other boilerplate.

    Raises:
        MissingExtra: resiliparse is not installed.
    """
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ModuleNotFoundError as error:
        raise MissingExtra("resiliparse", "html") from error
    return extract_plain_text(html, main_content=True, alt_texts=False)
