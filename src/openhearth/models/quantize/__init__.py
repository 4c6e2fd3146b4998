"""Models with fewer bits: `quantize` makes one and says in a `Report` what that cost."""

from openhearth.models.quantize.quality import Quality, kl, surprise
from openhearth.models.quantize.quantize import TARGETS, quantize
from openhearth.models.quantize.report import Report
from openhearth.models.quantize.text import PROSE

__all__ = ["PROSE", "TARGETS", "Quality", "Report", "kl", "quantize", "surprise"]
