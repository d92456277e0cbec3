"""A study's tables, and its release: what is in it, and that every table comes out the same."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

import arena
from arena.adapters.ledger import SqlLedger
from arena.cli import main
from arena.core.battle import record, rules
from arena.core.battle.entities import Contender, Judgement, Reply, Verdict
from arena.core.errors import BadInput
from arena.core.study.assignment import upcoming
from arena.core.study.course import Course, Event
from arena.core.study.design import GOOD, Check, Completion, Item, Questions, Study, Texts
from arena.core.study.file import TAKEN
from arena.core.study.staging import battle_of, check_of
from arena.core.study.written import Written, elsewhere, of_check
from arena.play.studies import close_study, open_study
from tests.exchange.rows import on_ledger, vote

ROOT = Path(__file__).parents[1]
AT = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("ash", "beech", "cedar")
CHECK = Check("Which is green?", "Grass.", "Coal.")
STUDY = Study(
    "trees",
    tuple(Item(f"p{n}", (f"Question {n}?",)) for n in range(4)),
    tuple(Contender(name, name) for name in NAMES),
    alike=3,
    attention=(CHECK,),
    after=Questions(reasons=("clear",), grades=5),
    completion=Completion("SECRET", "", ("PROLIFIC_PID",)),
)

CROISSANT = """
import json, sys
import mlcroissant
told = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = [*told.metadata.issues.errors, *told.metadata.issues.warnings]
winners = [row["votes/winner"].decode() for row in told.records("votes")]
rows = {name: len(list(told.records(name))) for name in ("raters", "replies")}
print(json.dumps({"issues": issues, "winners": winners, **rows}))
"""
"""In a process of its own: what the library logs with closes standard error at the first server
that sets up its own log."""


async def judged(ledger: SqlLedger, study: Study = STUDY) -> None:
    """The study, opened and judged by three raters: the later in the alphabet, the better. Where
    there are more contenders than three, they go by taste."""
    names = [contender.name for contender in study.contenders]
    said = {n: f"I am {n[0]} of the trees; write to {n}@example.org." for n in names}
    await ledger.keep(
        study.name,
        [Written(i.id, n, i.asked, answered(i, said[n])) for i in study.items for n in names],
    )
    await open_study(ledger, study, AT)
    for number in range(3):
        rater = f"r{number}"
        came = Event("consent", AT, rater, data={"PROLIFIC_PID": f"pid-{number}"})
        await ledger.move(study.name, lambda *_, came=came: (None, [came]))
        while await one(ledger, study, rater, said):
            pass


def answered(item: Item, said: str) -> tuple[Reply, ...]:
    thought = f"They are {said}" if item.system else ""
    return (replace(elsewhere(said), thinking=thought),) * len(item.turns)


async def one(ledger: SqlLedger, study: Study, rater: str, said: dict[str, str]) -> bool:
    events = await ledger.move(study.name, lambda events, _: (events, []))
    id = f"b{len(events)}"
    claim = upcoming(study, Course.of(events), rater, AT, id, random.Random(len(events)))
    if not claim:
        return False
    battle = battle_of(study, claim, "secret")
    check = check_of(study, claim.kind, claim.item)
    replies = (
        of_check(check)
        if check
        else {n: answered(study.by_id[claim.item], of) for n, of in said.items()}
    )
    for seat in battle.seats:
        for reply in replies[seat.contender.name]:
            battle = rules.answer(battle, seat.letter, reply)
    taste = random.Random(rater + id) if len(said) > len(NAMES) else None
    worse = min(
        battle.seats,
        key=lambda s: (s.contender.name == GOOD, taste and taste.random(), s.contender.name),
    )
    moved = rules.vote(battle, 1, Verdict(Judgement.DROP, worse.letter), f"ballot-{id}")
    cast = record.Ballot(f"ballot-{id}", AT + timedelta(minutes=1), rater, dwell_ms=2000)
    await ledger.append(record.rows(moved, cast))
    remark = Event("remark", AT, rater, id, data={"reasons": ["clear"], "grades": {"A": 5}})
    news = [claim.event, Event("done", AT, rater, id), remark]
    await ledger.move(study.name, lambda *_: (None, news))
    return True


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    played(url, STUDY)
    return url


def played(url: str, study: Study) -> None:
    async def run() -> None:
        ledger = SqlLedger(url)
        await ledger.open()
        await judged(ledger, study)
        await ledger.close()

    asyncio.run(run())


def close(url: str) -> None:
    async def run() -> None:
        ledger = SqlLedger(url)
        await ledger.open()
        await close_study(ledger, "trees", AT)
        await ledger.close()

    asyncio.run(run())


def test_an_open_study_is_blind_for_who_runs_it_unless_they_ask(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    found = arena.study("trees", DATABASE_URL=url)
    assert found.blind and (found.status.judged, found.status.complete) == (12, 4)
    for told in ("style", "order"):
        with pytest.raises(BadInput, match=r"trees is blind while it is open.*unblind=True"):
            found.leaderboard(**{told: True})
    assert set(found.votes.loc[found.votes["excluded_reason"] == "", "model_a"]) <= {
        f"contender {n}" for n in (1, 2, 3)
    }
    assert not {"digest_a", "ttft_ms_a", "options_a"} & set(found.votes)
    assert main(["study", "status", "trees"]) == 0
    assert main(["study", "export", "trees", str(tmp_path / "out")]) == 0
    assert main(["leaderboard"]) == 0
    assert main(["export"]) == 0
    told = capsys.readouterr().out
    assert not [name for name in NAMES if name in told]
    assert "12 of 12" in told and "3 of 3 attention checks passed" in told
    assert len(pd.read_csv(tmp_path / "out" / "votes.csv")) == 15
    assert arena.votes(["id"], DATABASE_URL=url).empty
    assert len(arena.votes(["id"], unblind=True, DATABASE_URL=url)) == 15
    shown = arena.study("trees", unblind=True, DATABASE_URL=url)
    figures = shown.plots(), found.plots()
    assert [set(of) for of in figures] == [{"ratings", "days"}] * 2
    named, blind = (of["ratings"].to_json() for of in figures)
    assert [name in named for name in NAMES] == [True] * 3
    assert [name in blind for name in NAMES] == [False] * 3
    assert list(shown.leaderboard()["contender"]) == [*NAMES[::-1]]
    assert set(shown.votes["reasons"].map(tuple)) == {("clear",)}
    assert list(shown.raters["agrees"]) == [1.0] * 3
    agreed = shown.agreement.set_index("measure")["value"]
    assert agreed["agreement"] == 1.0
    assert set(shown.raters) <= {*TAKEN, "PROLIFIC_PID"}
    assert list(shown.raters["PROLIFIC_PID"]) == [f"pid-{n}" for n in range(3)]
    last = shown.votes.iloc[-1]
    back = {"battle_id": last["battle_id"], "supersedes": last["ballot_id"]}
    anew = vote("anew", last["model_a"], last["model_b"], last["winner"], **back)
    on_ledger(tmp_path / "arena.db", lambda ledger: ledger.add([anew]))
    for before in (found, shown):
        votes = arena.study("trees", unblind=not before.blind, DATABASE_URL=url).votes
        assert list(votes["excluded_reason"][-2:]) == ["superseded", ""]


def test_a_study_that_is_over_stays_blind_and_says_that_it_is_to_be_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'over.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    played(url, replace(STUDY, closes=AT + timedelta(hours=1)))
    assert main(["study", "status", "trees"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("trees is over: nobody judges") and "arena study close trees" in told
    found = arena.study("trees", DATABASE_URL=url)
    assert found.blind and (found.status.open, found.status.closed) == (False, False)
    assert arena.votes(["id"], DATABASE_URL=url).empty
    assert main(["study", "release", "trees", str(tmp_path / "out"), "--personal", "keep"]) == 1
    assert "trees is not closed. Close it first" in capsys.readouterr().err
    close(url)
    assert main(["study", "status", "trees"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("trees is closed") and "arena study close" not in told
    assert arena.study("trees", DATABASE_URL=url).status.closed
    assert len(arena.votes(["id"], DATABASE_URL=url)) == 15


@pytest.mark.slow
def test_a_release_says_all_and_comes_out_the_same_from_itself_alone(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "release"
    assert main(["study", "release", "trees", str(folder), "--personal", "mask"]) == 1
    assert "Close it first" in capsys.readouterr().err
    close(url)
    assert main(["study", "release", "trees", str(folder)]) == 1
    assert "email ash@example.org" in capsys.readouterr().err and not folder.exists()
    assert main(["study", "release", "trees", str(folder), "--personal", "mask"]) == 0
    everything = b"".join(file.read_bytes() for file in folder.iterdir()).decode(errors="replace")
    assert not [hidden for hidden in ("SECRET", "pid-", "@example", '"r1"') if hidden in everything]
    votes = pd.read_parquet(folder / "votes.parquet")
    assert not [text for text in votes["conversation_a"] if "@example" in text]
    assert set(votes["rater"]) == {f"rater {n}" for n in range(1, 4)}
    standings = pd.read_csv(folder / "standings.csv")
    assert list(standings["contender"]) == [*NAMES[::-1]]
    described = json.loads((folder / "croissant.json").read_text())
    assert {each["name"] for each in described["distribution"]} >= {"votes.parquet", "raters.csv"}
    raters = pd.read_csv(folder / "raters.csv")
    assert list(raters["judged"]) == [5] * 3 and list(raters["attention_passed"]) == [1] * 3
    assert list(raters["agrees"]) == [1.0] * 3 and list(raters["median_seconds"]) == [2.0] * 3
    assert json.loads((folder / "method.json").read_text())["excluded"] == {"attention": 3}
    assert main(["study", "rebuild", str(folder)]) == 0
    capsys.readouterr()
    checks = votes["excluded_reason"] == "attention"
    changed = votes.assign(winner="model_a", excluded_reason="repeat").where(checks, votes)
    changed.loc[~checks, "winner"] = "model_b"
    changed.to_parquet(folder / "votes.parquet")
    (folder / "prompts.jsonl").write_text("")
    assert main(["study", "rebuild", str(folder)]) == 1
    told = capsys.readouterr().err
    assert "votes.parquet is not the file" in told
    for made in ("prompts.jsonl", "raters.csv", "agreement.csv", "standings.csv"):
        assert f"{made} comes out otherwise" in told
    assert "what does not count comes out otherwise" in told


@pytest.mark.slow
def test_a_release_opens_no_battle_that_the_arena_still_keeps(url: str, tmp_path: Path) -> None:
    """By its id whoever has it would read what was masked."""
    close(url)
    before = arena.study("trees", DATABASE_URL=url).votes
    assert main(["study", "release", "trees", str(tmp_path / "out"), "--personal", "mask"]) == 0
    votes = pd.read_parquet(tmp_path / "out" / "votes.parquet")
    for name in ("battle_id", "evaluation_session_id"):
        assert not set(votes[name]) & set(before["battle_id"])
        assert pd.factorize(votes[name])[0].tolist() == pd.factorize(before[name])[0].tolist()


@pytest.mark.slow
def test_another_machine_makes_every_table_anew_to_the_last_digit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one adds up in another order, keeps other time, has another tongue and alphabet."""
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    several = tuple(Contender(name, name) for name in (*NAMES, "dogwood", "élm", "fir"))
    items = tuple(Item(f"p{n}", (f"Question {n}?",)) for n in range(12))
    played(url, replace(STUDY, items=items, contenders=several))
    close(url)
    folder = tmp_path / "release"
    assert main(["study", "release", "trees", str(folder), "--personal", "mask"]) == 0
    other = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "2", "PYTHONHASHSEED": "7"}
    other |= {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONUTF8": "0"}
    again = subprocess.run(
        [sys.executable, "-m", "arena", "study", "rebuild", str(folder)],
        env={**os.environ, **other},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert again.returncode == 0, again.stderr


@pytest.mark.slow
def test_the_library_of_croissant_reads_a_release(url: str, tmp_path: Path) -> None:
    close(url)
    assert main(["study", "release", "trees", str(tmp_path / "out"), "--personal", "mask"]) == 0
    described = str(tmp_path / "out" / "croissant.json")
    program = [sys.executable, "-W", "ignore", "-c", CROISSANT, described]
    told = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE).stdout)
    assert told["issues"] == []
    winners = told["winners"]
    assert len(winners) == 15 and set(winners) <= {"model_a", "model_b"}
    assert told["raters"] == 3 and told["replies"] == 12


