"""What may be sent to a served arena, how much and how slowly: real sockets, Gradio's routes too."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import arena
from arena.server import connection
from arena.web import bodies
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama

ROUTES = ("/gradio_api/run/predict", "/gradio_api/queue/join", "/api/arena/battles", "/upload", "/")
PREDICT = ROUTES[0]
HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
SOON_S = 0.3


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[tuple[str, int]]:
    async def launched(url: str) -> arena.Page:
        """Within a running event loop, as Gradio makes others where there is none."""
        database = f"sqlite:///{folder}/arena.db"
        return arena.launch(OLLAMA_HOST=url, DATABASE_URL=database, **settings)

    with FakeOllama.in_thread([LLAMA, MISTRAL, PHI], speed=50, warm=True) as host:
        page = asyncio.run(launched(host.url))
        warm = page._house.tried.wait()
        asyncio.run_coroutine_threadsafe(warm, page._server.loop).result(60)
        yield "127.0.0.1", urlsplit(page.url).port or 0
        page.stop()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    with served(tmp_path_factory.mktemp("bounds")) as address:
        yield address


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """An arena whose password nobody here has."""
    with served(tmp_path_factory.mktemp("gated"), ARENA_PASSWORD="open sesame") as address:
        yield address


@pytest.fixture
def sock(address: tuple[str, int]) -> Iterator[socket.socket]:
    with closing(socket.create_connection(address, timeout=30)) as sock:
        yield sock


def posted(path: str, *headers: bytes) -> bytes:
    return b"".join([f"POST {path} HTTP/1.1\r\n".encode(), HOST, JSON, *headers, b"\r\n"])


def sized(path: str, body: bytes) -> bytes:
    return posted(path, b"Connection: close\r\n", b"Content-Length: %d\r\n" % len(body)) + body


def rest(sock: socket.socket) -> bytes:
    """All that comes until the other side closes; a reset is no clean end."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def problem(answer: bytes) -> tuple[int, str]:
    """Status and detail of what must be problem JSON with nothing after it."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer[:500]
    told = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {told['status']} ".encode()) and told["title"]
    return told["status"], told["detail"]


def status(answer: bytes) -> int:
    return int(answer.split()[1])


# Bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_of_a_length_that_is_too_large_is_refused_unread_and_the_end_is_clean(
    sock: socket.socket, path: str
) -> None:
    sock.sendall(posted(path, b"Content-Length: 120000000\r\n"))
    for _ in range(20):
        sock.sendall(b" " * 65536)
    sock.shutdown(socket.SHUT_WR)
    assert problem(rest(sock)) == (413, "The body is larger than anything that could be used.")


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_without_a_length_is_cut_off_at_the_limit(sock: socket.socket, path: str) -> None:
    sock.sendall(posted(path, CHUNKED))
    for _ in range(bodies.LARGEST_BODY // 8192 + 1):
        sock.sendall(b"2000\r\n" + b" " * 0x2000 + b"\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert problem(rest(sock))[0] == 413


@pytest.mark.parametrize(
    ("path", "size", "told"),
    [
        ("/api/arena/battles", bodies.LARGEST_WITH_IMAGES, 201),
        ("/api/arena/battles", bodies.LARGEST_WITH_IMAGES + 1, 413),
        ("/api/arena/session", bodies.LARGEST_BODY + 1, 413),
        ("/gradio_api/queue/join", bodies.LARGEST_BODY + 1, 413),
    ],
)
def test_only_what_opens_a_battle_may_be_as_large_as_images_are(
    sock: socket.socket, path: str, size: int, told: int
) -> None:
    sock.sendall(sized(path, b'{"prompt": "Why?"}'.ljust(size)))
    assert status(rest(sock)) == told


def test_who_asks_first_sends_no_body_that_would_be_refused(sock: socket.socket) -> None:
    expecting = b"Expect: 100-continue\r\n"
    sock.sendall(posted(PREDICT, expecting, b"Content-Length: 120000000\r\n"))
    assert sock.recv(12) == b"HTTP/1.1 413"


@pytest.mark.parametrize("size", [0, bodies.LARGEST_BODY])
def test_gradios_queue_is_closed_to_whoever_asks_properly(sock: socket.socket, size: int) -> None:
    """A body as large as may be arrives whole, or it would be told that fields are missing."""
    body = b'{"data": [], "session_hash": "x", "fn_index": 0}'
    sock.sendall(sized("/gradio_api/queue/join", body.ljust(size)))
    answer = rest(sock)
    assert status(answer) == 503 and b"Queue is stopped" in answer


def test_no_event_of_the_page_needs_the_queue(sock: socket.socket) -> None:
    sock.sendall(b"GET /config HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    config = json.loads(rest(sock).partition(b"\r\n\r\n")[2])
    assert len(config["dependencies"]) > 10
    assert not [event for event in config["dependencies"] if event["queue"]]


@pytest.mark.parametrize("path", ROUTES[:3])
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"prompt": "\xff\xfe"}', "UTF-8"),
        ('{"data": "\u2200", "prompt": "Why?"}'.encode("utf-16-le"), "UTF-8"),
        (b'{"data": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested"),
        (b'{"a": "\\"", "data": ' + b'{"a":' * 65 + b"1" + b"}" * 65 + b"}", "nested"),
    ],
)
def test_what_cannot_be_parsed_is_refused_in_kind_words(
    sock: socket.socket, path: str, body: bytes, said: str
) -> None:
    sock.sendall(sized(path, body))
    told, detail = problem(rest(sock))
    assert told == 400 and said in detail


@pytest.mark.parametrize("kind", [b"application/JSON", b"APPLICATION/X+JSON", b""])
def test_json_is_looked_at_whatever_it_is_called(sock: socket.socket, kind: bytes) -> None:
    deep = b"[" * 100 + b"]" * 100
    head = posted(PREDICT, b"Connection: close\r\n", b"Content-Length: 200\r\n")
    named = b"Content-Type: %s\r\n" % kind if kind else b""
    sock.sendall(head.replace(JSON, named) + deep)
    told, detail = problem(rest(sock))
    assert told == 400 and "nested" in detail


def test_a_number_that_is_too_long_is_told_as_what_it_is(sock: socket.socket) -> None:
    sock.sendall(sized("/api/arena/battles", b'{"size": ' + b"9" * 5000 + b"}"))
    told, detail = problem(rest(sock))
    assert told == 400 and "body" in detail


def test_brackets_in_a_text_are_no_nesting(sock: socket.socket) -> None:
    body = json.dumps({"prompt": '["{' * 500, "size": 9}).encode()
    sock.sendall(sized("/api/arena/battles", body))
    told, detail = problem(rest(sock))
    assert told == 422 and detail.startswith("size: ")


def test_a_body_that_does_not_come_is_not_waited_for(
    sock: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WHOLE_S", SOON_S)
    monkeypatch.setattr(bodies, "LINGER_S", 0.0)
    sock.sendall(posted(PREDICT, b"Content-Length: 100\r\n") + b"{")
    assert problem(rest(sock))[0] == 408


@pytest.mark.parametrize(("room", "size"), [("ROOM", 100_000), ("ROOM_FOR_IMAGES", 300_000)])
def test_bodies_share_so_much_memory_and_no_more(
    address: tuple[str, int],
    sock: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    room: str,
    size: int,
) -> None:
    """Room for one and a half: while the first is held the second is not taken, then it is. What is
    announced and does not come takes none."""
    monkeypatch.setattr(bodies, room, size * 3 // 2)
    body = b'{"prompt": "x", "size": 9}'.ljust(size)
    promised = b"Expect: 100-continue\r\nContent-Length: %d\r\n" % size
    with ExitStack() as idle:
        for _ in range(2):
            other = idle.enter_context(closing(socket.create_connection(address, timeout=30)))
            other.sendall(posted("/api/arena/battles", promised))
            assert other.recv(4096).startswith(b"HTTP/1.1 100 ")
        with closing(socket.create_connection(address, timeout=30)) as other:
            other.sendall(sized("/api/arena/battles", body))
            assert problem(rest(other))[0] == 422
    sock.sendall(sized("/api/arena/battles", body)[:-1])
    deadline = time.monotonic() + 30
    told = 422
    while told == 422 and time.monotonic() < deadline:
        with closing(socket.create_connection(address, timeout=30)) as other:
            other.sendall(sized("/api/arena/battles", body))
            answer = rest(other)
            told = problem(answer)[0]
    assert told == 503 and b"retry-after: 2\r\n" in answer
    sock.sendall(b" ")
    assert problem(rest(sock))[0] == 422
    with closing(socket.create_connection(address, timeout=30)) as other:
        other.sendall(sized("/api/arena/battles", body))
        assert problem(rest(other))[0] == 422


@pytest.mark.parametrize("path", ["/gradio_api/upload/", "/upload/", "/api/arena/battles/"])
def test_no_answer_leads_to_where_the_request_says(sock: socket.socket, path: str) -> None:
    sock.sendall(sized(path, b"{}").replace(HOST, b"Host: localhost\r\nX-Forwarded-Host: evil\r\n"))
    answer = rest(sock)
    assert status(answer) in (403, 404, 405) and b"\r\nlocation:" not in answer.lower()


@pytest.mark.parametrize("path", ["/logout", "/login", "/login/"])
def test_gradios_own_accounts_are_not_there(sock: socket.socket, path: str) -> None:
    lines = f"GET {path} HTTP/1.1\r\nX-Forwarded-Host: evil\r\nConnection: close\r\n"
    sock.sendall(lines.encode() + HOST + b"\r\n")
    answer = rest(sock)
    assert status(answer) == 404 and b"\r\nlocation:" not in answer.lower()


def test_nothing_is_fetched_or_read_for_who_names_a_file(sock: socket.socket) -> None:
    for path in ("http://127.0.0.1:9/x", "/etc/hostname"):
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        body = json.dumps({"data": [{"re": 1, "link": file, "session": ""}], "fn_index": 0})
        sock.sendall(sized(PREDICT, body.encode()).replace(b"Connection: close\r\n", b""))
        answer = sock.recv(65536)
        assert status(answer) == 200 and b"a link that cannot be used" in answer


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("turned", [False, True])
def test_a_body_of_which_two_ends_are_told_is_refused(
    sock: socket.socket, path: str, turned: bool
) -> None:
    ends = (b"Content-Length: 4\r\n", CHUNKED)
    sock.sendall(posted(path, *ends[:: -1 if turned else 1]) + b"0\r\n\r\n")
    sock.shutdown(socket.SHUT_WR)
    assert problem(rest(sock))[0] == 400


# Heads --------------------------------------------------------------------------------------------

LONG = b"x" * (connection.LONGEST_HEAD + 1)
GET = b"GET /healthz HTTP/1.1\r\n" + HOST


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"Cookie: " + LONG + b"\r\n\r\n",
        GET + b"Cookie: " + LONG,
        GET + LONG,
        GET + b"A: b\r\n" * 20_000,
        b"GET /" + LONG,
        b"GET /?" + LONG + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        LONG,
        posted(PREDICT, CHUNKED) + b"1;" + 9 * LONG,
        posted(PREDICT, CHUNKED) + b"1\r\n{\r\n0\r\n" + b"A: b\r\n" * 20_000,
        posted(PREDICT, CHUNKED) + b"1\r\n{\r\n0\r\nA: " + 9 * LONG,
    ],
    ids=[
        "value",
        "value-without-end",
        "name-without-end",
        "many",
        "path",
        "query",
        "method",
        "chunk-extension",
        "trailers",
        "trailer-without-end",
    ],
)
@pytest.mark.parametrize("pieces", [1, 100])
def test_a_head_that_is_too_long_is_refused(sock: socket.socket, sent: bytes, pieces: int) -> None:
    size = len(sent) // pieces + 1
    for start in range(0, len(sent), size):
        sock.sendall(sent[start : start + size])
    sock.shutdown(socket.SHUT_WR)
    told = problem(rest(sock))[0]
    assert told == (400 if sent == LONG else 431)


def test_a_head_as_long_as_may_be_is_taken(sock: socket.socket) -> None:
    cookie = b"Cookie: " + b"x" * (connection.LONGEST_HEAD - 200) + b"\r\n"
    sock.sendall(GET + cookie + b"Connection: close\r\n\r\n")
    assert status(rest(sock)) == 200


@pytest.mark.parametrize(
    "sent",
    [
        posted(PREDICT, b"Content-Length: 5\r\n", CHUNKED) + b"0\r\n\r\n",
        posted(PREDICT, CHUNKED, b"Content-Length: 5\r\n") + b"0\r\n\r\n",
        posted(PREDICT, b"Content-Length: 5\r\nContent-Length: 6\r\n") + b"{}   ",
        posted(PREDICT, b"Content-Length: -1\r\n"),
        posted(PREDICT, CHUNKED) + b"zz\r\n",
        posted(PREDICT, b"Transfer-Encoding: gzip, chunked\r\n") + b"0\r\n\r\n",
        GET + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=[
        "both",
        "both-turned",
        "two-lengths",
        "negative",
        "chunk",
        "zipped",
        "two-hosts",
        "space",
        "tls",
    ],
)
def test_what_is_not_clearly_one_request_is_refused(
    sock: socket.socket, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with unheard(caplog):
        sock.sendall(sent)
        sock.shutdown(socket.SHUT_WR)
        assert problem(rest(sock)) == (400, "The request cannot be read: its headers or its body.")


def test_whoever_asks_for_another_protocol_is_answered_in_this_one(
    sock: socket.socket, caplog: pytest.LogCaptureFixture
) -> None:
    with unheard(caplog):
        sock.sendall(
            b"GET /healthz HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + HOST
        )
        sock.sendall(b"\r\n")
        assert status(sock.recv(65536)) == 200


@contextmanager
def unheard(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The operator reads no line of it on the terminal."""
    told = logging.getLogger("uvicorn.error")
    told.addHandler(caplog.handler)
    try:
        yield
    finally:
        told.removeHandler(caplog.handler)
    assert not [said for said in caplog.records if said.name == told.name]


