"""The pages for readers: short enough, linked, of blocks that are tested, and true where they list
what the code has."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path

import pytest
from dotenv import dotenv_values

from arena.cli import COMMANDS, main
from arena.compose.asking import options_of
from arena.core.battle.roster import ALLOWED, parse
from arena.core.battle.view import State
from arena.core.standings.leaderboard import STANDINGS
from arena.exchange.lmarena import FIELDS
from arena.settings import DRAWS, load, setting_fields
from arena.web.api.events import NAMES
from arena.web.api.problems import TITLES, WHEN
from arena.web.words import ENGLISH
from tests.docs.pages import PAGES, README, ROOT, anchors, blocks, links, name, prose, table, text

DOCS = ROOT / "docs"
RESEARCHERS, OPERATORS, API = (DOCS / f"{page}.md" for page in ("researchers", "operators", "api"))
ARCHITECTURE, DECISIONS = DOCS / "architecture.md", DOCS / "decisions.md"
CONTRIBUTING, CHANGELOG = DOCS / "CONTRIBUTING.md", DOCS / "CHANGELOG.md"
LARGEST_README = 12_000
KEYS = [spec.metadata["key"] for spec in setting_fields()]

TESTED: dict[str, Collection[Path]] = {
    "sh": PAGES,
    "python": PAGES,
    "diff": [CONTRIBUTING],
    "html": [OPERATORS],
    "toml": PAGES,
    "ini": PAGES,
    "text": [ARCHITECTURE],
}
"""Kind of a block → where it may stand, as something tests it there: `test_blocks` those that can
be run, `test_recipes` all of CONTRIBUTING, `test_embedding` HTML, this file the others."""


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_is_tested(page: Path) -> None:
    for block in blocks(page):
        assert page in TESTED.get(block.kind, ()), f"nobody tests {block.place}, {block.kind!r}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        if not link.startswith("http"):
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    assert README.stat().st_size <= LARGEST_README
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(README)}
    assert set(PAGES) - {README} <= linked


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_within_the_text_are_understood(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in commands(page):
        options = {word.partition("=")[0] for word in words if word.startswith("--")}
        told = helped([word for word in words if re.fullmatch(r"[a-z][a-z-]*", word)][:2], capsys)
        assert not {option for option in options if option not in told}, words


def commands(page: Path) -> list[list[str]]:
    """`arena export --strict` → export, --strict."""
    spans = re.findall(r"`([^`\n]+)`", prose(page))
    said = [
        re.sub(r"^(\.venv/bin/)?python -m ", "", span).replace("python app.py", "arena serve")
        for span in spans
    ]
    return [span.split()[1:] for span in said if span.startswith("arena ")]


def helped(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0, command
    return capsys.readouterr().out


# What they list -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "head", "there"),
    [
        (RESEARCHERS, "key", ALLOWED),
        (RESEARCHERS, "option", options_of(load({}, None))),
        (RESEARCHERS, "reason", ENGLISH.table("board.reason")),
        (RESEARCHERS, "`ARENA_DRAW`", DRAWS),
        (RESEARCHERS, "column of the standings", STANDINGS),
        (RESEARCHERS, "column", FIELDS),
        (OPERATORS, "key", KEYS),
        (API, "field", [field.name for field in fields(State)]),
        (API, "event", NAMES),
    ],
)
def test_tables_name_exactly_what_there_is(page: Path, head: str, there: Collection[str]) -> None:
    assert sorted(table(page, head)) == sorted(there)


def test_the_table_of_commands_names_exactly_those_there_are() -> None:
    there = sorted(f"arena {command}" for command in COMMANDS)
    assert sorted(table(OPERATORS, "command")) == there


def test_the_api_tells_of_every_status() -> None:
    rows = re.findall(r"^\| ((?:\d{3} )+)\|", text(API), re.MULTILINE)
    told = sorted(int(status) for row in rows for status in row.split())
    assert told == sorted(WHEN) and {401, *TITLES} <= {*told}


def test_defaults_are_those_that_hold() -> None:
    told = table(OPERATORS, "key")
    for spec in setting_fields():
        key, default = spec.metadata["key"], spec.metadata["default"]
        assert told[key][0].strip("`") == (default or "empty"), key


def test_options_are_sent_as_they_are_told() -> None:
    settings = load({}, None)
    by_key = {spec.metadata["key"]: getattr(settings, spec.name) for spec in setting_fields()}
    for option, (told, *_) in table(RESEARCHERS, "option").items():
        value = told.strip("`")
        assert float(by_key.get(value, value)) == options_of(settings)[option], option


def test_rosters_can_be_used() -> None:
    rosters = [parse(block.text, block.place) for page in PAGES for block in blocks(page, "toml")]
    assert len(rosters) == 2
    for strict, free in rosters:
        assert strict.system and not free.system and strict.options != free.options


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_in_blocks_can_be_used(page: Path, tmp_path: Path) -> None:
    for block in blocks(page, "ini"):
        file = tmp_path / ".env"
        file.write_text(block.text)
        assert load({}, file) != load({}, None)
        assert dotenv_values(file).keys() <= set(KEYS)


def test_an_ollama_server_is_told_what_our_unit_tells_it() -> None:
    unit = text(ROOT / "arena" / "deploy" / "ollama" / "progressive-arena.conf")
    for page in (README, OPERATORS):
        (line,) = [
            line
            for b in blocks(page, "sh")
            for line in b.text.splitlines()
            if "serve" in line and "OLLAMA_KEEP" in line
        ]
        for told in line.split()[:-2]:
            assert f"Environment={told}\n" in unit, told


def test_the_library_that_is_bought_in_is_told_with_its_reason() -> None:
    files = (ROOT / "requirements.txt", *ROOT.glob("*/requirements.txt"))
    pinned = {
        re.split(r"[\[=]", line)[0]
        for file in files
        for line in text(file).splitlines()
        if "==" in line
    }
    assert sorted(table(DECISIONS, "library")) == sorted(pinned)


def test_changes_are_told_of_this_version() -> None:
    (version,) = re.findall(r'^version = "(.+)"$', text(ROOT / "pyproject.toml"), re.MULTILINE)
    assert f"\n## {version}\n" in text(CHANGELOG)


# Architecture -------------------------------------------------------------------------------------


def test_the_map_names_exactly_the_folders_there_are() -> None:
    the_map = next(block for block in blocks(ARCHITECTURE, "text") if block.heading == "The house")
    told = dict(line.split(maxsplit=1) for line in the_map.text.splitlines())
    there = {f"{folder.relative_to(ROOT).as_posix()}/" for folder in folders(ROOT / "arena")}
    assert {path for path in told if path.startswith("arena/")} == there
    assert all((ROOT / path).is_dir() for path in told)


def folders(top: Path) -> set[Path]:
    """That hold something, this one among them."""
    made = re.compile(r"[._]")  # Caches, and what they hold.
    files = [p for p in top.rglob("*") if p.is_file() and not any(map(made.match, p.parts[:-1]))]
    return {parent for file in files for parent in file.parents if parent.is_relative_to(top)}


def test_files_that_the_ways_lead_through_are_there() -> None:
    for block in blocks(ARCHITECTURE, "text"):
        if block.heading.startswith("The way"):
            for path in re.findall(r"(?<![/\w])(?:[a-z_]+/)+(?:\w+\.\w+)?", block.text):
                assert (ROOT / "arena" / path.removeprefix("arena/")).exists(), path


def test_words_are_used_in_the_code() -> None:
    code = " ".join(file.read_text().lower() for file in (ROOT / "arena").rglob("*.py"))
    words = re.findall(r"^\| ([a-z]+) \|", text(ARCHITECTURE), re.MULTILINE)
    assert len(words) > 20
    assert not [word for word in words if not re.search(rf"\b{word}", code)]
