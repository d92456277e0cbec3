"""Signing in by OpenID Connect, with a code and PKCE; what was asked waits in a signed cookie.

It does not know what an account may do.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from typing import Any

from authlib.integrations.starlette_client import OAuth
from starlette.requests import Request
from starlette.responses import Response

from arena.core.errors import ArenaError
from arena.web.callers import cookie, cookies, give_cookie, said_in, signed

WAITS_S = 600
PURPOSE = "openid"
AFTER = "after"
LONGEST_WAY = 1000
"""Characters of an address that is led back to. Browsers drop a cookie of 4 kB."""


class SignInFault(ArenaError):
    status = 503
    title = "Signing in failed"


class OpenId:
    """issuer: below which its configuration stands."""

    def __init__(self, issuer: str, client_id: str, client_secret: str) -> None:
        self.issuer = issuer.rstrip("/")
        self._client: Any = OAuth().register(
            "arena",
            client_id=client_id,
            client_secret=client_secret,
            server_metadata_url=f"{self.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid", "code_challenge_method": "S256", "timeout": 10},
        )

    async def start(self, request: Request, back: str, after: str, key: bytes) -> Response:
        """To the provider. after: where they want to go then. Raises SignInFault."""
        fits = after.isascii() and len(after) <= LONGEST_WAY
        waiting: dict[str, Any] = {AFTER: after} if fits else {}
        request.scope["session"] = waiting
        try:
            answer: Response = await self._client.authorize_redirect(request, back)
        except Exception as error:
            raise _away(error) from error
        told = urlsafe_b64encode(json.dumps(waiting).encode()).decode().rstrip("=")
        secure = request.url.scheme == "https"
        give_cookie(answer, _name(key), signed(key, PURPOSE, told), WAITS_S, secure=secure)
        return answer

    def after(self, request: Request, key: bytes) -> str:
        """Where whoever comes back wanted to go."""
        return str(_waiting(request, key).get(AFTER, ""))

    async def finish(self, request: Request, key: bytes) -> str:
        """The account, as the provider names it for good. Raises SignInFault."""
        request.scope["session"] = _waiting(request, key)
        try:
            token = await self._client.authorize_access_token(request)
            if account := token["userinfo"]["sub"]:
                return f"{self.issuer} {account}"
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise SignInFault(
                "Signing in took too long or was not begun here. Try again."
            ) from error
        except Exception as error:
            # It may have other keys by now, under the same names.
            self._client.server_metadata.pop("jwks", None)
            raise _away(error) from error
        raise SignInFault("The place to sign in named no account.")


def _away(error: Exception) -> SignInFault:
    return SignInFault(
        "The place to sign in does not answer, or refused it. Whoever is signed in goes on "
        f"playing; try again in a moment. ({type(error).__name__})"
    )


def _name(key: bytes) -> str:
    return f"{cookie(key)}_openid"


def _waiting(request: Request, key: bytes) -> dict[str, Any]:
    for told in cookies(request, _name(key)):
        if said := said_in(key, PURPOSE, told):
            with suppress(ValueError):
                kept: dict[str, Any] = json.loads(urlsafe_b64decode(f"{said}=="))
                return kept
    return {}
