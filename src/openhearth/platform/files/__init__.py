"""Files that callers upload, in the dialects of both APIs, and files that jobs make.

In: bytes, and what they are for. Out: an id that jobs can name, the same bytes again, or a sentence
that names the first line that is wrong. It owns the rows, and one blob for each content that a
project has.
"""

from openhearth.platform.files.files import MOST_BYTES, PROJECT_BYTES, Files
from openhearth.platform.files.routes import router
from openhearth.platform.files.rows import File

__all__ = ["MOST_BYTES", "PROJECT_BYTES", "File", "Files", "router"]
