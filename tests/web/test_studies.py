"""A study over HTTP: raters who come by their links, judge what they are given, and leave."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from arena.core.battle.entities import Contender
from arena.core.ports import Ledger
from arena.core.study.course import pairs_of
from arena.core.study.design import (
    BAD,
    GOOD,
    LONGEST_CHOICE,
    Check,
    Completion,
    Item,
    Kind,
    Questions,
    Study,
)
from arena.core.study.file import parse
from arena.core.study.written import Written, elsewhere
from arena.play.admission import Caller, RefereeRules
from arena.play.studies import close_study, open_study, study_of
from tests.core.study.test_file import NEEDED, ROWS
from tests.playing import QUICK, Table
from tests.web.calling import HOSTED, MAKERS, A, Play, called, problem, voting

NAMES = ("ash", "beech", "cedar", "elm")
STRENGTH = {name: n for n, name in enumerate(NAMES)}
CHECK = Check("Which is green?", "Grass is.", "Coal is.")
STUDY = Study(
    "trees",
    tuple(Item(f"p{n}", (f"Question {n}?", "Shorter.")) for n in range(6)),
    tuple(Contender(name, name) for name in NAMES),
    raters=4,
    per_rater=4,
    practice=CHECK,
    attention=(CHECK,),
    after=Questions(reasons=("clear", "true"), grades=5, comment=True),
    completion=Completion("C0DE", "https://panel.example/?cc=C0DE", ("PROLIFIC_PID",)),
)
HIDDEN = (*NAMES, GOOD, BAD, Kind.ATTENTION, Kind.REPEAT)


def text(prompt: str, name: str, turn: int) -> str:
    """What only those who know the study can take for its author's."""
    return f"Number {STRENGTH[name]} to {prompt}, turn {turn}."


async def begun(ledger: Ledger, study: Study) -> None:
    await ledger.keep(
        study.name,
        [
            Written(i.id, n, i.asked, tuple(elsewhere(text(i.id, n, t)) for t in range(2)))
            for i in study.items
            for n in NAMES
        ],
    )
    await open_study(ledger, study, datetime.now(UTC))


class Rater:
    """One who reads. robot: always the left one."""

    def __init__(self, client: httpx.AsyncClient, study: str, name: str, *, robot: bool) -> None:
        self.client, self.name, self.robot = client, name, robot
        self.path = f"{A}/studies/{study}/raters/{name}"
        self.link = {"Arena-Rater": f"{study}/{name}"}
        self.wire: list[str] = []

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        # "Not just now, nothing was kept": twelve at once may wait long for a slow disk.
        while (
            answer := await self.client.post(path, json=body, headers=self.link)
        ).status_code == 503:
            await asyncio.sleep(0.2)
        self.wire.append(answer.text)
        return answer

    async def judge(self) -> dict[str, Any]:
        """The next battle; returns the page afterwards."""
        opened = await self.post(f"{self.path}/battles")
        if opened.status_code == 201:
            battle = f"{A}/battles/{opened.json()['battle']}"
            state = await voting(self.client, battle)
            self.wire.append(json.dumps(state))
            said = {seat: texts[0] for seat, texts in state["replies"].items()}
            worse = "B" if self.robot else min(said, key=lambda seat: self.worth(said[seat]))
            vote = {"round": 1, "judgement": "drop", "seat": worse, "ballot": state["ballot"]}
            voted = await self.post(f"{battle}/votes", {**vote, "dwell_ms": 1500})
            assert voted.status_code == 200, voted.text
            assert problem(await self.client.get(f"{battle}/reveal"))[0] == 409
            self.wire.append((await self.client.get(battle)).text)
            seen = {"battle": opened.json()["battle"], "reasons": ["clear"], "grades": {"A": 3}}
            assert (await self.post(f"{self.path}/remarks", seen)).status_code == 200
        return dict((await self.client.get(self.path)).json())

    @staticmethod
    def worth(reply: str) -> int:
        words = reply.split()
        return int(words[1]) if words[1].isdigit() else int("Grass" in reply)

    async def take_part(self) -> dict[str, Any]:
        page = await self.client.get(self.path)
        assert page.json()["phase"] == "consent"
        await self.post(f"{self.path}/consent", {"passed": {"PROLIFIC_PID": self.name, "x": "y"}})
        while True:
            told = await self.judge()
            if told["phase"] in ("finished", "closed"):
                return told
            if told["phase"] == "waiting":
                await asyncio.sleep(0.05)


