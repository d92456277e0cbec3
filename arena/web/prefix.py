"""The path under which a proxy shows the arena, as every route sees it: `root_path` in the
scope, and a `path` that begins with it, whether the proxy passes that part on or takes it away.

It knows ASGI, and no route.
"""

from starlette.types import ASGIApp, Receive, Scope, Send


class Prefix:
    """root_path: as in /arena, without a slash at its end."""

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if path != self._root and not path.startswith(f"{self._root}/"):
                path = f"{self._root}{path}"
            scope = {**scope, "root_path": self._root, "path": path}
        await self._app(scope, receive, send)
