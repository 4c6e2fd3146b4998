"""Who asks."""

from __future__ import annotations

from fastapi import Request


def tenant_of(http: Request) -> str:
    """The project that a request belongs to: what it keeps, nobody else can see."""
    return http.state.caller.project
