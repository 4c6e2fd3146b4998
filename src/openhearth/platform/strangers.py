"""For processes that read what strangers have sent."""

from __future__ import annotations

import os

from openhearth.fleet.broker import BUS
from openhearth.platform.database import DATABASE
from openhearth.platform.keys import OWN_KEY

SECRETS = (BUS, DATABASE, OWN_KEY)


def environment() -> dict[str, str]:
    """Ours, without what opens the platform."""
    return {name: value for name, value in os.environ.items() if name not in SECRETS}
