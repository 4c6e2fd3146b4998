"""Did training help? Quality on sources that were held out, before and after, and a page about it.

In: losses and answers of a model before and after, and how fast it is served. Out: comparisons with
intervals, and the report of a run through all rooms that `hearth demo` leaves.
"""

from openhearth.bench.improvement.quality import Comparison, bits_per_byte, chrf, overlap

__all__ = ["Comparison", "bits_per_byte", "chrf", "overlap"]
