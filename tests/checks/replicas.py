"""Replicas with the real page, behind whatever nginx a test writes down."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from fastapi import FastAPI

from arena.web import api, replica, ui
from tests.fake_ollama import FakeOllama
from tests.nginx import OUTSIDE, free_port, running_nginx
from tests.playing import Table, table
from tests.web.calling import HOSTED, client_of

HTTP = """
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    upstream arena {{
        {servers}
    }}
    server {{
        listen {listen};
        {server}
    }}
}}
"""


@asynccontextmanager
async def replica_of(at: Table, root_path: str = "") -> AsyncIterator[str]:
    """A replica with this table behind it; its address."""
    app = FastAPI()
    replica.install(app)
    api.install(app, at.referee)
    async with client_of(ui.mount(app, ui.build(at.referee), root_path)) as client:
        yield f"{client.base_url.host}:{client.base_url.port}"
        at.feed.close()  # type: ignore[attr-defined]


@asynccontextmanager
async def replicas_of(
    folder: Path, tables: int = 1, replicas: int = 2, root_path: str = ""
) -> AsyncIterator[tuple[list[str], list[Table]]]:
    """Replicas with one table behind them, as if they shared their battles, or two: their
    addresses and their tables."""
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(FakeOllama(HOSTED, speed=20, warm=True))
        places = [folder / f"table{number}" for number in range(tables)]
        for place in places:
            place.mkdir()
        at = [await stack.enter_async_context(table(place, [host])) for place in places]
        served = [replica_of(at[number % tables], root_path) for number in range(replicas)]
        yield [await stack.enter_async_context(each) for each in served], at


@contextmanager
def behind(folder: Path, addresses: list[str], server: str) -> Iterator[str]:
    """nginx in front of these replicas, with what the test writes into its server."""
    folder.mkdir()
    file, listen = folder / "nginx.conf", f"{OUTSIDE}:{free_port()}"
    servers = "".join(f"server {address};" for address in addresses)
    file.write_text(HTTP.format(folder=folder, listen=listen, servers=servers, server=server))
    with running_nginx(file, listen) as url:
        yield url
