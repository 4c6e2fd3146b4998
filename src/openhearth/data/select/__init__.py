"""Selection and mixing: which documents, how often, and without what.

`select` chooses documents that suit a target (DSIR), score high, or chance picks. `mix` makes one
corpus of slices in proportion. `Decontaminate` and `Mask` are steps that take evaluation sets and
personal data out.
"""

from openhearth.data.select.choice import Choice, Keep
from openhearth.data.select.choose import Selection, choose, select
from openhearth.data.select.decontaminate import Decontaminate, index_evaluations
from openhearth.data.select.dsir import Counts, count, count_features, fit, kl_reduction
from openhearth.data.select.features import FEATURES, LowerWords, RawWords
from openhearth.data.select.mask import Mask
from openhearth.data.select.mix import Mixed, Mixing, mix
from openhearth.data.select.mixture import Mixture, Share, Slice, plan
from openhearth.data.select.recipe import SelectRecipe
from openhearth.data.select.sizes import Bytes, Tokens

__all__ = [
    "FEATURES",
    "Bytes",
    "Choice",
    "Counts",
    "Decontaminate",
    "Keep",
    "LowerWords",
    "Mask",
    "Mixed",
    "Mixing",
    "Mixture",
    "RawWords",
    "SelectRecipe",
    "Selection",
    "Share",
    "Slice",
    "Tokens",
    "choose",
    "count",
    "count_features",
    "fit",
    "index_evaluations",
    "kl_reduction",
    "mix",
    "plan",
    "select",
]
