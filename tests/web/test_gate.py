"""The gate: who is let in by each setting, to every route, and as which rater; and that a fault of
what somebody signed in with costs nobody who is in anything."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Request
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from arena import settings as config
from arena.adapters.limits import MemoryLimits
from arena.compose import House
from arena.core.errors import ConfigError
from arena.server.application import build_app, exposure
from arena.web.callers import SESSION, Callers
from arena.web.gate import Admitted, Gate, Peers
from arena.web.openid import OpenId
from tests.web.calling import client_of, key

PAGE = {"accept": "text/html"}


def behind(admitted: Admitted, root_path: str = "") -> FastAPI:
    """An app that says as whom it is asked."""
    app = FastAPI()

    @app.get("/{path:path}")
    async def asked(path: str, request: Request) -> dict[str, str]:
        return {"rater": (await Callers(key).of(request)).rater, "path": path}

    take = MemoryLimits().take
    app.add_middleware(Gate, admitted=admitted, key=key, take=take, root_path=root_path)
    return app


def client(app: Any, host: str = "192.0.2.1") -> TestClient:
    return TestClient(app, follow_redirects=False, client=(host, 5000))


def test_a_password_lets_in_and_leaves_everybody_the_rater_that_they_were() -> None:
    visitor = client(behind(Admitted(password="open sesame")))
    page = visitor.get("/?study=pilot", headers=PAGE)
    assert page.status_code == 401 and "/?study=pilot" in page.text and "<form" in page.text
    assert visitor.get("/api/x").json()["title"] == "Not signed in"
    wrong = visitor.post("/gate", data={"word": "sesame", "after": "/"})
    assert wrong.status_code == 401 and 'role="alert"' in wrong.text
    right = visitor.post("/gate", data={"word": "open sesame", "after": "/?study=pilot"})
    assert (right.status_code, right.headers["location"]) == (303, "/?study=pilot")
    told = right.headers["set-cookie"].lower()
    assert "httponly" in told and "samesite=lax" in told and "sesame" not in told
    assert visitor.get("/api/x").json()["rater"] == ""
    assert client(behind(Admitted(password="x"))).get("/healthz").status_code == 200


@pytest.mark.parametrize("after", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_nobody_is_led_away_by_signing_in(after: str) -> None:
    visitor = client(behind(Admitted(password="word")))
    led = visitor.post("/gate", data={"word": "word", "after": after})
    assert led.headers["location"] == "/"


def test_a_user_is_one_rater_whatever_browser_or_session_they_bring() -> None:
    app = behind(Admitted(users={"ann": "one", "bob": "two"}))
    raters = []
    for user, password in (("ann", "one"), ("ann", "one"), ("bob", "two")):
        visitor = client(app)
        form = {"name": user, "word": password, "after": "/"}
        assert visitor.post("/gate", data=form).status_code == 303
        raters.append(visitor.get("/", headers={SESSION: "another.0"}).json()["rater"])
    assert raters[0] == raters[1] != raters[2] and "ann" not in raters[0]
    program = client(app).get("/", auth=("ann", "one"))
    assert program.json()["rater"] == raters[0]
    told = base64.b64encode(b"ann:one").decode()
    for scheme in ("basic ", "BASIC  "):
        answer = client(app).get("/", headers={"Authorization": f"{scheme}{told}"})
        assert answer.json().get("rater") == raters[0]
    for user, password in (("ann", "two"), ("", "one"), ("carl", ""), ("", "")):
        assert client(app).get("/", auth=(user, password)).status_code == 401


def test_a_cookie_is_worth_nothing_when_it_is_changed_or_the_user_is_gone() -> None:
    visitor = client(behind(Admitted(users={"ann": "one"})))
    visitor.post("/gate", data={"name": "ann", "word": "one", "after": "/"})
    ((name, told),) = visitor.cookies.items()
    for users in ({"bob": "two"}, {"ann": "new"}):
        gone = client(behind(Admitted(users=users)))
        assert gone.get("/", headers={"cookie": f"{name}={told}"}).status_code == 401
    other = client(behind(Admitted(users={"ann": "one"})))
    for forged in (f"{b'bob'.hex()}{told[6:]}", told[:-1], "..", "é", ""):
        cookies = {b"cookie": f"{name}={forged}".encode()}
        assert other.get("/", headers=cookies).status_code == 401


def test_passwords_are_not_guessed_at_will_and_who_is_in_is_not_kept_out_by_it() -> None:
    app = behind(Admitted(password="word"))
    inside = client(app)
    inside.post("/gate", data={"word": "word"})
    guesser = client(app)
    answers = [guesser.post("/gate", data={"word": str(n)}) for n in range(12)]
    assert answers[-1].status_code == 429
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60
    assert guesser.post("/gate", data={"word": "word"}).status_code == 429, (
        "not the right one either"
    )
    german = PAGE | {"accept-language": "de"}
    page = guesser.post("/gate", data={"word": "word", "after": "/?topic=x"}, headers=german)
    assert page.status_code == 429 and 0 < int(page.headers["retry-after"]) <= 60
    assert '<p role="alert">Zu viele falsche Passwörter.' in page.text
    assert 'value="/?topic=x"' in page.text
    assert inside.get("/").status_code == 200
    elsewhere = client(app, "198.51.100.7")
    assert elsewhere.post("/gate", data={"word": "word"}).status_code == 303


def test_an_account_is_believed_of_a_trusted_proxy_alone() -> None:
    admitted = Admitted(header="X-Remote-User", proxies=("10.0.0.0/8",))
    inner: Any = behind(admitted)
    trusting: Any = ProxyHeadersMiddleware(inner, ["10.0.0.0/8"])
    app = Peers(trusting)
    told = {"X-Remote-User": "ann", "X-Forwarded-For": "10.0.0.9"}
    by_proxy = client(app, "10.0.0.2").get("/", headers=told)
    assert by_proxy.status_code == 200 and by_proxy.json()["rater"]
    mapped = client(app, "::ffff:10.0.0.2").get("/", headers=told)
    assert mapped.json()["rater"] == by_proxy.json()["rater"]
    twice = [("X-Remote-User", "eve"), *told.items()]
    assert client(app, "10.0.0.2").get("/", headers=twice).status_code == 401
    assert client(app, "192.0.2.1").get("/", headers=told).status_code == 401
    assert client(app, "10.0.0.2").get("/").status_code == 401
    with pytest.raises(ConfigError, match="ARENA_PROXIES"):
        config.load({"ARENA_ACCOUNT_HEADER": "X-Remote-User"}, None)


def test_below_a_path_signing_in_stays_there() -> None:
    visitor = client(behind(Admitted(password="word"), "/arena"))
    page = visitor.get("/arena/?topic=x", headers=PAGE)
    assert 'action="/arena/gate"' in page.text and 'value="/?topic=x"' in page.text
    led = visitor.post("/arena/gate", data={"word": "word", "after": "/?topic=x"})
    assert led.headers["location"] == "/arena/?topic=x"
    assert visitor.get("/arena/api").status_code == 200
    assert visitor.get("/arena/healthz").status_code == 200


GATED = ("/", "/config", "/gradio_api/info", "/gradio.js", "/docs", "/openapi.json", "/b/x")
API = ("/api/arena/leaderboard", "/api/arena/battles/x/events", "/api/arena/status", "/metrics")


def test_every_route_is_behind_the_gate_but_the_probes(tmp_path: Path) -> None:
    async def scene() -> None:
        database = f"sqlite:///{tmp_path / 'arena.db'}"
        house = House(config.load({}, None, DATABASE_URL=database, ARENA_PASSWORD="word"))
        await house.ledger.open()
        app = build_app(house)
        visitor = TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5000))

        def codes(paths: tuple[str, ...]) -> list[int]:
            return [visitor.get(path).status_code for path in paths]

        assert set(await asyncio.to_thread(codes, (*GATED, *API))) == {401}
        posted = await asyncio.to_thread(visitor.post, "/gradio_api/run/open", json={})
        assert posted.status_code == 401
        assert await asyncio.to_thread(codes, ("/healthz", "/readyz")) == [200, 503]
        await asyncio.to_thread(visitor.post, "/gate", data={"word": "word"})
        assert 401 not in await asyncio.to_thread(codes, (*GATED, *API))
        await house.close()

    asyncio.run(scene())


def test_a_public_page_with_a_password_is_not_warned_of_for_lack_of_one() -> None:
    gated = {"ARENA_PASSWORD": "word", "ARENA_BIND": "0.0.0.0"}
    assert exposure(config.load(gated, None), shared=False) == ""
    unlimited = config.load({**gated, "ARENA_BALLOTS_PER_HOUR": "0"}, None)
    assert "no password" not in exposure(unlimited, shared=True)
    assert "ARENA_BALLOTS_PER_HOUR" in exposure(unlimited, shared=True)


# OpenID Connect -----------------------------------------------------------------------------------


@dataclass
class Provider:
    """A small one on loopback. `nonce`: what it says instead of the one it was asked with. signer:
    a key that it does not publish."""

    url: str = ""
    nonce: str = ""
    audience: str = "arena"
    asked: dict[str, str] = field(default_factory=dict)
    own: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signer: RSAKey | None = None
    account: str = "ann-7"
    fault: int = 0

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        async def configuration() -> dict[str, Any]:
            ends = {"authorization_endpoint": "ask", "token_endpoint": "token", "jwks_uri": "keys"}
            algorithms = {"id_token_signing_alg_values_supported": ["RS256"]}
            told = {name: f"{self.url}/{path}" for name, path in ends.items()}
            return {"issuer": self.url, **told, **algorithms}

        @app.get("/keys")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.own.as_dict(private=False)]}

        @app.post("/token")
        async def token(request: Request) -> JSONResponse:
            form = parse_qs((await request.body()).decode())
            if self.fault:
                return JSONResponse({}, self.fault)
            if form["code"] != ["good"] or "code_verifier" not in form:
                return JSONResponse({"error": "invalid_grant"}, 400)
            now = int(time.time())
            claims = {
                "iss": self.url,
                "sub": self.account,
                "aud": self.audience,
                "iat": now,
                "exp": now + 60,
                "nonce": self.nonce or self.asked["nonce"],
            }
            signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.signer or self.own)
            return JSONResponse({"access_token": "t", "token_type": "Bearer", "id_token": signed})

        return app


@asynccontextmanager
async def provided() -> AsyncIterator[tuple[Provider, httpx.AsyncClient]]:
    """A provider, and a browser of an arena that knows it."""
    provider = Provider()
    async with client_of(provider.app()) as there:
        provider.url = str(there.base_url).rstrip("/")
        admitted = Admitted(openid=OpenId(provider.url, "arena", "secret"))
        async with client_of(behind(admitted)) as browser:
            yield provider, browser


async def sent(provider: Provider, browser: httpx.AsyncClient, start: str = "/gate/start") -> str:
    """Where the provider sends the browser back to."""
    away = await browser.get(start)
    assert away.status_code == 302 and away.headers["location"].startswith(provider.url)
    asked = parse_qs(urlsplit(away.headers["location"]).query)
    provider.asked = {name: value for name, (value,) in asked.items()}
    assert provider.asked["redirect_uri"].endswith("/gate/back")
    return f"/gate/back?code=good&state={provider.asked['state']}"


def test_an_account_elsewhere_is_a_rater_here_and_stays_one_while_that_is_away() -> None:
    async def scene() -> None:
        async with provided() as (provider, browser):
            assert (await browser.get("/")).status_code == 401
            page = await browser.get("/", headers=PAGE)
            assert "/gate/start" in page.text and "<form" not in page.text
            back = await sent(provider, browser)
            led = await browser.get(back)
            assert led.status_code == 303, led.text
            assert led.headers["location"] == "/"
            rater = (await browser.get("/")).json()["rater"]
            assert rater and "ann" not in rater
            provider.url = "http://127.0.0.1:9"
            assert (await browser.get("/")).json()["rater"] == rater
            again = await browser.get(back)
            assert again.status_code == 503, "a code is for one use"

    asyncio.run(scene())


def start_of(page: httpx.Response) -> str:
    """Where the page's button to sign in elsewhere leads."""
    return unescape(page.text.split('class="button" href="')[1].split('"')[0])