def test_a_head_that_does_not_end_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int]
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", SOON_S)
    monkeypatch.setattr(connection, "LINGER_S", 0.0)
    with closing(socket.create_connection(address, timeout=30)) as sock:
        sock.sendall(GET)
        assert problem(rest(sock))[0] == 408
    with closing(socket.create_connection(address, timeout=30)) as sock:
        assert rest(sock) == b""


@pytest.mark.parametrize(
    "begun",
    [GET + b"X: ", posted(PREDICT, b"Content-Length: 100000\r\n"), posted(PREDICT, CHUNKED)],
    ids=["head", "body", "chunks"],
)
def test_who_sends_a_byte_now_and_then_is_dropped_in_the_same_time(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int], begun: bytes
) -> None:
    """Each byte is in time, the whole never would be."""
    soon(monkeypatch)
    drop = b"1\r\n \r\n" if CHUNKED in begun else b" "
    assert problem(dropped(address, begun, drop))[0] == 408


@pytest.mark.parametrize("path", [PREDICT, "/api/arena/battles"])
def test_images_may_take_as_long_as_they_do_over_a_slow_line(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int], path: str
) -> None:
    soon(monkeypatch)
    monkeypatch.setattr(bodies, "SLOWEST", 300_000)
    begun = time.monotonic()
    told = problem(dropped(address, posted(path, b"Content-Length: 300000\r\n"), b" "))[0]
    assert told == 408 and time.monotonic() - begun > 1


