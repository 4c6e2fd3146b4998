"""Where text comes from: files and folders in several formats, and Python packages."""

from openhearth.data.schema import Corpus
from openhearth.data.sources.folder import read_folder
from openhearth.data.sources.packages import read_packages

__all__ = ["read"]


def read(location: str) -> Corpus:
    """The corpus at a location: a file, a folder, or `python:installed`, `python:NAME,…`,
    `python:stdlib`.

    Raises:
        NotFound: there is nothing there.
        UsageError: nothing there can be read.
    """
    return read_packages(location) if location.startswith("python:") else read_folder(location)
