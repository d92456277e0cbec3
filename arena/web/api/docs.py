"""The calls as a page to read and try, with everything it needs from this machine.

It does not know the calls; it draws the schema that FastAPI makes of them.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from arena.web.api.problems import Problem

ASSETS = files("fastapi_offline") / "static"
"""Swagger UI, as that package brings it."""

NO_BADGE = {"validatorUrl": None, "tryItOutEnabled": True}
"""Without it, Swagger UI would send the schema's address to a machine elsewhere."""


def install(app: FastAPI) -> None:
    """Add /docs. Its addresses are relative, so that they hold behind any prefix."""
    app.servers = [{"url": "."}]
    app.openapi = _with_problems(app.openapi)  # type: ignore[method-assign]
    app.mount("/docs/assets", StaticFiles(directory=str(ASSETS)))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=f"{app.title}: the calls",
            swagger_js_url="docs/assets/swagger-ui-bundle.js",
            swagger_css_url="docs/assets/swagger-ui.css",
            swagger_favicon_url="data:,",
            swagger_ui_parameters=NO_BADGE,
        )


def _with_problems(schema_of: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The schema with what all problems look like, which no route answers with by itself."""

    def openapi() -> dict[str, Any]:
        schema = schema_of()
        schema["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
        return schema

    return openapi