def test_whatever_a_prompt_says_and_what_was_thought_is_screened_and_masked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path / 'arena.db'}"
    monkeypatch.setenv("DATABASE_URL", url)
    turns = ("Is ask@example.org a tree?", "And turn@example.org, or 030 901820?")
    design = replace(
        STUDY,
        items=(Item("p0", turns, system="You are sys@example.org."),),
        contenders=(*STUDY.contenders[:2], Contender("cedar", "cedar", "Be own@example.org.")),
        practice=Check("Who is prompt@example.org?", "A good@example.org.", "Bad."),
        attention=(Check("Which is green?", "Grass.", "bad@example.org"),),
        texts=Texts("Ask how@example.org.", "I am yes@example.org.", "Write to end@example.org."),
    )
    played(url, design)
    close(url)
    folder = tmp_path / "release"
    assert main(["export", "--format", "dpo", "--study", "trees"]) == 0
    pairs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {"role": "system", "content": "You are sys@example.org."}
    assert len(pairs) == 3 and all(pair["prompt"][0] == told for pair in pairs)
    assert main(["study", "release", "trees", str(folder)]) == 1
    told = capsys.readouterr().err
    for where in ("prompt: email ask", "turns: email turn", "system: email sys", "thinking_a: "):
        assert where in told
    for where in ("prompt", "good", "bad", "own", "how", "yes", "end"):
        assert f"email {where}@example.org" in told
    assert "phone" not in told
    german = ["study", "release", "trees", str(folder), "--region", "de"]
    assert main(["exclude", "--rater", "r0", "--because", "a trial"]) == 0
    assert main(german) == 1
    assert "turns: phone 030 901820" in capsys.readouterr().err
    assert main([*german, "--personal", "mask"]) == 0
    card = (folder / "README.md").read_text()
    assert "as they are written in DE:" in card
    assert "- `operator`: 1 that were taken out by whoever ran the arena" in card
    names = ("method.json", "prompts.jsonl", "replies.jsonl", "README.md")
    texts = (folder / name for name in names)
    everything = "".join(file.read_text() for file in texts)
    everything += pd.read_parquet(folder / "votes.parquet").to_csv()
    assert "@example" not in everything and "And [email], or [phone]?" in everything
    assert main(["study", "rebuild", str(folder)]) == 0


def test_what_is_no_release_and_what_is_no_study_is_said(url: str, tmp_path: Path) -> None:
    assert main(["study", "rebuild", str(tmp_path)]) == 1
    with pytest.raises(BadInput, match="no study 'none'"):
        arena.study("none", DATABASE_URL=url)


def test_a_study_is_opened_again_only_as_it_was(url: str) -> None:
    async def run() -> None:
        ledger = SqlLedger(url)
        await ledger.open()
        with pytest.raises(BadInput, match="another name"):
            await open_study(ledger, replace(STUDY, raters=2), AT)
        fresh = replace(STUDY, name="new", items=STUDY.items[:1])
        with pytest.raises(BadInput, match="3 replies are not written"):
            await open_study(ledger, fresh, AT)
        await close_study(ledger, "trees", AT)
        await open_study(ledger, STUDY, AT)
        await ledger.close()

    asyncio.run(run())
