"""What the platform remembers: one database, SQLite or PostgreSQL, chosen by its URL.

Every area of the platform keeps its tables in a `tables.py` of its own, on the `metadata` of this
room, and their history under `migrations/versions/AREA_NNNN_what.py`: a history for each area, so
that areas can be read, and changed, one by one.
"""

from openhearth.platform.database.database import Database, metadata
from openhearth.platform.database.home import DATABASE, database_of
from openhearth.platform.database.statement import Statement

__all__ = ["DATABASE", "Database", "Statement", "database_of", "metadata"]