def test_who_signs_in_elsewhere_is_led_to_where_they_wanted_to_go_which_is_here() -> None:
    async def scene() -> None:
        async with provided() as (provider, browser):

            async def led(start: str) -> str:
                browser.cookies.clear()
                back = await sent(provider, browser, start)
                return str((await browser.get(back)).headers["location"])

            here = "/?study=trial&rater=p7&topic=a%26b"
            assert await led(start_of(await browser.get(here, headers=PAGE))) == here
            assert await led("/gate/start?after=//evil.example") == "/"
            assert await led(f"/gate/start?after=/{'x' * 4000}") == "/", "no cookie holds that"

    asyncio.run(scene())


def test_a_provider_that_changes_its_key_lets_in_again_at_the_second_try() -> None:
    async def scene() -> None:
        async with provided() as (provider, browser):
            assert (await browser.get(await sent(provider, browser))).status_code == 303
            provider.own = RSAKey.generate_key(2048, {"kid": "1"})
            told = [(await browser.get(await sent(provider, browser))).status_code for _ in "12"]
            assert told == [503, 303]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "wrong",
    [
        {"nonce": "another"},
        {"audience": "another"},
        {"signer": RSAKey.generate_key(2048)},
        {"account": ""},
        {"fault": 500},
    ],
)
def test_what_the_provider_did_not_say_to_this_browser_lets_nobody_in(
    wrong: dict[str, Any],
) -> None:
    async def scene() -> None:
        async with provided() as (provider, browser):
            start = start_of(await browser.get("/?study=trial", headers=PAGE))
            back = await sent(provider, browser, start)
            for name, value in wrong.items():
                setattr(provider, name, value)
            page = await browser.get(back, headers=PAGE)
            assert page.status_code == 503 and int(page.headers["retry-after"]) > 0
            assert 'role="alert"' in page.text and start_of(page) == start
            told = await browser.get(back)
            assert told.status_code == 503 and told.json()["title"] == "Signing in failed"
            assert (await browser.get("/")).status_code == 401

    asyncio.run(scene())
