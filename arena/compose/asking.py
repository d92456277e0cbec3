"""Settings in terms of what is asked of hosts: time limits, certificates, options.

It does not know hosts, only what all of them are asked with.
"""

import ssl
from collections.abc import Iterable, Mapping
from typing import Any

from arena.adapters.hosts import HostTimeouts
from arena.core.battle.entities import Contender
from arena.core.errors import ConfigError, NotThere
from arena.play.stage import StageRules
from arena.settings import Settings

SLOWEST = 10.0
"""Tokens a second that a model has to write, where as many are allowed as take longer than what
everybody has."""

HEARD_S = 3.0
"""Within this time replicas have heard of each other's viewers, which they tell once a second."""


def reply_tokens(settings: Settings, roster: Iterable[Contender]) -> int:
    """As many as the longest reply may have: a contender may be allowed its own number, and one
    without any limit fills its context."""

    def own(options: Mapping[str, Any]) -> int:
        most: int = options.get("num_predict", settings.max_tokens)
        context: int = options.get("num_ctx") or settings.context
        return most if most > 0 else context

    return max([settings.max_tokens, *(own(contender.options) for contender in roster)])


def timeouts_of(settings: Settings, roster: Iterable[Contender]) -> HostTimeouts:
    """The same for every contender, as who may write longer would be known by its time."""
    tokens = reply_tokens(settings, roster) + settings.think_tokens
    return HostTimeouts(
        cold=settings.timeout_s,
        warm=settings.first_token_s,
        total=max(HostTimeouts().total, tokens / SLOWEST),
    )


def round_s(settings: Settings, roster: Iterable[Contender]) -> float:
    """The longest a round may take: that a model comes, reads the longest prompt and writes as
    much as it may."""
    timeouts, longest = timeouts_of(settings, roster), [{"content": " " * settings.max_prompt}]
    begun = max(timeouts.first(longest, cold=cold) for cold in (True, False))
    return max(StageRules().total_s, begun + timeouts.total)


def grace_s(settings: Settings) -> float:
    """How long models write on with nobody looking."""
    return max(settings.grace_s, HEARD_S) if settings.redis_url else settings.grace_s


def tls_of(settings: Settings) -> ssl.SSLContext | None:
    """For https hosts with certificates of one's own; None for the usual authorities."""
    if not (settings.ca_file or settings.cert_file):
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file)
    except OSError as error:
        # What is in the file stays as it is; that there is none may pass.
        kind = ConfigError if isinstance(error, ssl.SSLError) else NotThere
        raise kind(
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