@pytest.mark.slow
def test_twelve_raters_judge_a_study_to_its_end(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, STUDY)
        raters = [Rater(client, "trees", f"r{n}", robot=n == 7) for n in range(12)]
        random.Random(1).shuffle(raters)
        ends = await asyncio.gather(*(rater.take_part() for rater in raters))
        ended = {(bool(end["done"]), end["code"], end["link"]) for end in ends}
        assert ended <= {(True, "C0DE", STUDY.completion.link), (False, "", "")}
        assert not [name for r in raters for name in HIDDEN for w in r.wire if f'"{name}"' in w]

        votes = await at.ledger.votes()
        votes = votes[votes["study"] == "trees"]
        ranked = votes[votes["excluded_reason"] == ""]
        assert Counter(ranked["prompt_id"]) == {item.id: 4 for item in STUDY.items}
        assert not ranked.duplicated(["rater", "prompt_id"]).any()
        sides = zip(ranked["model_a"], ranked["model_b"], strict=True)
        met = Counter(pair for two in sides for pair in pairs_of(two))
        assert max(met.values()) - min(met.values()) <= 2 and len(met) == 6
        told = Counter(votes["excluded_reason"])
        assert told["practice"] >= sum(bool(end["done"]) for end in ends)
        robot = votes[(votes["rater"] == "r7")]
        assert set(robot["winner"]) == {"model_a"}
        assert set(ranked["reasons"].map(tuple)) == {("clear",)} and set(ranked["grade_a"]) == {3}
        assert set(ranked["conversation_a"].map(len)) == {4}

        _, course = await study_of(at.ledger, "trees")
        assert dict(course.raters["r3"].data) == {"PROLIFIC_PID": "r3"}
        board = (await client.get(f"{A}/leaderboard", params={"study": "trees"})).text
        assert not [name for name in NAMES if name in board]
        await close_study(at.ledger, "trees", datetime.now(UTC))
        board = (await client.get(f"{A}/leaderboard", params={"study": "trees"})).text
        assert all(name in board for name in NAMES)

    play(scene)


def test_a_rater_goes_on_elsewhere_and_after_the_battle_was_lost(play: Play) -> None:
    study = replace(STUDY, name="again", practice=None, attention=())

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, study)
        rater = Rater(client, "again", "r", robot=False)
        await rater.post(f"{rater.path}/consent", {})
        first = (await rater.post(f"{rater.path}/battles")).json()
        other = Rater(client, "again", "r", robot=False)
        assert (await other.post(f"{other.path}/battles")).json()["battle"] == first["battle"]
        battle = f"{A}/battles/{first['battle']}"
        state = await voting(client, battle)
        vote = {"round": 1, "judgement": "drop", "seat": "A", "ballot": state["ballot"]}
        assert problem(await client.post(f"{battle}/votes", json=vote))[0] == 403
        await at.referee.abandon(first["battle"], caller=Caller(link="again/r"))
        assert (await rater.post(f"{rater.path}/battles")).json()["battle"] != first["battle"]

    play(scene)


