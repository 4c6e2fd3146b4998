"""Together's endpoints and their deployments: the face of the fleet.

In: which models a project wants kept ready, in how many replicas. Out: what became of that. It owns
the wishes; a `Placement` carries them out.
"""

from openhearth.platform.endpoints.placement import Placement, Standing, Wish
from openhearth.platform.endpoints.routes import router

__all__ = ["Placement", "Standing", "Wish", "router"]
