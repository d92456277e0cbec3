"""Whatever goes wrong under our paths is problem JSON with the right status, never a page."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from arena.core.errors import HostFault
from arena.core.ports import Readiness
from arena.web.bodies import LARGEST_BODY, LARGEST_WITH_IMAGES
from tests.playing import Table
from tests.web.calling import A, Play, problem

BATTLES, START, VOTE = f"{A}/battles", f"{A}/start_progressive", f"{A}/vote"
VOTES = f"{BATTLES}/no/votes"
JSON = {"content-type": "application/json"}

UNUSABLE: list[tuple[str, bytes, int, str]] = [
    (BATTLES, b"{", 400, "not valid JSON"),
    (BATTLES, b"[]", 422, "body"),
    (BATTLES, b"", 422, "body"),
    (BATTLES, b"{}", 422, "prompt: Field required"),
    (BATTLES, b'{"prompt": 7}', 422, "prompt: "),
    (BATTLES, b'{"prompt": "x", "model": "y"}', 422, "model: "),
    (BATTLES, b'{"prompt": " \\n "}', 422, "prompt: Is empty"),
    (BATTLES, b'{"prompt": "a\\u0000b"}', 422, "prompt: "),
    (BATTLES, b'{"prompt": "x", "topic": "a\\nb"}', 422, "topic: "),
    (BATTLES, b'{"prompt": "\\ud800"}', 422, "prompt: "),
    (BATTLES, b'{"\\ud800": 1}', 422, "unicode"),
    (BATTLES, b'{"prompt": "x", "format": "duel"}', 422, "'elimination' or 'knockout'"),
    (BATTLES, b'{"prompt": "x", "size": 9}', 422, "size: "),
    (BATTLES, b'{"prompt": "%s"}' % (b"x" * 7000), 400, "7,000 characters"),
    (START, b'{"message": "x", "num_models": 1}', 422, "num_models: "),
    (START, b'{"message": "x", "num_models": "3"}', 422, "num_models: "),
    (VOTES, b'{"round": 0, "judgement": "tie"}', 422, "round: "),
    (VOTES, b'{"round": true, "judgement": "tie"}', 422, "round: "),
    (VOTES, b'{"round": 1, "judgement": "praise"}', 422, "judgement: "),
    (VOTES, b'{"round": 1, "judgement": "drop", "seat": "Z"}', 422, "seat: "),
    (VOTES, b'{"round": 1, "judgement": "tie"}', 404, "no longer on the server"),
    (VOTE, b'{"battle_id": "b", "ballot": "c", "vote": "neither"}', 422, "vote: "),
    (VOTE, b'{"battle_id": "b", "ballot": "c", "winner": "A"}', 422, "winner: "),
    (VOTE, b'{"battle_id": "b", "ballot": "c"}', 422, "winner: "),
    (VOTE, b'{"battle_id": "b", "ballot": "c", "vote": "tie", "winner": "tie"}', 422, "vote: "),
    (VOTE, b'{"battle_id": "b", "winner": "tie"}', 422, "ballot: "),
    (VOTE, b'{"battle_id": "b", "ballot": "c", "vote": "tie"}', 404, "no longer on the server"),
]


def test_what_cannot_be_used_is_a_problem(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        opened = at.referee.counted["opened"]
        for path, body, status, said in UNUSABLE:
            found, detail = problem(await client.post(path, content=body, headers=JSON))
            assert (found, said in detail) == (status, True), (path, body[:80], found, detail)
        for path in ("/leaderboard?ties=win", "/leaderboard?colour=red", "/export?format=xml"):
            assert problem(await client.get(A + path))[0] == 422
        for since in ("soon", "2026-02-30"):
            assert problem(await client.get(f"{A}/leaderboard?since={since}"))[0] == 400
        assert at.referee.counted["opened"] == opened

    play(scene)


def test_a_body_that_is_not_said_to_be_json_is_refused(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
            said = {"content-type": kind}
            answer = await client.post(BATTLES, content=b'{"prompt": "x"}', headers=said)
            assert problem(answer)[0] == 415

    play(scene)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        large = b" " * (LARGEST_BODY + 1)
        larger = b" " * (LARGEST_WITH_IMAGES + 1)
        assert problem(await client.post(BATTLES, content=larger, headers=JSON))[0] == 413
        assert problem(await client.post(f"{BATTLES}/no/undo", content=large))[0] == 413

    play(scene)


def test_a_body_without_end_is_cut_off(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        head = f"POST {BATTLES} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            with suppress(ConnectionError):
                writer.write(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
                await writer.drain()
            await asyncio.sleep(0)
        writer.close()
        (end,) = await asyncio.gather(answer, return_exceptions=True)
        assert isinstance(end, ConnectionResetError) or end.startswith(b"HTTP/1.1 413 ")

    play(scene)


def test_a_battle_that_is_not_there_is_a_problem(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        for path in ("", "/reveal", "/events"):
            assert problem(await client.get(f"{BATTLES}/nowhere{path}"))[0] == 404

    play(scene)


def test_nothing_under_our_paths_falls_through_to_the_page(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        assert (await client.get("/anything")).text == "<h1>page</h1>"
        for path in ("/api", "/api/", "/api/status", "/api/arena", f"{BATTLES}/", f"{A}//status"):
            assert problem(await client.get(path))[0] == 404
        for method, path, allowed in (
            ("GET", BATTLES, "POST"),
            ("PUT", f"{BATTLES}/x", "GET, DELETE"),
            ("OPTIONS", START, "POST"),
            ("POST", "/healthz", "GET"),
            ("DELETE", f"{A}/leaderboard", "GET"),
        ):
            answer = await client.request(method, path)
            assert problem(answer)[0] == 405 and answer.headers["allow"] == allowed

    play(scene)


def test_head_is_answered_wherever_get_is(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        for path in ("/healthz", f"{A}/status", f"{A}/leaderboard", "/docs", f"{A}/export"):
            whole, head = await client.get(path), await client.head(path)
            assert (head.status_code, head.content) == (whole.status_code, b"") == (200, b"")
            assert head.headers["content-type"] == whole.headers["content-type"]
        assert (await client.head(f"{BATTLES}/nowhere")).status_code == 404
        assert (await client.head(f"{BATTLES}/nowhere/events")).status_code == 405
        assert (await client.head(BATTLES)).status_code == 405

    play(scene)


def test_a_body_that_is_said_to_be_too_long_ends_the_connection(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        head = f"POST {VOTE} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(30):
            assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        writer.close()

    play(scene)


def test_a_host_that_is_none_makes_nobody_an_operator(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        for host in ("[bad", "a]", "[::1"):
            for path in ("/metrics", f"{A}/hosts"):
                assert problem(await client.get(path, headers={"Host": host}))[0] == 403

    play(scene)


def test_what_fails_behind_the_api_is_told_without_names(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = "http://10.0.0.5 dropped phi3:mini"

    def raising(error: Exception) -> Callable[[], Readiness]:
        def fail() -> Readiness:
            raise error

        return fail

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        warming = Readiness(False, "Warming up.")
        monkeypatch.setattr(at.referee, "readiness", lambda: warming)
        assert problem(await client.post(BATTLES, json={"prompt": "x"})) == (503, "Warming up.")
        for error, expected in ((HostFault(named, kind="dropped"), 502), (OSError(named), 500)):
            monkeypatch.setattr(at.referee, "readiness", raising(error))
            status, detail = problem(await client.post(BATTLES, json={"prompt": "x"}))
            assert status == expected and "phi3" not in detail and "10.0.0.5" not in detail

    play(scene)
