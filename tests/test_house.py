"""The rules of the house, read from its source: who imports whom, who reads the environment,
how long a file is, what nothing is called, and that the README's map is true."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOUSE = ROOT / "arena"
LONGEST_FILE = 350
SOURCES = sorted(HOUSE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
DOORS = sorted(ROOT.glob("*.py"))

PURE_NEEDS = {"numpy", "scipy", "pandas"}
"""What the core may import from outside of the standard library."""

IMPURE = {
    "asyncio",
    "http",
    "io",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "secrets",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
}
"""Standard modules through which a clock, chance or the outside world would come in."""

IMPURE_CALLS = re.compile(
    r"(?:\w+\.)*(?:now|utcnow|today|uuid1|uuid4)|open|print|input|exec|eval|__import__"
    r"|random\.(?!Random$)\w+|(?:np|numpy)\.random\.\w+|random\.Random\(\)"
)

MAY_IMPORT = {
    "core": {"core"},
    "adapters": {"core"},
    "play": {"core", "exchange", "play"},
    "exchange": {"core", "exchange"},
    "settings": {"core"},
    "web": {"core", "exchange", "play", "settings", "web"},
}
"""Part of the house → parts it may import; a part that is not named here may import all but
the adapters."""

KNOWS_ADAPTERS = {"compose"}
READS_ENVIRONMENT = {"settings"}

PASSES_ENVIRONMENT_ON = ("arena/adapters/engine/",)
"""Here os.environ may be handed whole to a child process, and nothing be read from it."""

FROM_ELSEWHERE = {"IPython", "arena_rank"}
"""Packages that are imported only where they happen to be installed."""

REQUIREMENTS = ("requirements.txt", "tests/requirements.txt")
"""Of the arena, and beside them of its tests."""

BANNED = {"util", "utils", "common", "manager", "helper", "helpers"}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _module(path: Path) -> list[str]:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return parts[:-1] if parts[-1] == "__init__" else parts


def _imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in the file, as a full dotted name; of `from x import y`
    x.y, as y may be a module."""
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _part(dotted: list[str]) -> str:
    """The part of the house a module of it belongs to."""
    return dotted[1] if len(dotted) > 1 else ""


def _house_imports(path: Path) -> Iterator[list[str]]:
    return (name.split(".") for name in _imports(path) if name.split(".")[0] == "arena")


def _of(part: str) -> list[Path]:
    return [path for path in SOURCES if _part(_module(path)) == part]


def _ids(paths: list[Path]) -> dict[str, object]:
    return {"argvalues": paths, "ids": [_name(p) for p in paths]}


# Who imports whom ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", **_ids(SOURCES))
def test_imports_run_one_way(path: Path) -> None:
    part = _part(_module(path))
    if part not in MAY_IMPORT:
        return
    for imported in _house_imports(path):
        own_adapter = part == "adapters" and imported[:3] == _module(path)[:3]
        assert own_adapter or _part(imported) in MAY_IMPORT[part], (
            f"{_name(path)} imports {'.'.join(imported)}; {part} may import only "
            f"{', '.join(sorted(MAY_IMPORT[part]))}"
        )


@pytest.mark.parametrize("path", **_ids(SOURCES + DOORS))
def test_only_compose_knows_the_adapters(path: Path) -> None:
    if _part(_module(path)) in KNOWS_ADAPTERS | {"adapters"}:
        return
    known = [".".join(i) for i in _house_imports(path) if _part(i) == "adapters"]
    assert not known, f"{_name(path)} imports {known}; ask compose instead"


@pytest.mark.parametrize("path", **_ids(_of("core")))
def test_the_core_imports_nothing_from_outside(path: Path) -> None:
    for name in _imports(path):
        top = name.split(".")[0]
        assert top not in IMPURE, f"{_name(path)} imports {name}"
        allowed = top in PURE_NEEDS | {"arena"} or top in sys.stdlib_module_names
        assert allowed, f"{_name(path)} imports {name}"
        assert not name.startswith("random.") or name == "random.Random", (
            f"{_name(path)} imports {name}; take a random.Random instead"
        )


@pytest.mark.parametrize("path", **_ids(_of("core")))
def test_the_core_has_no_clock_no_chance_and_no_io(path: Path) -> None:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            bare = ast.unparse(node)
            assert not IMPURE_CALLS.fullmatch(called) and bare != "random.Random()", (
                f"{_name(path)}:{node.lineno} calls {bare}; pass its result in"
            )


