"""Whatever a host's client raises, as the core's HostFault: its kind, and what to do about it.

It does not know which host it was, nor what was asked of it.
"""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import httpx

from arena.core.errors import HostFault, UnknownModel

REFUSALS = {
    400: "refused",
    401: "forbidden",
    403: "forbidden",
    429: "busy",
    503: "busy",
    # A proxy says so when the host behind it is gone.
    502: "unreachable",
    504: "unreachable",
    # What Ollama's client makes of an error line within a stream.
    -1: "crashed",
}
"""HTTP status → kind of fault; other ones are redirected (3xx) or failed."""

LONGEST = 200
"""Characters of a host's own words that are kept."""

BEYOND_CONTEXT = (
    "exceed_context_size",
    "context length",
    "context size",
    "input length exceeds",
    "maximum context",
    "too many tokens",
)
"""What servers say of a prompt that does not fit, in Ollama, llama.cpp and vLLM."""

LOST = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
NOT_MADE = (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError)

GARBLED = (AttributeError, TypeError, KeyError, IndexError, ValueError)
"""The last is that of JSON and of pydantic as well."""


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Everything that a client and its transport raise, as a HostFault of this host."""
    try:
        yield
    except HostFault:
        raise
    except (httpx.ConnectError, httpx.ConnectTimeout, ConnectionError) as error:
        # So the transport of replies says of a connection that had come about as well.
        if isinstance(error.__cause__, LOST) and not isinstance(error.__cause__, NOT_MADE):
            raise _fault(url, "dropped", "dropped the connection", error) from error
        hint = _hint(error)
        raise _fault(url, "unreachable", "does not answer", error, hint) from error
    except (TimeoutError, httpx.TimeoutException) as error:
        raise _fault(url, "silent", "was silent for too long", error) from error
    except (httpx.HTTPError, httpx.StreamError) as error:
        raise _fault(url, "dropped", "dropped the connection", error) from error
    except RuntimeError as error:
        # So httpx says that the client was closed: the pool was given other hosts.
        raise _fault(url, "dropped", "is no longer in use", error) from error
    except GARBLED as error:
        raise _fault(url, "garbled", "sent what is not in its format", error) from error


def refused(url: str, status: int, text: str) -> HostFault:
    """Of an answer that is an error. text: the host's own words."""
    text = text.strip()[:LONGEST]
    said = f"{url} answered {status}: {text}"
    if status == 404:
        return UnknownModel(f"{url}: {text}", host=url)
    if status in (400, 500) and any(words in text.lower() for words in BEYOND_CONTEXT):
        return HostFault(said, kind="too long", host=url)
    if status == 400 and "https server" in text.lower():
        hint = "It speaks TLS: write https:// in its address."
        return HostFault(f"{said} {hint}", kind="unreachable", host=url, hint=hint)
    hint = (
        "It wants another token: correct OLLAMA_TOKENS or OPENAI_TOKENS." if status == 401 else ""
    )
    kind = REFUSALS.get(status, "redirected" if 300 <= status < 400 else "failed")
    return HostFault(f"{said} {hint}".strip(), kind=kind, host=url, hint=hint)


def _fault(url: str, kind: str, what: str, error: BaseException, hint: str = "") -> HostFault:
    # The official client puts an invitation to install Ollama in the place of the cause, and the
    # transport calls most of them a time-out.
    error = error.__context__ or error if isinstance(error, ConnectionError) else error
    error = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    detail = f"{type(error).__name__}: {error}".strip(": ")[:LONGEST]
    said = f"{url} {what} ({detail}). {hint}".strip()
    return HostFault(said, kind=kind, host=url, hint=hint)


def _hint(error: BaseException) -> str:
    """What to do where no connection came about. No address in it: anyone may read it."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "Its certificate is not trusted here: name the PEM file of the authority that "
                "signed it in OLLAMA_CA_FILE."
            )
        if isinstance(cause, ssl.SSLError):
            return (
                "It speaks no TLS that is understood here: write http:// in its address if it "
                "has none, or name our own certificate in OLLAMA_CERT_FILE if it asks for one."
            )
        if isinstance(cause, socket.gaierror):
            return "Its name is not known here: correct it where its address is set."
        if isinstance(cause, ConnectionRefusedError):
            return (
                "Nothing listens at that port: start the server there, or correct the port in its "
                "address or in OLLAMA_PORT."
            )
        if isinstance(cause, TimeoutError):
            return "It cannot be reached: check that it runs and that no firewall is in between."
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
