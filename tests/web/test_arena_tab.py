"""The moves the page may make, and the reveal as it is drawn: forged payloads, hostile names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from arena.core.battle.entities import Format
from arena.core.battle.record import Ballot, rows
from arena.core.battle.rules import answer, follow_up
from arena.core.battle.view import Reveal, RevealedSeat, reveal
from arena.core.errors import HostFault, LedgerFault, NotYours, StaleVote
from arena.core.standings.leaderboard import Movement
from arena.play.admission import Caller
from arena.play.ballots import own
from arena.web import unmasking
from arena.web.callers import cookie
from arena.web.moves import Moves
from arena.web.words import DASH, WORDS
from tests.core.battle.play import answered, drop, opened, reply, voted
from tests.web.calling import key

CHAMPION = RevealedSeat(
    letter="B",
    name="Ada <script>alert(1)</script>",
    model='ada:"1b"',
    place=1,
    champion=True,
    fell_in=0,
    by_coin=False,
    ttft_ms=321.4,
    tokens_per_s=43.21,
    output_tokens=210,
    flagged=False,
)
LOSER = replace(
    CHAMPION, letter="A", name="Bob", model="Bob", place=2, champion=False, fell_in=1, by_coin=True
)
REVEAL = Reveal("battle", "Model B is the champion.", (CHAMPION, LOSER), votes=1, counted=True)
MOVED = (Movement(CHAMPION.name, 1000.0, 1012.4, 2, 1), Movement("Bob", None, 990.0, None, 2))


class Recorder:
    """A referee that notes what it is asked, and fails as it is told."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._fault = fault

    key = staticmethod(key)

    async def vote(self, *args: Any, **options: Any) -> None:
        self.calls.append((*args, options))
        if self._fault:
            raise self._fault

    async def reveal(self, battle_id: str) -> tuple[Reveal, tuple[Movement, ...]]:
        return REVEAL, MOVED


BALLOT: Mapping[str, object] = {
    "re": 7,
    "battle": "battle",
    "round": 1,
    "judgement": "drop",
    "seat": "B",
    "ballot": "0123456789abcdef",
    "dwell_ms": 1200,
    "session": "",
}


def asking(host: str = "10.0.0.9", cookie: str = "") -> Any:
    """A request from there."""
    return SimpleNamespace(client=SimpleNamespace(host=host), headers={"cookie": cookie})


HERE = asking()


def vote(payload: object, fault: Exception | None = None) -> tuple[dict[str, Any], Recorder]:
    referee = Recorder(fault)
    return asyncio.run(Moves(referee).vote(payload, HERE)), referee  # type: ignore[arg-type]


def test_a_page_is_known_by_its_cookie_or_by_what_it_was_told_and_by_its_network() -> None:
    callers: list[Caller] = []

    class Door:
        key = staticmethod(key)

        async def open(self, *args: Any, caller: Caller, **options: Any) -> SimpleNamespace:
            callers.append(caller)
            return SimpleNamespace(battle="b")

        async def again(self, battle_id: str, *, caller: Caller) -> SimpleNamespace:
            return await self.open(caller=caller)

    asked = {
        "re": 1,
        "prompt": "x",
        "format": "elimination",
        "size": 0,
        "topic": "",
        "study": "",
        "system": "",
        "temperature": None,
        "images": [],
        "session": "",
        "battle": "b",
    }
    moves = Moves(Door())  # type: ignore[arg-type]
    told = asyncio.run(moves.open(asked, asking("10.0.0.1")))["session"]
    kept = f"other=1; {cookie(b'key')}={told}"
    for known in (
        moves.open({**asked, "session": told}, asking("10.0.0.1")),
        moves.again(asked, asking("10.0.0.2", kept)),
    ):
        assert asyncio.run(known) == {"re": 1, "battle": "b"}, "what is known is not told again"
    for forged in ("somebody", f"x{told}", told.replace(".", "x.")):
        answer = asyncio.run(moves.open({**asked, "session": forged}, asking("10.0.0.1")))
        assert answer["session"] not in (told, forged)
    first, second, other, *forged = callers
    assert first.rater == second.rater == other.rater and first.network == second.network
    assert first.network != other.network and "10.0.0.1" not in repr(first)
    assert len({caller.rater for caller in (first, *forged)}) == 4


def test_a_ballot_reaches_the_referee_as_it_was_cast() -> None:
    answer, referee = vote(BALLOT)
    assert answer == {"re": 7}
    ((*told, options),) = referee.calls
    assert told == ["battle", 1, "drop", "B"] and options.pop("caller").network
    assert options == {"channel": "web", "ballot": "0123456789abcdef", "dwell_ms": 1200}


def test_votes_of_a_page_are_recorded_with_its_channel() -> None:
    referee = Recorder()
    asyncio.run(Moves(referee, "notebook").vote(BALLOT, HERE))  # type: ignore[arg-type]
    assert referee.calls[0][-1]["channel"] == "notebook"


@pytest.mark.parametrize("payload", [None, [], "vote", 3, {}, {"re": 7}])
def test_what_is_no_ballot_is_answered_with_a_sentence(payload: object) -> None:
    answer, referee = vote(payload)
    assert "Please reload" in answer["error"] and not referee.calls


