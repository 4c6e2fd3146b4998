"""Where text comes from: files of many formats, anywhere, and Python packages."""

from openhearth.data.schema import Corpus
from openhearth.data.sources.formats import read_files
from openhearth.data.sources.packages import read_packages

__all__ = ["read"]


def read(location: str, kind: str | None = None) -> Corpus:
    """The corpus at a location: a file, a folder, a glob, any fsspec URL, or `python:installed`,
    `python:NAME,…`, `python:stdlib`. `kind` names a format where the suffix does not.

    Raises:
        NotFound: there is nothing there.
        UsageError: nothing there can be read, or there is no such format.
    """
    if location.startswith("python:"):
        return read_packages(location)
    return read_files(location, kind)
