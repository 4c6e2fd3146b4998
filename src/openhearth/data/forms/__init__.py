"""The forms in which documents are written: our own, and those that other tools read.

`open_output` finds one by the name of the file that is wanted.
"""

from openhearth.data.forms.documents import DOCUMENT_FORMS
from openhearth.data.forms.jsonl import JsonLines
from openhearth.data.forms.output import Output, compression_of, open_output
from openhearth.data.forms.parquet import Parquet

__all__ = ["DOCUMENT_FORMS", "JsonLines", "Output", "Parquet", "compression_of", "open_output"]
