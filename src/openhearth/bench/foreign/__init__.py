"""Foreign: result files of other load generators, in our records.

In: a file of guidellm or aiperf. Out: records, as far as it holds them, and figures of them by our
definitions; neither ranked nor gated, since load, texts and clocks were not ours.
"""

from openhearth.bench.foreign.read import read_foreign
from openhearth.bench.foreign.results import Foreign
from openhearth.bench.foreign.write import figures, write_foreign

__all__ = ["Foreign", "figures", "read_foreign", "write_foreign"]
