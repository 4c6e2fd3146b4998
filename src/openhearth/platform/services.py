"""What a platform keeps, beside the engine: each part is a room's, and all share one database."""

from __future__ import annotations

from dataclasses import dataclass

from openhearth.platform.accounts import Accounts
from openhearth.platform.database import Database
from openhearth.platform.files import Files
from openhearth.platform.finetuning import Charges
from openhearth.platform.jobs import Jobs
from openhearth.platform.ledger import Ledger
from openhearth.store import Store


@dataclass(frozen=True)
class Services:
    """`operator` is the organisation that runs the platform, whose owners set the prices."""

    database: Database
    accounts: Accounts
    ledger: Ledger
    jobs: Jobs
    files: Files
    charges: Charges
    store: Store
    operator: str
