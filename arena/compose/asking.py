"""Settings in the terms of the hosts' adapter: time limits, certificates, options.

It does not know hosts, only what all of them are asked with.
"""

import ssl
from typing import Any

from arena.adapters.hosts import HostTimeouts
from arena.core.errors import ConfigError
from arena.settings import Settings


def timeouts_of(settings: Settings) -> HostTimeouts:
    return HostTimeouts(cold=settings.timeout_s, warm=settings.first_token_s)


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
    """What is ours to say and the same for all: budgets; num_ctx also because a different one
    makes Ollama load the model again. Everything else is left to the models' own files, unless
    the operator says otherwise."""
    sampling = {} if settings.temperature is None else {"temperature": settings.temperature}
    return {"num_ctx": settings.context, "num_predict": settings.max_tokens, **sampling}