@pytest.mark.parametrize("path", **_ids(SOURCES + DOORS + TESTS))
def test_every_package_that_is_imported_is_pinned(path: Path) -> None:
    """One that came along with another package, or by hand, may not be there elsewhere."""
    for name in _imports(path):
        top = name.split(".")[0]
        if top in {"arena", "tests", *sys.stdlib_module_names, *FROM_ELSEWHERE}:
            continue
        names = {canonical(name) for name in _distributions().get(top, [top])}
        files = REQUIREMENTS if path in TESTS else REQUIREMENTS[:1]
        assert names & _pinned(files), f"{_name(path)} imports {name}; pin it in {files[-1]}"


def test_every_package_is_pinned_exactly() -> None:
    for line in _requirements(REQUIREMENTS):
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+(; .+)?", line), line


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def _requirements(files: tuple[str, ...]) -> list[str]:
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@cache
def _pinned(files: tuple[str, ...]) -> set[str]:
    return {canonical(re.split(r"[\[=]", line)[0]) for line in _requirements(files)}


def canonical(name: str) -> str:
    """A distribution's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


# Who reads the environment ---------------------------------------------------------------------


def _environment_reads(path: Path) -> Iterator[tuple[int, bool]]:
    """Line, and whether the whole environment is handed on, of each use of the environment.

    Setting a variable (`os.environ[...] = `) is no reading."""
    tree = _tree(path)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            source = node.module if isinstance(node, ast.ImportFrom) else ""
            names = {alias.name for alias in node.names}
            if (source == "os" and names & {"environ", "getenv"}) or "dotenv" in {source, *names}:
                yield node.lineno, False
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv"):
            parent = parents[node]
            if isinstance(parent, ast.Subscript) and isinstance(parent.ctx, ast.Store):
                continue
            asked = isinstance(parent, (ast.Subscript, ast.Attribute, ast.Compare))
            yield node.lineno, node.attr == "environ" and not asked


@pytest.mark.parametrize("path", **_ids(SOURCES + DOORS))
def test_only_settings_reads_the_environment(path: Path) -> None:
    if _part(_module(path)) in READS_ENVIRONMENT:
        return
    for line, handed_on in _environment_reads(path):
        allowed = handed_on and _name(path).startswith(PASSES_ENVIRONMENT_ON)
        assert allowed, f"{_name(path)}:{line} reads the environment; settings does that"


# Shape and names -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", **_ids(SOURCES + DOORS))
def test_no_file_is_too_long(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{_name(path)} has {lines} lines; split it by what it is about"


@pytest.mark.parametrize("path", **_ids(SOURCES))
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(_tree(path)), f"{_name(path)} has no docstring"


@pytest.mark.parametrize("path", **_ids(SOURCES + DOORS + TESTS))
def test_nothing_is_called_by_a_name_that_says_nothing(path: Path) -> None:
    names = [*path.relative_to(ROOT).with_suffix("").parts]
    for node in ast.walk(_tree(path)):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names.append(node.name)
    for name in names:
        words = {w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
        assert not words & BANNED, f"{_name(path)}: {name!r} does not say what it is"


# The map ---------------------------------------------------------------------------------------


def _map() -> dict[str, str]:
    """Path → what it is, from the first fenced block after the README's heading "The house"."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## The house$.*?^```\w*\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    assert block, "README.md has no fenced block under '## The house'"
    lines = [line.split(maxsplit=1) for line in block[1].splitlines() if line.strip()]
    paths = [line[0] for line in lines]
    assert len(paths) == len(set(paths)), "the map names a path twice"
    return {path: "".join(rest).strip() for path, *rest in lines}


def test_the_readme_maps_exactly_the_files_that_exist() -> None:
    there = {
        _name(p)
        for p in HOUSE.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc"
    }
    mapped = {p for p in _map() if p.startswith("arena/") and not p.endswith("/")}
    assert not there - mapped, f"not in the README's map: {sorted(there - mapped)}"
    assert not mapped - there, f"in the README's map but not there: {sorted(mapped - there)}"


def test_everything_on_the_map_exists_and_is_explained() -> None:
    for path, meaning in _map().items():
        place = ROOT / path
        assert place.is_dir() if path.endswith("/") else place.is_file(), f"{path} is not there"
        assert meaning, f"{path} is not explained in the README's map"
