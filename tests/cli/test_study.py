"""A study from its first line to its raters by commands, with images, on a fake host."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

from arena.play.studies import close_study, study_of
from tests.cli.conftest import Run
from tests.exchange.rows import filled, on_ledger, vote
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllamaThread

OLDER = Path(__file__).parents[1] / "adapters"
STUDY = """name = "shapes"
prompts = "prompts.csv"
contenders = ["llama3.1:8b", "mistral:7b", "phi3:mini"]
raters_per_prompt = 2
"""
PROMPTS = """id,prompt,image
plain,Why?,
shown,What is this?,red.png
both,"What changed?","[""red.png"", ""blue.png""]"
"""
CAN_SEE = ("completion", "vision")
SECRET = b"taken at home"


def drawn(colour: str) -> bytes:
    made = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    Image.new("RGB", (40, 20), colour).save(made, "PNG", exif=exif)
    return made.getvalue()


def told(messages: Sequence[Mapping[str, Any]], _: Mapping[str, Any]) -> str:
    return f"I see {sum(len(message.get('images', ())) for message in messages)}."


def hosted(*, seeing: int) -> list[Any]:
    models = (LLAMA, MISTRAL, PHI)
    return [
        replace(model, text=told, **({"capabilities": CAN_SEE} if at < seeing else {}))
        for at, model in enumerate(models)
    ]


def written(folder: Path) -> Path:
    (folder / "study.toml").write_text(STUDY)
    (folder / "prompts.csv").write_text(PROMPTS)
    for colour in ("red", "blue"):
        (folder / f"{colour}.png").write_bytes(drawn(colour))
    return folder / "study.toml"


def test_prompts_with_images_are_shown_to_those_who_see_alone(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    file = written(tmp_path)
    with FakeOllamaThread(hosted(seeing=2), speed=1000, warm=True) as host:
        checked = run("study", "check", file, OLLAMA_HOST=host.url)
        assert checked.code == 0 and "2, made anew" in checked.out
        assert "phi3:mini takes no images" in checked.err
        assert "replies are missing" not in run("study", "write", file, OLLAMA_HOST=host.url).out
        sent = host.stats.answers()
    assert run("study", "open", file).code == 0
    assert len(sent) == 7, "whoever takes no images is not asked about one"
    study, _ = on_ledger(ledger, lambda kept: study_of(kept, "shapes"))
    able = {item.id: [c.name for c in study.able(item)] for item in study.items}
    assert able["shown"] == able["both"] == ["llama3.1:8b", "mistral:7b"]
    assert len(able["plain"]) == 3
    images = on_ledger(ledger, lambda kept: kept.images(study.images))
    assert len(images) == 2 and not [data for data in images.values() if SECRET in data]
    replies = on_ledger(ledger, lambda kept: kept.written("shapes"))
    said = {each.prompt_id: each.replies[0].text for each in replies}
    assert said == {"plain": "I see 0.", "shown": "I see 1.", "both": "I see 2."}

    on_ledger(ledger, lambda kept: close_study(kept, "shapes", replies[0].at))
    folder = tmp_path / "release"
    assert run("study", "release", "shapes", folder).code == 0
    prompts = pd.read_json(folder / "prompts.jsonl", lines=True).set_index("prompt_id")
    named = {file.stem: file.read_bytes() for file in (folder / "images").iterdir()}
    assert named == images and set(prompts.loc["both", "images"]) == set(images)
    assert run("study", "rebuild", folder).code == 0
    next((folder / "images").iterdir()).write_bytes(b"")
    assert ".jpg is not the file" in run("study", "rebuild", folder).err


def test_images_that_cannot_be_shown_are_told_by_line(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path)
    (tmp_path / "blue.png").write_text("no image")
    (tmp_path / "prompts.csv").write_text(PROMPTS + "gone,Where?,none.png\nodd,What?,[3]\n")
    checked = run("study", "check", file, "--offline")
    assert checked.code == 1
    told = checked.err.splitlines()
    assert [line.split(":")[0] for line in told] == [f"prompts.csv, line {n}" for n in (4, 5, 6)]
    for said, line in zip(("no image", "is no file none.png", "Name a file"), told, strict=True):
        assert said in line


def test_where_too_few_see_a_study_is_not_opened(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path)
    with FakeOllamaThread(hosted(seeing=1), speed=1000, warm=True) as host:
        run("study", "write", file, OLLAMA_HOST=host.url)
        opened = run("study", "open", file)
        assert opened.code == 1 and "Fewer than 2 of its contenders" in opened.err
        live = file.with_name("live.toml")
        live.write_text(STUDY.replace("shapes", "live") + 'answers = "live"\n')
        opened = run("study", "open", live, OLLAMA_HOST=host.url)
        assert opened.code == 1 and "Fewer than 2" in opened.err


def test_what_init_writes_is_checked_and_prompts_that_are_not_there_are_told_by_line(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "study.toml"
    assert run("study", "init", file).code == 0
    assert "there already" in run("study", "init", file).err
    checked = run("study", "check", file, "--offline")
    assert checked.code == 0 and "6 that are ranked: 3 for each prompt" in checked.out
    text = file.read_text().replace("prompts.csv", "none.csv").replace("size = 2 ", "size = 1 ")
    file.write_text(text)
    first, second = run("study", "check", file, "--offline").err.splitlines()
    assert first.startswith("study.toml, line 9: size is")
    assert second.startswith("study.toml, line 4: There is no file")
    file.write_text(STUDY + "closes = 2020-01-31T18:00:00Z")
    (tmp_path / "prompts.csv").write_text("prompt\nWhy?\n")
    checked = run("study", "check", file, "--offline")
    assert checked.code == 1 and "which is over" in checked.err
    assert "which is over" in run("study", "open", file).err


def test_a_file_is_read_however_an_editor_has_saved_it(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path)
    prompts = "id;prompt;topics\r\nnight;Why, at night?;sky\r\n"
    (tmp_path / "prompts.csv").write_bytes(prompts.encode("utf-8-sig"))
    file.write_bytes(STUDY.replace("\n", "\r\n").encode("utf-8-sig"))
    checked = run("study", "check", file, "--offline")
    assert checked.code == 0 and "1 prompts" in checked.out
    assert "not read: topics." in checked.err
    file.write_bytes(STUDY.encode() + b'\n[texts]\nend = "\xe9"\n')
    number = STUDY.count("\n") + 3
    told = run("study", "check", file, "--offline").err
    assert f"study.toml, line {number}: This is not UTF-8." in told
    none = run("study", "check", tmp_path / "none.toml", "--offline").err
    assert "There is no file" in none and "Errno" not in none


def test_answers_that_are_others_than_those_here_are_told_and_not_taken(
    run: Run, tmp_path: Path
) -> None:
    file = written(tmp_path)
    (tmp_path / "prompts.csv").write_text("id,prompt\nplain,Why?\n")
    answers = tmp_path / "answers.csv"
    answers.write_text("prompt_id,contender,reply\nplain,phi3:mini,Dust.\n")
    assert "1 answers taken" in run("study", "write", file, "--answers", answers).out
    assert "others than" not in run("study", "write", file, "--answers", answers).err
    answers.write_text("prompt_id,contender,reply\nplain,phi3:mini,Stars.\n")
    assert "1 are others than those here" in run("study", "write", file, "--answers", answers).err


def test_a_study_takes_no_name_that_votes_from_elsewhere_carry(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    file = written(tmp_path)
    (tmp_path / "prompts.csv").write_text("id,prompt\nplain,Why?\n")
    assert run("study", "check", file, "--offline").code == 0 and not ledger.exists()
    file.write_text(STUDY + 'answers = "live"\n')
    assert run("study", "open", file).code == 0
    on_ledger(ledger, lambda kept: kept.append([vote("own", study="shapes")]))
    filled(ledger, [vote("linked", study="colours")])
    assert run("study", "open", file).code == 0
    file.write_text(STUDY.replace("shapes", "colours"))
    answers = tmp_path / "answers.csv"
    answers.write_text("prompt_id,contender,reply\nplain,phi3:mini,Dust.\n")
    for step in (("check", file, "--offline"), ("write", file, "--answers", answers)):
        told = run("study", *step)
        assert told.code == 1 and "1 vote in the ledger is of a study colours" in told.err, step
    file.write_text(file.read_text() + 'answers = "live"\n')
    told = run("study", "open", file)
    assert told.code == 1 and "Give this one another name" in told.err


def test_no_votes_from_elsewhere_join_a_study_that_was_opened(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    file = written(tmp_path)
    (tmp_path / "prompts.csv").write_text("id,prompt\nplain,Why?\n")
    file.write_text(STUDY + 'answers = "live"\n')
    assert run("study", "open", file).code == 0
    foreign = tmp_path / "foreign.csv"
    foreign.write_text("model_a,model_b,winner,study\nx,y,tie,\nx,y,tie,shapes\n")
    for how in ((), ("--study", "shapes"), ("--study", "shapes", "--dry-run")):
        told = run("import", foreign, *how)
        assert told.code == 1 and "of a study shapes that was opened here" in told.err, how
        assert "Give these votes another name with --study" in told.err
    on_ledger(ledger, lambda kept: close_study(kept, "shapes", datetime.now(UTC)))
    assert run("import", foreign).code == 1
    assert "2 votes imported" in run("import", foreign, "--study", "theirs").out


def test_who_only_looks_leaves_the_ledger_of_an_older_arena_as_it_is(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    file = written(tmp_path)
    (tmp_path / "prompts.csv").write_text("id,prompt\nplain,Why?\n")
    votes = tmp_path / "votes.csv"
    votes.write_text("model_a,model_b,winner\nx,y,tie\n")
    with closing(sqlite3.connect(ledger)) as older:
        older.execute("PRAGMA journal_mode = WAL")
        older.executescript((OLDER / "ledger_v8.sql").read_text())
    before = ledger.read_bytes()
    for look in (("import", votes, "--dry-run"), ("study", "check", file, "--offline")):
        told = " ".join(run(*look).err.split())
        assert "an older arena wrote it" in told and "`arena verify`" in told, look
        assert ledger.read_bytes() == before, look
    assert run("verify").code == 0
    assert "1 vote can be read" in run("import", votes, "--dry-run").out
    assert "older" not in run("study", "check", file, "--offline").err