@pytest.mark.parametrize("path", ["/gate", "/gate/start", PREDICT, "/api/arena/battles"])
@pytest.mark.parametrize("length", [b"Content-Length: 4000\r\n", CHUNKED])
def test_nor_is_anybody_waited_for_who_may_not_come_in(
    monkeypatch: pytest.MonkeyPatch, gated: tuple[str, int], path: str, length: bytes
) -> None:
    soon(monkeypatch)
    drop = b"1\r\n \r\n" if length == CHUNKED else b" "
    told = problem(dropped(gated, posted(path, length), drop))[0]
    assert told == (408 if path.startswith("/gate") else 401)


def test_nor_for_the_rest_of_a_body_whose_answer_asks_for_none_of_it(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int]
) -> None:
    soon(monkeypatch)
    asking = (b"Origin: http://x.test\r\n", b"Access-Control-Request-Method: POST\r\n")
    begun = posted("/api/arena/battles", *asking, b"Content-Length: 4000\r\n")
    assert status(dropped(address, begun.replace(b"POST", b"OPTIONS", 1), b" ")) in (200, 400)


def test_who_was_refused_before_the_body_had_come_is_heard_again_after_it(
    gated: tuple[str, int],
) -> None:
    head, body = posted(PREDICT, b"Content-Length: 2\r\n"), b"{}"
    with closing(socket.create_connection(gated, timeout=30)) as sock:
        for _ in range(2):
            sock.sendall(head)
            answer = sock.recv(65536)
            assert status(answer) == 401
            sock.sendall(body)
        sock.sendall(posted("/gate", b"Connection: close\r\n", b"Content-Length: 4097\r\n"))
        assert problem(rest(sock))[0] == 413


