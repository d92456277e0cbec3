"""nginx as it is deployed: our own configuration with only its ports and folders replaced."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing
from tests.running import wait_until

DEPLOY = Path(__file__).parents[1] / "arena" / "deploy"
CONFIGURATION = DEPLOY / "nginx"
OUTSIDE = "127.0.0.1"


def configured(
    folder: Path, port: int, replicas: Sequence[str], listen: str = "arena-listen.conf"
) -> Path:
    """Our configuration in the folder, listening on the port. replicas: their addresses as
    host:port. listen: which of our files says what is listened on; its certificate is expected
    in the folder."""
    main = (CONFIGURATION / "nginx.conf").read_text(encoding="utf-8")
    places = {
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx/": f"{folder}/",
        "/etc/nginx/arena-": f"{folder}/arena-",
        "\nhttp {": f"\nhttp {{\n{_temporary(folder)}",
    }
    for ours, here in places.items():
        assert ours in main
        main = main.replace(ours, here)
    (folder / "nginx.conf").write_text(main)
    upstream = (CONFIGURATION / "arena-replicas.conf").read_text(encoding="utf-8")
    how = re.search(r"^server \S+( .*;)$", upstream, re.MULTILINE)
    assert how, upstream
    servers = "".join(f"server {replica}{how[1]}\n" for replica in replicas)
    (folder / "arena-replicas.conf").write_text(servers)
    listening = (CONFIGURATION / listen).read_text(encoding="utf-8")
    listening = re.sub(r"^listen \[::\].*\n", "", listening, flags=re.MULTILINE)
    # Where both are listened on, the port is that of HTTPS, and any other is the plain one's.
    ours = "443" if "443" in listening else "80"
    listening = re.sub(
        rf"^listen {ours}\b", f"listen {OUTSIDE}:{port}", listening, flags=re.MULTILINE
    )
    listening = re.sub(
        r"^listen 80\b", f"listen {OUTSIDE}:{free_port()}", listening, flags=re.MULTILINE
    )
    listening = listening.replace("/etc/nginx/arena.", f"{folder}/arena.")
    (folder / "arena-listen.conf").write_text(listening)
    return folder / "nginx.conf"


@contextmanager
def nginx(
    folder: Path, replicas: Sequence[str], listen: str = "arena-listen.conf"
) -> Iterator[str]:
    """A running nginx with our configuration in front of the replicas; gives its URL."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    file = configured(folder, port, replicas, listen)
    with running_nginx(file, f"{OUTSIDE}:{port}") as url:
        yield url.replace("http", "https") if "tls" in listen else url


@contextmanager
def running_nginx(file: Path, listen: str) -> Iterator[str]:
    """nginx with the configuration, which has it listen there; gives its URL."""
    folder = file.parent
    # As root its workers would change to an account that cannot enter the folder.
    process = subprocess.Popen(
        [program_nginx(), "-c", file, "-p", folder, "-g", "daemon off; user root;"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = int(listen.rpartition(":")[2])
        wait_until(lambda: listens(port) or process.poll() is not None, "nginx listens", 10)
        assert process.poll() is None, (folder / "error.log").read_text()
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.wait(timeout=10)


def program_nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if not found:
        missing("nginx", "Install it: apt-get install nginx")
    assert found
    return found


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind((OUTSIDE, 0))
        return int(sock.getsockname()[1])


def _temporary(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "scgi", "uwsgi")
    return "".join(f"    {kind}_temp_path {folder}/{kind};\n" for kind in kinds)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((OUTSIDE, port)) == 0
