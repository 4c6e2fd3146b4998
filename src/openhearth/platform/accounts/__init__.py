"""Accounts: who may use the platform, and for what.

In: what a request presents as its key. Out: the `Caller` that it belongs to, or nothing. It owns
users, organisations, projects and keys, and no organisation sees anything of another.
"""

from openhearth.platform.accounts.accounts import MOST_PROJECTS, Accounts, Home, Joined, KeyRevoked
from openhearth.platform.accounts.routes import router

__all__ = ["MOST_PROJECTS", "Accounts", "Home", "Joined", "KeyRevoked", "router"]