def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in ((connection, "HEAD_S"), (bodies, "WHOLE_S")):
        monkeypatch.setattr(module, name, SOON_S)
    monkeypatch.setattr(connection, "LINGER_S", 0.0)
    monkeypatch.setattr(bodies, "LINGER_S", 0.0)


def dropped(address: tuple[str, int], begun: bytes, drop: bytes) -> bytes:
    """What is answered to a request of which a drop comes now and then, until the connection is
    closed."""
    with closing(socket.create_connection(address, timeout=SOON_S / 10)) as sock:
        sock.sendall(begun)
        got, deadline = b"", time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(ConnectionError):
                sock.sendall(drop)
            try:
                piece = sock.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                break
            if not piece:
                break
            got += piece
        assert time.monotonic() < deadline
    return got


def test_a_connection_is_not_kept_open_by_bytes_that_are_no_request(
    monkeypatch: pytest.MonkeyPatch, address: tuple[str, int]
) -> None:
    monkeypatch.setattr(connection, "HEAD_S", SOON_S)
    with closing(socket.create_connection(address, timeout=SOON_S / 10)) as sock:
        sock.sendall(GET + b"\r\n")
        got, deadline = b"", time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(ConnectionError):
                sock.sendall(b"\r\n")
            with suppress(TimeoutError, ConnectionError):
                piece = sock.recv(65536)
                if not piece:
                    break
                got += piece
        assert time.monotonic() < deadline and status(got) == 200


