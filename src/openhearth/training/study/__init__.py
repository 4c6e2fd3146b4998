"""Studies: which layers are best at what size, on what data, and what larger models will do.

In: a recipe of sizes, layer mixes, slices of data and amounts of training. Out: a report with the
table of all runs, a scaling law for each mix with its intervals, the mixes compared at equal FLOPs,
and a prediction that was checked. Fitting needs the extra `study`.
"""

from openhearth.training.study.recipe import StudyRecipe
from openhearth.training.study.scaling import Law, Points, fit
from openhearth.training.study.study import Plan, plan, study
from openhearth.training.study.uncertainty import Fit, Interval, doubt

__all__ = [
    "Fit",
    "Interval",
    "Law",
    "Plan",
    "Points",
    "StudyRecipe",
    "doubt",
    "fit",
    "plan",
    "study",
]
