"""Running the platform: whether it is well, how much it has to do, and what it tells its operator.

In: every request, before and after all else. Out: health, metrics, one line of log for each
request, and refusals where there is too much to do. It owns the bounds on the whole server.
"""

from openhearth.platform.operations import health
from openhearth.platform.operations.gate import Gate
from openhearth.platform.operations.logs import InRequest, log_as_json
from openhearth.platform.operations.metrics import Metrics
from openhearth.platform.operations.observed import Observed
from openhearth.platform.operations.settings import Settings

__all__ = ["Gate", "InRequest", "Metrics", "Observed", "Settings", "health", "log_as_json"]