def test_an_answer_may_take_longer_than_a_head(
    monkeypatch: pytest.MonkeyPatch, sock: socket.socket
) -> None:
    """An event stream goes on, also when the next request has begun to arrive behind it."""
    monkeypatch.setattr(connection, "HEAD_S", SOON_S / 3)
    sock.sendall(b"GET /api/arena/probe/events HTTP/1.1\r\n" + HOST + b"\r\nGET /heal")
    got = b""
    while b'"number": 4' not in got:
        piece = sock.recv(65536)
        assert piece, got
        got += piece
    sock.sendall(b"thz HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert b"HTTP/1.1 200" in rest(sock)


def test_an_answer_under_way_is_not_written_into(sock: socket.socket) -> None:
    sock.sendall(b"GET /api/arena/probe/events HTTP/1.1\r\n" + HOST + b"\r\n")
    assert sock.recv(12) == b"HTTP/1.1 200"
    sock.sendall(b"\x00\x01\r\n\r\n")
    assert b"HTTP/1.1" not in rest(sock)


def test_the_page_itself_is_served(sock: socket.socket) -> None:
    sock.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    answer = rest(sock)
    assert status(answer) == 200 and b"gradio" in answer


# Who asks, and for whom ---------------------------------------------------------------------------


def page(address: tuple[str, int], *headers: bytes) -> bytes:
    with closing(socket.create_connection(address, timeout=30)) as sock:
        lines = (b"GET / HTTP/1.1\r\n", b"Accept: text/html\r\n", b"Connection: close\r\n")
        sock.sendall(b"".join([*lines, *headers, b"\r\n"]))
        return rest(sock)


@pytest.mark.parametrize(
    "name",
    [
        b"evil.example:80",
        b"127.0.0.1.evil.example",
        b"[::2]",
        b"[",
        b"",
        b"evil@127.0.0.1",
        b"127.0.0.1/x",
    ],
)
def test_a_name_that_is_not_ours_is_served_nothing(address: tuple[str, int], name: bytes) -> None:
    told, said = problem(page(address, b"Host: " + name + b"\r\n"))
    assert told == 421 and "ARENA_NAMES" in said


@pytest.mark.parametrize("name", [b"localhost:7860", b"LOCALHOST", b"127.0.0.1:1", b"[::1]:7860"])
def test_the_names_of_this_machine_are_served(address: tuple[str, int], name: bytes) -> None:
    assert status(page(address, b"Host: " + name + b"\r\n")) == 200


def test_a_browser_gets_its_session_once_and_no_script_reads_it(address: tuple[str, int]) -> None:
    head = page(address, HOST).partition(b"\r\n\r\n")[0].decode()
    (cookie,) = [line for line in head.split("\r\n") if line.lower().startswith("set-cookie:")]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/;" in cookie
    kept = cookie.split(": ")[1].split(";")[0]
    again = page(address, HOST, f"Cookie: {kept}\r\n".encode())
    assert b"set-cookie" not in again.lower().partition(b"\r\n\r\n")[0]
    forged = page(address, HOST, f"Cookie: {kept[:-1]}x\r\n".encode())
    assert b"set-cookie" in forged.lower().partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("origin", ["http://localhost:1", "http://evil.example", "null"])
def test_no_page_elsewhere_reads_an_answer_or_sends_json(
    address: tuple[str, int], origin: str
) -> None:
    for host in ("localhost", "[::1]"):
        for method in ("OPTIONS", "GET", "POST"):
            sent = f"{method} {PREDICT} HTTP/1.1\r\nHost: {host}\r\nOrigin: {origin}\r\n"
            sent += "Access-Control-Request-Method: POST\r\nConnection: close\r\n\r\n"
            with closing(socket.create_connection(address, timeout=30)) as sock:
                sock.sendall(sent.encode())
                told = rest(sock)
            assert method != "OPTIONS" or problem(told)[0] == 400
            answer = told.lower()
            assert b"access-control-allow-origin" not in answer
            assert status(answer) >= 400 and b"access-control-allow-credentials" not in answer


def test_whom_a_request_says_it_is_from_is_not_believed(address: tuple[str, int]) -> None:
    url = f"http://127.0.0.1:{address[1]}/api/arena/probe/events"
    said = urllib.request.Request(url, headers={"X-Forwarded-For": "203.0.113.9"})
    with urllib.request.urlopen(said, timeout=30) as events:
        assert b'"caller_is_known": false' in events.read()
