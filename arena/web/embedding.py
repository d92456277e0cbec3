"""The arena on pages of others: who may show it in a frame, and the script that puts it there.

It does not know what the page is.
"""

from collections.abc import Iterable
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

SCRIPT = Path(__file__).with_name("embed.js")

HERE = (
    *("'self'", "http://localhost:*", "http://127.0.0.1:*", "https://localhost:*"),
    *("vscode-webview:", "vscode-file:"),
)
"""Notebooks on the visitor's own machine, in a browser or in an editor."""


def framed(by: Iterable[str] = ()) -> str:
    """The policy that tells a browser which pages may show ours: those here, and of these origins;
    `*` is any."""
    return f"frame-ancestors {' '.join((*HERE, *by))}"


def install(app: FastAPI) -> None:
    """Add /gradio.js, which a page elsewhere may load."""

    @app.get("/gradio.js", include_in_schema=False)
    async def gradio() -> FileResponse:
        headers = {"Access-Control-Allow-Origin": "*"}
        return FileResponse(SCRIPT, media_type="text/javascript", headers=headers)
