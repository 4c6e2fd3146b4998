"""The fleet: gateways and nodes, processes that speak with each other through a broker.

In: requests for a model by its name, in a gateway. Out: streams of deltas, computed by an engine in
a node, wherever that runs. It owns the broker, who is there and for how long that is believed, the
choice of a node, and what happens to a request when a process dies. A node loads a model when it is
first asked for and lets it go when nobody asks any more. Importing it needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from openhearth.door import lazily
from openhearth.fleet.errors import BadMessage, BusDown, BusError, NoReply, NoResponders

if TYPE_CHECKING:
    from openhearth.fleet.broker import Broker
    from openhearth.fleet.bus import Bus
    from openhearth.fleet.call import NodeLost
    from openhearth.fleet.catalogue import Catalogue
    from openhearth.fleet.client import Fleet
    from openhearth.fleet.thread import LoopThread

__all__ = [
    "BadMessage",
    "Broker",
    "Bus",
    "BusDown",
    "BusError",
    "Catalogue",
    "Fleet",
    "LoopThread",
    "NoReply",
    "NoResponders",
    "NodeLost",
]

__getattr__ = lazily(
    __name__,
    {
        "Broker": "broker",
        "Bus": "bus",
        "Catalogue": "catalogue",
        "Fleet": "client",
        "LoopThread": "thread",
        "NodeLost": "call",
    },
    extras={"nats": "serve"},
)
