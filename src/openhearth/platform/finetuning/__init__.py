"""Fine-tuning as the two official APIs ask for it.

In: requests in either dialect, checked field by field. Out: jobs of one kind, whose recipes do what
the requests say, or a 400 that names the field which this server does not serve; and what came of
them: events, curves, and versions to serve and to download. It owns what jobs cost.
"""

from openhearth.platform.finetuning.asked import Asked
from openhearth.platform.finetuning.charges import Charges
from openhearth.platform.finetuning.limits import Limits, limits_of
from openhearth.platform.finetuning.openai import OpenAIJob
from openhearth.platform.finetuning.preview import PreviewReply, PreviewRequest
from openhearth.platform.finetuning.routes import router
from openhearth.platform.finetuning.together import TogetherJob

__all__ = [
    "Asked",
    "Charges",
    "Limits",
    "OpenAIJob",
    "PreviewReply",
    "PreviewRequest",
    "TogetherJob",
    "limits_of",
    "router",
]