def test_who_judges_a_study_by_the_calls_for_programs_that_wait_is_told_no_name(play: Play) -> None:
    study = replace(STUDY, name="waits", practice=None, attention=())

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, study)
        rater = Rater(client, "waits", "r", robot=False)
        await rater.post(f"{rater.path}/consent", {})
        battle = {"battle_id": (await rater.post(f"{rater.path}/battles")).json()["battle"]}
        shown = (await rater.post(f"{A}/get_progressive_responses", battle)).json()
        vote = {**battle, "winner": "model_b", "ballot": shown["ballot"]}
        ends = [await rater.post(f"{A}/vote", vote) for _ in range(2)]
        choice = {**battle, "choice": "right", "ballot": shown["ballot"]}
        ends.append(await rater.post(f"{A}/submit_progressive_choice", choice))
        assert {end.status_code for end in ends} == {200} and len({end.text for end in ends}) == 1
        end = ends[0].json()
        assert (end["status"], end["total_rounds"]) == ("completed", 1)
        assert end["winner"] is end["reveal"] is None and end["final_ranking"] == []
        (judged,) = end["comparison_history"]
        assert judged["models"] == ["Model A", "Model B"] and judged["choice"] == "right"
        last = (await rater.post(f"{A}/get_progressive_responses", battle)).json()
        assert (last["status"], last["remaining_comparisons"]) == ("completed", 0)
        assert [last["model_a"], last["model_b"]] == judged["models"]
        assert last["response_a"] == shown["response_a"] and last["latency_a"] is None
        assert problem(await rater.post(f"{A}/vote", {**vote, "winner": "tie"}))[0] == 409
        assert not [name for name in HIDDEN for said in rater.wire if f'"{name}"' in said]
        assert len(await at.ledger.votes_on(battle["battle_id"])) == 1

    play(scene)


def test_what_a_study_does_not_ask_is_refused(play: Play) -> None:
    study = replace(STUDY, name="strict")

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        free = {"prompt": "Why?", "study": "strict", "unattended": True}
        linked = (await client.post(f"{A}/battles", json=free)).json()["battle"]
        await voting(client, f"{A}/battles/{linked}")
        await begun(at.ledger, study)
        late = {"round": 1, "judgement": "tie"}
        told = problem(await client.post(f"{A}/battles/{linked}/votes", json=late))
        assert told[0] == 400 and "leads its raters" in told[1], "it was opened before the study"
        rater = Rater(client, "strict", "r", robot=False)
        assert problem(await client.get(f"{A}/studies/none/raters/r"))[0] == 404
        assert problem(await rater.post(f"{rater.path}/battles"))[0] == 409
        await rater.post(f"{rater.path}/consent", {})
        opened = (await rater.post(f"{rater.path}/battles")).json()
        state = await voting(client, f"{A}/battles/{opened['battle']}")
        vote = {"round": 1, "judgement": "tie", "ballot": state["ballot"]}
        unled = await client.post(f"{A}/battles/{opened['battle']}/votes", json=vote)
        status, said = problem(unled)
        assert status == 403 and "Arena-Rater" in said and "Arena-Session" not in said
        asked = f"{A}/battles/{opened['battle']}/follow_up"
        assert problem(await rater.post(asked, {"prompt": "And?"}))[0] == 409
        early = {"battle": opened["battle"], "reasons": ["clear"]}
        assert problem(await rater.post(f"{rater.path}/remarks", early))[0] == 400
        assert "leads its raters" in problem(await client.post(f"{A}/battles", json=free))[1]

    play(scene)


def test_whatever_reason_and_mark_a_file_asks_for_can_be_given(play: Play) -> None:
    choices = ["r" * LONGEST_CHOICE, "of two\nlines"]
    said = f"{NEEDED}[after]\nreasons = {json.dumps(choices)}\nmarks = {json.dumps(choices)}\n"
    after = parse(said, "study.toml", ROWS).after
    study = replace(STUDY, name="wordy", practice=None, attention=(), after=after)

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, study)
        rater = Rater(client, "wordy", "r", robot=True)
        await rater.post(f"{rater.path}/consent", {})
        id = (await rater.post(f"{rater.path}/battles")).json()["battle"]
        state = await voting(client, f"{A}/battles/{id}")
        vote = {"round": 1, "judgement": "drop", "seat": "B", "ballot": state["ballot"]}
        assert (await rater.post(f"{A}/battles/{id}/votes", vote)).status_code == 200
        assert (await client.get(rater.path)).json()["unsaid"] == id
        remark = {"battle": id, "reasons": choices, "marks": {"A": choices}}
        told = await rater.post(f"{rater.path}/remarks", remark)
        assert told.status_code == 200, told.text
        assert told.json()["unsaid"] == ""
        votes = await at.ledger.votes()
        (kept,) = votes[votes["study"] == "wordy"]["reasons"]
        assert list(kept) == choices

    play(scene)


