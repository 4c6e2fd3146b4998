"""OpenAI's Responses API over the same generations as chat.

In: text or items, which may go on from an earlier response. Out: a response with output items, or
the named events that tell how it comes about. It owns the responses that are kept, until their
project deletes them.
"""

from openhearth.platform.responses.routes import router

__all__ = ["router"]
