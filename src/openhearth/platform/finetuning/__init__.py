"""Fine-tuning as the two official APIs ask for it.

In: the body of a request, checked field by field. Out: the recipe that does what the body says, or
a 400 that names the field which this server does not serve. What a route adds are the job, the
files and the accounts.
"""

from openhearth.platform.finetuning.asked import Asked
from openhearth.platform.finetuning.limits import Limits, limits_of
from openhearth.platform.finetuning.openai import OpenAIJob
from openhearth.platform.finetuning.preview import PreviewReply, PreviewRequest
from openhearth.platform.finetuning.together import TogetherJob

__all__ = [
    "Asked",
    "Limits",
    "OpenAIJob",
    "PreviewReply",
    "PreviewRequest",
    "TogetherJob",
    "limits_of",
]
