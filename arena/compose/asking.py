"""Settings in the terms of the hosts' adapter: time limits, certificates, pinned options.

It does not know hosts, only what all of them are asked with.
"""

from __future__ import annotations

import ssl
from typing import Any

from arena.adapters.hosts import HostTimeouts
from arena.core.errors import ConfigError
from arena.settings import Settings


def timeouts_of(settings: Settings) -> HostTimeouts:
    return HostTimeouts(cold=settings.timeout_s)


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """For https hosts with certificates of one's own; None for the usual authorities."""
    if not (settings.ca_file or settings.cert_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"OLLAMA_CA_FILE={settings.ca_file or ''} OLLAMA_CERT_FILE={settings.cert_file or ''}: "
            f"not usable ({error}). Allowed: PEM files with certificates."
        ) from None
    return context


def options_of(settings: Settings) -> dict[str, Any]:
    """Pinned in full and sent on every call, since the defaults differ between versions of
    Ollama and a different num_ctx makes it load the model again."""
    return {
        "num_ctx": settings.context,
        "num_predict": settings.max_tokens,
        "temperature": settings.temperature,
        "top_k": 40,
        "top_p": 0.9,
        "min_p": 0.0,
        "repeat_last_n": 64,
        "repeat_penalty": 1.1,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
    }