@pytest.mark.parametrize(
    ("field", "forged"),
    [
        ("battle", 5),
        ("battle", "x" * 65),
        ("ballot", None),
        ("ballot", "x" * 65),
        ("round", "1"),
        ("round", True),
        ("round", 0),
        ("round", 1.5),
        ("judgement", "win"),
        ("judgement", ["drop"]),
        ("seat", "Z"),
        ("seat", {"a": 1}),
        ("dwell_ms", -1),
        ("dwell_ms", 10**12),
        ("session", None),
        ("session", "x" * 65),
    ],
)
def test_a_forged_field_never_reaches_the_referee(field: str, forged: object) -> None:
    answer, referee = vote({**BALLOT, field: forged})
    assert field in answer["error"] and answer["re"] == 7 and not referee.calls


def test_a_refusal_is_shown_in_its_own_words() -> None:
    answer, _ = vote(BALLOT, StaleVote("The battle has moved on."))
    assert answer["error"] == "The battle has moved on."


@pytest.mark.parametrize(
    "fault",
    [
        HostFault("llama3 broke on 10.0.0.1", kind="reset"),
        LedgerFault("The ledger llama3 at 10.0.0.1 cannot be used: the disk is full."),
        RuntimeError("llama3 broke"),
    ],
)
def test_the_text_of_a_fault_stays_on_the_server(fault: Exception) -> None:
    answer, _ = vote(BALLOT, fault)
    assert "llama3" not in answer["error"] and "try again" in answer["error"]


def test_the_reveal_gives_names_by_letter() -> None:
    answer, drawn = asyncio.run(
        Moves(Recorder()).reveal({"re": 1, "battle": "b", "session": ""}, HERE)
    )  # type: ignore[arg-type]
    assert answer == {"re": 1, "names": {"B": CHAMPION.name, "A": "Bob"}}
    assert "Model B is the champion." in drawn


def drawn(language: str = "en", moved: Sequence[Movement] = MOVED, **changes: Any) -> str:
    return unmasking.draw(replace(REVEAL, **changes), moved, WORDS[language])


def test_a_name_is_drawn_as_text() -> None:
    told = drawn()
    assert "<script>" not in told and 'ada:"1b"' not in told
    assert "Ada &lt;script&gt;alert(1)&lt;/script&gt;" in told


def test_the_reveal_tells_pace_order_and_movement() -> None:
    told = drawn()
    for said in (
        "<div>0.3 s</div>",
        "43.2 tokens/s",
        ">210<",
        "#2 → #1",
        "1000 → 1012",
        "+12",
        "round 1 <span>drawn by lot",
        "990 <span>new",
        "1 vote recorded.",
    ):
        assert said in told, said


def test_of_which_rounds_votes_are_not_ranked_is_told() -> None:
    played = voted(opened(3, Format.ELIMINATION), drop("C"))
    asked = follow_up(answered(played), "And?")
    named = answer(asked, "A", replace(reply("I am Llama."), names_itself=True))
    over = voted(named, drop("A"))
    why = [
        row.excluded_reason
        for battle in (played, over)
        for row in rows(battle, Ballot(battle.rounds[-1].ballot_id, datetime.now(UTC)))
    ]
    assert why == ["", "", "identity"]
    told = unmasking.draw(reveal(over), (), WORDS["en"])
    assert "3 votes recorded." in told
    assert "the votes of the rounds it was judged in are kept but not ranked" in told


def test_what_is_not_known_is_drawn_as_a_dash() -> None:
    silent = replace(LOSER, ttft_ms=None, tokens_per_s=None, output_tokens=None)
    told = drawn(moved=(), seats=(silent,))
    assert ">None" not in told.replace(">None of", "") and "nan" not in told
    assert told.count(f"<div>{DASH}</div>") == 6


def test_a_battle_without_champion_says_so() -> None:
    told = drawn(seats=(LOSER,))
    assert told.count("No champion") == 1 and "None of the last replies was good enough" in told


def test_nobody_is_first_where_all_were_bad_and_what_that_counts_is_told() -> None:
    fallen = replace(LOSER, place=None, by_coin=False)
    told = drawn(seats=(fallen, replace(fallen, letter="B")), votes=1, both_bad=1)
    assert f"<div>{DASH}</div>" in told and "<div>1</div>" not in told
    assert "half a win for each" in told and "1 pair." in told


def test_the_reveal_is_told_in_the_language_of_whoever_asks() -> None:
    request = asking()
    request.headers["accept-language"] = "de-AT,de;q=0.9"
    asked = {"re": 1, "battle": "b", "session": ""}
    _, told = asyncio.run(Moves(Recorder()).reveal(asked, request))  # type: ignore[arg-type]
    assert (
        "Modell B ist der Champion." in told
        and "0,3\N{NO-BREAK SPACE}s" in told
        and "1 Stimme" in told
    )


def test_votes_that_do_not_count_are_owned_up_to() -> None:
    told = drawn(counted=False)
    assert "kept but not ranked" in told


@pytest.mark.parametrize(("rater", "header"), [("", "Arena-Session"), ("ann", "Arena-Rater")])
def test_who_looks_at_a_battle_of_somebody_else_reads_nothing_for_programs(
    rater: str, header: str
) -> None:
    theirs: Any = SimpleNamespace(origin=SimpleNamespace(owner="them", rater=rater, place=""))
    with pytest.raises(NotYours) as refusal:
        own(theirs, Caller())
    assert header in refusal.value.public
    read = asyncio.run(Moves(Recorder(refusal.value)).vote(BALLOT, HERE))["error"]  # type: ignore[arg-type]
    assert header not in read and "program" not in read
    assert {words.said(read) == read for words in WORDS.values() if words.language != "en"} == {
        False
    }
