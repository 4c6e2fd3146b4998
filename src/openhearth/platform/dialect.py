"""Whose client asks, where one path has two shapes."""

from __future__ import annotations

from fastapi import Request


def speaks_together(http: Request) -> bool:
    """Whether it is Together's, by its `User-Agent`."""
    return "together" in http.headers.get("user-agent", "").lower()
