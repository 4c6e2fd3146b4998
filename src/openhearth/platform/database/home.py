"""Where the platform's database is."""

from __future__ import annotations

import os
from pathlib import Path

from openhearth.platform.database.database import Database

DATABASE = "OPENHEARTH_DATABASE"  # in the environment; its URL may have a password


def database_of(home: Path) -> Database:
    """The database that OPENHEARTH_DATABASE names, a URL; else `platform.db` in the store's home.

    Raises:
        UsageError: the URL names no database that is supported.
        HearthError: it cannot be reached or written.
    """
    return Database.open(os.environ.get(DATABASE) or home / "platform.db")
