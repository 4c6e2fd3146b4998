"""Metering: what stands between the routes and the ledger.

A route opens a *tab* for each request, holds on it what the request may cost, tells it what was
delivered, and settles it before the end goes out. `hearth serve` has no accounts, and tabs that
charge nothing, so that routes need not know.
"""

from openhearth.platform.metering.limited import Limited
from openhearth.platform.metering.meter import FREE, Meter, NoTab, Tab, paid

__all__ = ["FREE", "Limited", "Meter", "NoTab", "Tab", "paid"]
