"""How much a key may ask for in a minute: requests, and tokens.

In: a caller, and what it wants. Out: nothing, or a 429 that says when to come again; and the
headers in which both official APIs tell how much is left. All is in the memory of one process.
"""

from openhearth.platform.limits.rates import RateLimits, Taken, too_many
from openhearth.platform.limits.window import Window

__all__ = ["RateLimits", "Taken", "Window", "too_many"]