def test_whatever_a_link_brings_locks_nobody_out_and_only_what_is_asked_for_is_kept(
    play: Play,
) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, replace(STUDY, name="links"))
        rater = Rater(client, "links", "r", robot=False)
        many = {f"utm_{number}": "x" for number in range(60)}
        brought = {"PROLIFIC_PID": "p" * 300, "token": "t" * 3000, "k" * 300: "", **many}
        agreed = await rater.post(f"{rater.path}/consent", {"passed": brought})
        assert (agreed.status_code, agreed.json()["phase"]) == (200, "ready")
        _, course = await study_of(at.ledger, "links")
        assert dict(course.raters["r"].data) == {"PROLIFIC_PID": "p" * 200}
        wrong = await rater.post(f"{rater.path}/consent", {"passed": {"token": 5}})
        assert problem(wrong)[0] == 422
        large = await rater.post(f"{rater.path}/consent", {"passed": {"token": "t" * 300_000}})
        assert problem(large)[0] == 413

    play(scene)


def test_contenders_write_while_raters_wait_where_the_study_says_so(play: Play) -> None:
    names = [model.name for model in HOSTED]
    study = Study(
        "live",
        (Item("p0", ("Why?", "Shorter."), system="Be kind."), Item("p1", ("How?",))),
        tuple(Contender(name, name) for name in names),
        raters=2,
        ahead=False,
        practice=CHECK,
    )

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await open_study(at.ledger, study, datetime.now(UTC))
        before = len(at.hosts[0].stats.answers())

        async def judge(name: str) -> dict[str, Any]:
            rater = Rater(client, "live", name, robot=True)
            await rater.post(f"{rater.path}/consent", {})
            while (page := await live(rater))["phase"] == "ready":
                pass
            assert not [maker for maker in MAKERS for said in rater.wire if maker in said.lower()]
            return page

        async def live(rater: Rater) -> dict[str, Any]:
            opened = (await rater.post(f"{rater.path}/battles")).json()
            if battle := opened.get("battle"):
                state = await voting(client, f"{A}/battles/{battle}")
                rater.wire.append(json.dumps(state))
                vote = {"round": 1, "judgement": "drop", "seat": "B", "ballot": state["ballot"]}
                assert (await rater.post(f"{A}/battles/{battle}/votes", vote)).status_code == 200
            return dict((await client.get(rater.path)).json())

        ends = await asyncio.gather(judge("r0"), judge("r1"))
        assert {end["phase"] for end in ends} == {"finished"}
        votes = await at.ledger.votes()
        votes = votes[votes["study"] == "live"]
        ranked = votes[votes["excluded_reason"] == ""]
        assert Counter(ranked["prompt_id"]) == {"p0": 2, "p1": 2}
        assert Counter(votes["excluded_reason"])["practice"] == 2
        own = ranked[ranked["prompt_id"] == "p0"]
        assert set(own["conversation_a"].map(len)) == {4} and set(own["host_a"]) != {""}
        asked = at.hosts[0].stats.answers()[before:]
        assert len(asked) == 2 * 2 * (2 + 1), "each contender of a battle, turn by turn"
        kind = [call for call in asked if call.messages[0]["content"] == "Be kind."]
        assert len(kind) == 2 * 2 * 2

    play(scene)


def test_openings_in_a_study_are_limited_as_others_are(tmp_path: Path) -> None:
    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        await begun(at.ledger, replace(STUDY, name="rush"))
        told = []
        for number in range(4):
            rater = Rater(client, "rush", f"made-up-{number}", robot=True)
            told.append((await rater.post(f"{rater.path}/consent", {})).status_code)
        assert told == [200, 200, 200, 429]
        known = Rater(client, "rush", "made-up-0", robot=True)
        refused = await known.post(f"{known.path}/battles")
        assert problem(refused)[0] == 429 and refused.headers["Retry-After"]
        assert (await client.get(known.path)).json()["phase"] == "ready"

    called(tmp_path, scene, rules=RefereeRules(opens_per_minute=3, stage=QUICK))
