"""Gradio's own routes fail at what they do not expect, such as a body that is no object or a path
that is too long. Whoever sends that is told so, and the log gets a line instead of a traceback.
Where it is the machine that fails, that is told instead.

What the page itself asks for is answered before it comes to that. It does not know the routes.
"""

import errno
import logging

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.web.api.problems import problem

log = logging.getLogger(__name__)

# No room, no more files, a broken or locked disk.
_OURS = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EROFS}


class Unfailing:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as error:
            if begun or scope["type"] != "http":
                raise
            await told(error, scope["method"])(scope, receive, send)


def told(error: Exception, method: str) -> JSONResponse:
    """The answer to a request at which Gradio failed so."""
    if isinstance(error, OSError) and error.errno in _OURS:
        log.error("a request to Gradio could not be served: %s", error.strerror)
        said = "The arena's machine cannot do that just now. Please try again in a moment."
        return problem(503, "Not just now", said)
    log.warning("a request to Gradio cannot be used: %s", type(error).__name__)
    if method in ("GET", "HEAD"):
        return problem(404, "Nothing there", "There is nothing at this address.")
    return problem(400, "That cannot be used", "What was sent cannot be used here.")
