"""Refusals as Ollama words them, each with its HTTP status.

They are part of the wire format, and raised by everything that serves a request.
"""

from __future__ import annotations


class WireError(Exception):
    """A refusal with its HTTP status and the text Ollama sends for it."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


def model_not_found(name: str) -> WireError:
    return WireError(404, f"model '{name}' not found")


def server_busy() -> WireError:
    return WireError(503, "server busy, please try again.  maximum pending requests exceeded")


def json_type(value: object) -> str:
    """What Go's decoder calls the type of a JSON value."""
    names = {bool: "bool", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "number")
