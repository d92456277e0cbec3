"""The endpoints that generate nothing: version, tags, ps, show, pull, create, copy, delete.

Each is a coroutine of (host, call, reply). Knows nothing of faults.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from . import checks
from .models import FakeModel, tagged
from .stats import Call
from .wire import Reply

if TYPE_CHECKING:
    from .host import FakeOllama

_INSTALLED_AT = "2026-01-02T03:04:05.678901234Z"
_PULL_STEPS = 10
_PULL_STEP_S = 0.2
_FOREVER = "2318-01-01T00:00:00Z"


async def root(host: FakeOllama, call: Call, reply: Reply) -> None:
    await reply.text(200, "Ollama is running")


async def version(host: FakeOllama, call: Call, reply: Reply) -> None:
    await reply.json(200, {"version": host.version})


async def status(host: FakeOllama, call: Call, reply: Reply) -> None:
    if host.old:
        await reply.text(404, "404 page not found")
    else:
        await reply.json(200, {"cloud": {"disabled": not host.cloud, "source": "env"}})


async def tags(host: FakeOllama, call: Call, reply: Reply) -> None:
    await reply.json(
        200, {"models": [_tag(host, model) for model in reversed(host.models.values())]}
    )


def _tag(host: FakeOllama, model: FakeModel) -> dict[str, Any]:
    entry = {
        "name": model.name,
        "model": model.name,
        "modified_at": _INSTALLED_AT,
        "size": model.weights,
        "digest": model.digest,
        "details": model.details,
    }
    if host.old:
        return entry
    if model.remote:
        nothing = dict.fromkeys(model.details, "") | {"families": None}
        return {
            **entry,
            "remote_host": model.remote,
            "remote_model": "big:1t",
            "size": 196,
            "details": nothing,
        }
    details = {**model.details, "context_length": model.max_ctx, "embedding_length": 4096}
    return {**entry, "details": details, "capabilities": list(model.capabilities)}


async def ps(host: FakeOllama, call: Call, reply: Reply) -> None:
    running = [
        {
            "name": runner.model.name,
            "model": runner.model.name,
            "size": runner.size,
            "digest": runner.model.digest,
            "details": runner.model.details,
            "expires_at": _expiry(runner.expires_at),
            "size_vram": runner.size_vram,
            "context_length": runner.num_ctx,
        }
        for runner in host.scheduler.resident.values()
    ]
    await reply.json(200, {"models": running})


def _expiry(at: float) -> str:
    # A hundred years away means for ever; the real server says so with a date past what 32 bits can count.
    if at - time.time() > 100 * 365 * 86400:
        return _FOREVER
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


async def show(host: FakeOllama, call: Call, reply: Reply) -> None:
    model = checks.installed(host.models, call, host.old)
    checks.check_cloud(model, host.cloud, "remote model details are unavailable")
    await reply.json(
        200,
        {
            "modelfile": f"# Generated.\n\nFROM /models/blobs/sha256-{model.blob}\n",
            "parameters": "",
            "template": model.template,
            "details": model.details,
            "model_info": {
                "general.architecture": model.family,
                "general.parameter_count": 7_000_000_000,
                f"{model.family}.context_length": model.max_ctx,
            },
            "capabilities": list(model.capabilities),
            "modified_at": _INSTALLED_AT,
            **({"license": model.licence} if model.licence else {}),
            **({"system": model.system} if model.system else {}),
            **({"remote_host": model.remote, "remote_model": "big:1t"} if model.remote else {}),
        },
    )


async def pull(host: FakeOllama, call: Call, reply: Reply) -> None:
    """Brings a model out of `host.registry`; one that was begun before goes on where it stopped."""
    streams = call.body.get("stream", True) is not False
    name = tagged(call.model or "").lower()
    model = host.registry.get(name) or host.models.get(name)
    if model is None:
        text = "pull model manifest: file does not exist"
        if not streams:
            raise checks.Refused(500, text)
        await reply.frame({"status": "pulling manifest"})
        await reply.frame({"error": text})
        await reply.end()
        return
    layer = {
        "status": f"pulling {model.blob[:12]}",
        "digest": f"sha256:{model.blob}",
        "total": model.weights,
    }
    if streams:
        await reply.frame({"status": "pulling manifest"})
    for step in range(host.pulled.get(model.blob, 0), _PULL_STEPS + 1):
        host.pulled[model.blob] = step
        if streams:
            await reply.frame({**layer, "completed": model.weights * step // _PULL_STEPS})
        await asyncio.sleep(_PULL_STEP_S / host.scheduler.limits.speed)
    host.models[name] = model
    await _statuses(reply, streams, "verifying sha256 digest", "writing manifest", "success")


async def create(host: FakeOllama, call: Call, reply: Reply) -> None:
    source = call.body.get("from")
    if not source and not call.body.get("files"):
        raise checks.Refused(400, "neither 'from' or 'files' was specified")
    base = host.models.get(tagged(source or "").lower())
    if base is None:
        raise checks.Refused(404, f"model '{source}' not found")
    made = base.variant(call.model or "", call.body.get("system") or "")
    host.models[made.name.lower()] = made
    layer = f"using existing layer sha256:{base.blob}"
    await _statuses(
        reply, call.body.get("stream", True) is not False, layer, "writing manifest", "success"
    )


async def _statuses(reply: Reply, streams: bool, *statuses: str) -> None:
    if not streams:
        await reply.json(200, {"status": statuses[-1]})
        return
    for status in statuses:
        await reply.frame({"status": status})
    await reply.end()


async def copy(host: FakeOllama, call: Call, reply: Reply) -> None:
    source = host.models.get(tagged(call.body.get("source") or "").lower())
    if source is None:
        raise checks.Refused(404, f"model '{call.body.get('source')}' not found")
    made = source.alias(call.body.get("destination") or "")
    host.models[made.name.lower()] = made
    await reply.text(200, "")


async def delete(host: FakeOllama, call: Call, reply: Reply) -> None:
    model = checks.installed(host.models, call, host.old)
    host.evict(model.name, deleted=True)
    await reply.text(200, "")


Endpoint = Callable[["FakeOllama", Call, Reply], Awaitable[None]]
ENDPOINTS: dict[tuple[str, str], Endpoint] = {
    ("GET", "/"): root,
    ("GET", "/api/version"): version,
    ("GET", "/api/status"): status,
    ("GET", "/api/tags"): tags,
    ("GET", "/api/ps"): ps,
    ("POST", "/api/show"): show,
    ("POST", "/api/pull"): pull,
    ("POST", "/api/create"): create,
    ("POST", "/api/copy"): copy,
    ("DELETE", "/api/delete"): delete,
}
