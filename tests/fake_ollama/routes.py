"""From a request to its endpoint: who may ask, what is well-formed, which fault strikes first, how errors are said.

Knows nothing of sockets and holds no state.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

from . import checks
from .answers import Answer, Sink, strike
from .faults import Fault, parse_fault
from .listings import ENDPOINTS
from .stats import Call
from .wire import Hangup, Reply

if TYPE_CHECKING:
    from .host import FakeOllama

FAULT_HEADER = "x-fake-fault"
_GENERATES = ("/api/chat", "/api/generate")
_FIELDS = {
    "model": str,
    "name": str,
    "prompt": str,
    "from": str,
    "system": str,
    "messages": list,
    "stream": bool,
}
_NULLABLE = type(None)


async def respond(host: FakeOllama, call: Call, reply: Reply) -> None:
    """Answers one request, whatever it is."""
    try:
        await _respond(host, call, reply)
        host.stats.move(call, "done")
    except Hangup:
        host.stats.move(call, "cut")
    except checks.Refused as refused:
        host.stats.move(call, "failed")
        if reply.started:
            await reply.frame({"error": str(refused)})
            await reply.end()
        else:
            await reply.json(refused.status, {"error": str(refused)})


async def _respond(host: FakeOllama, call: Call, reply: Reply) -> None:
    if not _is_local(call.headers.get("host", "")):
        host.stats.move(call, "failed")
        await reply.text(403, "")
        return
    if host.token is not None and call.headers.get("authorization") != f"Bearer {host.token}":
        raise checks.Refused(401, "unauthorized")
    malformed = _read_body(call)
    fault = _fault_of_header(call) or host.book.take(call)
    call.fault = fault.kind if fault else None
    host.stats.changed()
    if fault and fault.strikes_first and await strike(host, call, Sink(host, call, reply), fault):
        return
    method = "GET" if call.method == "HEAD" else call.method
    endpoint = ENDPOINTS.get((method, call.path))
    if method == "POST" and call.path in _GENERATES:
        if malformed:
            raise checks.Refused(400, malformed)
        await Answer(host, call, reply, fault).serve()
    elif endpoint is not None:
        if malformed and method != "GET":
            raise checks.Refused(400, malformed)
        await endpoint(host, call, reply)
    else:
        known = call.path in _GENERATES or any(path == call.path for _, path in ENDPOINTS)
        host.stats.move(call, "failed")
        await reply.text(
            405 if known else 404, "405 method not allowed" if known else "404 page not found"
        )


def _fault_of_header(call: Call) -> Fault | None:
    if FAULT_HEADER not in call.headers:
        return None
    try:
        return parse_fault(call.headers[FAULT_HEADER])
    except ValueError as wrong:
        raise checks.Refused(400, str(wrong)) from None


def _is_local(host_header: str) -> bool:
    """Ollama on loopback serves only those who call it by an address or by a local name."""
    name = host_header.rpartition(":")[0] if ":" in host_header.rpartition("]")[2] else host_header
    name = name.strip("[]").lower()
    if name in ("", "localhost") or name.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


def _read_body(call: Call) -> str | None:
    """Puts the JSON object into `call.body`; returns what is wrong with it, if anything."""
    if not call.raw_body:
        return "missing request body"
    try:
        body: Any = json.loads(call.raw_body)
    except ValueError as wrong:
        return f"invalid JSON: {wrong}"
    if not isinstance(body, dict):
        return "json: cannot unmarshal value into Go value of type api.ChatRequest"
    for name, kind in _FIELDS.items():
        if not isinstance(body.get(name), (kind, _NULLABLE)):
            return (
                f"json: cannot unmarshal value into Go struct field {name} of type {kind.__name__}"
            )
    if not all(isinstance(message, dict) for message in body.get("messages") or []):
        return "json: cannot unmarshal value into Go struct field messages of type api.Message"
    call.body = body
    return None
