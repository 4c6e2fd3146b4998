"""Load: requests to a server, each at its instant, and what came back when (rules 8, 11-13 and 28).

In: a `Target` and `Ask`s with the times at which they are due. Out: a `Record` of each, whatever
became of it. While the load runs only bytes and their times are noted; they are read afterwards, or
when the next turn of a conversation needs them.
"""

from openhearth.errors import MissingExtra

try:
    import httptools  # noqa: F401
    import uvloop  # noqa: F401
except ModuleNotFoundError as error:
    raise MissingExtra(error.name or "httptools", "bench") from error

from openhearth.bench.load.arrivals import due_times
from openhearth.bench.load.carry_out import carry_out
from openhearth.bench.load.network import RoundTrip, round_trip
from openhearth.bench.load.sharing import Sent, merge, share
from openhearth.bench.load.target import Target

__all__ = ["RoundTrip", "Sent", "Target", "carry_out", "due_times", "merge", "round_trip", "share"]
