"""Models that score texts: trained from the user's own data, or given by path."""

from openhearth.data.scorers.base import Scorer, load_scorer, split_label, train

__all__ = ["Scorer", "load_scorer", "split_label", "train"]
