"""What is installed elsewhere: the wheel, what it asks for, and where such a copy keeps votes."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from arena.cli.serve import MISCONFIGURED
from tests.fake_ollama import FakeOllama
from tests.running import OURS, ROOT, running

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRA = ("authlib", "psycopg", "redis")
"""Packages that only the extras bring."""
EXTRAS = [each for extra in PROJECT["optional-dependencies"].values() for each in extra]


def pip(*arguments: str) -> None:
    # All that is needed is here; nothing is asked for over the network.
    command = [sys.executable, "-m", "pip", "--quiet", *arguments, "--no-index", "--no-deps"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (made,) = folder.glob("*.whl")
    return made


# What it asks for and holds --------------------------------------------------------------------


def ranges() -> dict[str, Requirement]:
    lines = [*PROJECT["dependencies"], *EXTRAS]
    return {canonicalize_name(each.name): each for each in map(Requirement, lines)}


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(each.name): each for each in pinned}


def test_what_is_pinned_is_what_the_package_asks_for_and_pytest() -> None:
    assert set(pins()) == {*ranges(), "pytest"}
    assert set(EXTRA) == {Requirement(r).name for r in EXTRAS}


def test_every_pin_lies_within_the_range_of_the_package() -> None:
    pinned = pins()
    for name, wide in ranges().items():
        (exact,) = pinned[name].specifier
        assert exact.operator == "==" and wide.specifier.contains(exact.version), f"{exact} {wide}"
        assert (pinned[name].extras, str(pinned[name].marker)) == (wide.extras, str(wide.marker))


FREE = ("MIT", "BSD", "Apache", "MPL", "0BSD", "Zlib", "PSF", "Mozilla Public License")
COPYLEFT = {"psycopg": "LGPL: an extra, and used as it is", "python-stdnum": "LGPL: used as it is"}
"""Libraries whose licence binds more than they themselves, and why they are here all the same."""


def licence(name: str) -> str:
    told = importlib.metadata.metadata(name)
    classified = [each for each in told.get_all("Classifier") or () if each.startswith("License")]
    first_line = (told.get("License") or "").partition("\n")[0]
    text = "BSD" if "Redistribution and use in source" in (told.get("License") or "") else ""
    return " ".join((told.get("License-Expression") or "", *classified, first_line, text))


def test_every_library_has_a_free_licence_or_a_reason() -> None:
    licences = {name: licence(name) for name in pins()}
    bound = {name for name, told in licences.items() if "GPL" in told or "General Public" in told}
    assert bound == set(COPYLEFT)
    assert not [
        name
        for name, told in licences.items()
        if name not in bound and not any(free in told for free in FREE)
    ]


NOT_SINCE: dict[str, str] = {}
"""Libraries of which nothing was released for three years, and why they are here all the same."""


def test_no_library_is_left_alone_without_a_reason() -> None:
    """Each pin with the month before which it was not released, noted when the pin is set."""
    with (ROOT / ".ci" / "released.tsv").open(encoding="utf-8") as file:
        noted = {row["name"]: row for row in csv.DictReader(file, delimiter="\t")}
    pinned = {name: str(each.specifier) for name, each in pins().items()}
    assert {name: f"=={row['version']}" for name, row in noted.items()} == pinned
    months = {name: row["not before"] for name, row in noted.items()}
    year, _, month = max(months.values()).partition("-")
    old = {name for name, when in months.items() if when < f"{int(year) - 3}-{month}"}
    assert old == set(NOT_SINCE)


def test_every_file_of_the_arena_goes_into_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    there = [path for path in (ROOT / "arena").rglob("*") if path.is_file()]
    places = [path.relative_to(ROOT) for path in there]
    # Caches of tools stand beside what they are of.
    made = ("__pycache__", ".ruff_cache")
    assert names == {p.as_posix() for p in places if not set(made) & set(p.parts)}


# A copy of its own -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """An installed arena that sees none of the checkout, with a home and a folder to start in."""

    bin: Path
    packages: Path
    home: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        apart = {"HOME": str(self.home), "XDG_DATA_HOME": "", "PYTHONPATH": ""}
        return apart | {"PYTHONDONTWRITEBYTECODE": "1", "DATABASE_URL": ""}

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.home,
            env=kept | self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def files(self) -> dict[Path, tuple[int, int]]:
        found = [(path, path.stat()) for path in self.packages.rglob("*")]
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in found}


@pytest.fixture(scope="module")
def copy(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """Installed without the extra; all else that it needs is what this Python has."""
    place = tmp_path_factory.mktemp("copy")
    made = Copy(place / "env/bin", place, place / "home", place / "start")
    venv.create(made.bin.parent, symlinks=True)
    pip("--python", str(made.bin / "python"), "install", "--no-compile", str(wheel))
    (packages,) = made.bin.parent.glob("lib/*/site-packages")
    hidden = f"import sys; sys.modules.update(dict.fromkeys({EXTRA}))"
    (packages / "needed.pth").write_text(f"{sysconfig.get_path('purelib')}\n{hidden}\n")
    made.home.mkdir()
    made.folder.mkdir()
    return Copy(made.bin, packages, made.home, made.folder)


def played(http: httpx.Client) -> None:
    """One knockout, to its end."""

    def call(path: str, **fields: object) -> Any:
        return http.post(f"/api/arena/{path}", json=fields).raise_for_status().json()

    battle = call("start_progressive", message="Why is it dark at night?", num_models=3)
    led_to = {"status": "in_progress"}
    while led_to["status"] == "in_progress":
        shown = call("get_progressive_responses", battle_id=battle["battle_id"])
        led_to = call(
            "submit_progressive_choice",
            battle_id=battle["battle_id"],
            choice="left",
            ballot=shown["ballot"],
        )


@pytest.mark.slow
def test_an_installed_copy_plays_and_keeps_votes_in_the_users_folder(copy: Copy) -> None:
    older = copy.packages / "data" / "arena.db"
    older.parent.mkdir()
    older.touch()
    before = copy.files()
    with FakeOllama.in_thread(speed=50, warm=True) as host:
        (copy.folder / ".env").write_text(f"OLLAMA_HOST={host.url}\nARENA_PACE=5000\n")
        door = (str(copy.bin / "arena"), "serve")
        with running(copy.home, door=door, cwd=copy.folder, **copy.environment) as app:
            kept = Path(app.found(r"votes\s+(\S+)"))
            assert kept.is_relative_to(copy.home) and kept.is_file()
            assert app.found(r"note\s+Votes of an older copy are in (\S+),") == str(older)
            with httpx.Client(base_url=app.url, timeout=60, trust_env=False) as http:
                played(http)
            assert app.stop() == 0, app.printed
    program = "import arena; print(len(arena.votes()), arena.__file__)"
    read = copy.run("python", "-c", program)
    assert read.stdout.split() == ["2", str(copy.packages / "arena" / "__init__.py")], read.stderr
    assert copy.files() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "value"),
    [("DATABASE_URL", "postgresql+psycopg://me:s3cret@db/arena"), ("REDIS_URL", "redis://db/0")],
)
def test_what_replicas_share_asks_for_the_extra(copy: Copy, key: str, value: str) -> None:
    refused = copy.run("arena", "serve", "--port", "0", **{key: value})
    assert refused.returncode == MISCONFIGURED and "s3cret" not in refused.stderr
    assert refused.stderr.startswith(f"A setting is wrong: {key} names what needs a package")
    assert "pip install 'progressive-arena[replicas]'" in refused.stderr


@pytest.mark.slow
def test_help_names_the_command_as_it_was_called(copy: Copy) -> None:
    assert copy.run("arena", "serve", "--help").stdout.startswith("usage: arena serve [-h]")
    by_module = copy.run("python", "-m", "arena", "--help")
    assert by_module.stdout.startswith("usage: python -m arena [-h]")
    by_file = copy.run("python", str(ROOT / "app.py"), "--help")
    assert by_file.stdout.startswith("usage: python app.py [-h]")
