"""OpenHearth: text in, models out, on whatever machines you have."""

__version__ = "0.1.0"
