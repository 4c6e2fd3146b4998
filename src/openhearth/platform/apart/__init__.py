"""Work that takes long or much memory, in processes apart from the gateway's.

In: a function of ours and plain arguments, for whoever asks. Out: the bytes that it returns, or a
refusal: there is no room in the queue, or the work took more time or memory than it may. Whatever
strangers have sent to be read there, the gateway goes on answering.
"""

from openhearth.platform.apart.apart import Apart
from openhearth.platform.apart.lane import Lane

__all__ = ["Apart", "Lane"]
