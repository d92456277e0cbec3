"""The gate, the pace and the second tries of one round, on hosts that follow a script and in a
time that runs by itself: a round of minutes is over at once, and to the millisecond."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.adapters.feed import MemoryFeed
from arena.core.battle.entities import (
    Battle,
    Contender,
    Finished,
    Format,
    Judgement,
    Reply,
    Text,
    Thought,
    Verdict,
)
from arena.core.battle.pace import STEP
from arena.core.battle.rules import answer, open_battle, vote
from arena.core.battle.view import State
from arena.core.errors import HostFault, NoCapacity
from arena.core.ports import Delta, Event, HostEvent, Queued, Warming
from arena.core.ticks import PHASES, TICK_S, TRIES
from arena.play.stage import LEFT, TOO_LONG, Stage, StageRules
from arena.play.writer import FAULT, Abandoned

T = TypeVar("T")
DONE = Finished(host="h", done_reason="stop", ttft_ms=1.0, total_ms=2.0)
Step = float | HostEvent | Exception
"""Seconds to wait, an event to tell, or a failure."""


class _Jump(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Waits for nothing: what would be waited is added to the time."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.passed += timeout or 0.0
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.passed


def played(scene: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(scene())


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Scripted:
    """`core.ports.Hosts` that follows a script: for each model its attempts, the last one for
    all that follow. `asked` are (model, seed, avoid) in order; `open` counts streams."""

    scripts: Mapping[str, Sequence[Sequence[Step]]]
    asked: list[tuple[str, int, frozenset[str]]] = field(default_factory=list)
    open: int = 0

    async def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, str]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncIterator[HostEvent]:
        attempts = self.scripts[contender.model]
        attempt = attempts[min(self.count(contender.model), len(attempts) - 1)]
        self.asked.append((contender.model, seed, avoid))
        self.open += 1
        try:
            for step in attempt:
                if isinstance(step, (int, float)):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.open -= 1

    def count(self, model: str) -> int:
        return sum(asked == model for asked, _, _ in self.asked)

    def contenders(self) -> tuple[Contender, ...]:
        return tuple(Contender(m, m) for m in self.scripts)

    def families(self) -> frozenset[str]:
        return frozenset()

    def refusal(self) -> str:
        return ""


@dataclass
class Round:
    """A round that was played: when each event was told, and how it ended."""

    hosts: Scripted
    told: list[tuple[float, Event]]
    replies: Mapping[str, list[Reply]]
    abandoned: str = ""
    over: float = 0.0

    @property
    def deltas(self) -> list[tuple[float, dict[str, str]]]:
        """(seconds, seat → text added)."""
        return [
            (at, {piece.seat: piece.text for piece in event.pieces})
            for at, event in self.told
            if isinstance(event, Delta)
        ]

    def shown(self) -> list[tuple[float, dict[str, int]]]:
        """(seconds, seat → characters that can be seen from then on)."""
        lengths = dict.fromkeys("ABCDEFGH"[: len(self.hosts.scripts)], 0)
        steps = []
        for at, added in self.deltas:
            lengths = {seat: n + len(added.get(seat, "")) for seat, n in lengths.items()}
            steps.append((at, lengths))
        return steps

    def text(self, seat: str) -> str:
        return "".join(added.get(seat, "") for _, added in self.deltas)

    def flagged(self) -> set[str]:
        return {p.seat for _, e in self.told if isinstance(e, State) for p in e.panes if p.flagged}

    @property
    def stages(self) -> list[set[str]]:
        return [{p.state for p in e.panes} for _, e in self.told if isinstance(e, State)]


def battle_of(hosts: Scripted, format: Format = Format.ELIMINATION, *, seed: int = 7) -> Battle:
    return open_battle("b", format, hosts.contenders(), "Why?", seed=seed)


def round_of(
    scripts: Mapping[str, Sequence[Sequence[Step]]],
    rules: StageRules = StageRules(),
    watched: bool = True,
    seed: int = 7,
) -> Round:
    """Play the first round of a battle between these models, in the order of their seats."""

    async def scene() -> Round:
        hosts, feed = Scripted(scripts), MemoryFeed()
        stage = Stage(hosts, feed, rules, clock=now)
        told: list[tuple[float, Event]] = []

        async def watch() -> None:
            async for batch in feed.follow("b"):
                told.extend((now(), event) for _, event in batch)

        watching = asyncio.create_task(watch()) if watched else None
        await asyncio.sleep(0)
        result = Round(hosts, told, {})
        try:
            result.replies = await stage.play(battle_of(hosts, seed=seed))
        except Abandoned as abandoned:
            result.abandoned = abandoned.reason
        result.over = now()
        await asyncio.sleep(0.01)
        if watching:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        assert hosts.open == 0, "a stream was left open"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    return played(scene)


def writes(text: str, tokens_per_s: float, first: float = 0.0, token: int = 4) -> list[Step]:
    """A reply, a token at a time."""
    steps: list[Step] = [first]
    for start in range(0, len(text), token):
        steps += [1 / tokens_per_s, Text(text[start : start + token])]
    return [*steps, DONE]


def fails(kind: str, host: str = "h1") -> HostFault:
    return HostFault(f"{kind} at {host}", kind=kind, host=host)


# The gate and the pace --------------------------------------------------------------------------

rhythm = st.lists(st.tuples(st.floats(0.001, 3.0), st.integers(1, 60)), min_size=1, max_size=15)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[float, dict[str, list[tuple[float, int]]]]:
    """A pace, and for 2 to 3 models when they write how many characters."""
    rhythms = draw(st.lists(rhythm, min_size=2, max_size=3))
    return draw(st.sampled_from([17.0, 150.0, 900.0])), {f"m{i}": r for i, r in enumerate(rhythms)}


Case = tuple[float, dict[str, list[tuple[float, int]]]]


def acted(case: Case) -> tuple[Round, dict[str, str], list[float]]:
    """The round of a case, each seat's whole text, and when each wrote its first token."""
    pace, rhythms = case
    scripts = {
        model: [[*(s for d, n in r for s in (d, Text(model[-1] * n))), DONE]]
        for model, r in rhythms.items()
    }
    whole = {
        seat: model[-1] * sum(n for _, n in r)
        for seat, (model, r) in zip("ABC", rhythms.items(), strict=False)
    }
    firsts = [r[0][0] for r in rhythms.values()]
    return round_of(scripts, StageRules(pace=pace)), whole, firsts


many = settings(max_examples=60, deadline=None)


@many
@given(rounds())
def test_at_no_instant_do_the_shown_lengths_of_two_unfinished_replies_differ(case: Case) -> None:
    result, whole, _ = acted(case)
    for _, lengths in result.shown():
        assert len({n for seat, n in lengths.items() if n < len(whole[seat])}) <= 1


@many
@given(rounds())
def test_nothing_is_shown_before_all_have_a_first_token(case: Case) -> None:
    result, _, firsts = acted(case)
    assert result.deltas[0][0] >= max(firsts)


@many
@given(rounds())
def test_a_pace_that_is_set_is_not_exceeded_while_somebody_writes(case: Case) -> None:
    result, _, _ = acted(case)
    *steps, _ = [(0.0, dict.fromkeys("ABC", 0)), *result.shown()]
    begun = result.deltas[0][0]
    for (_, before), (at, after) in pairwise(steps):
        assert all(after[s] - before[s] <= case[0] * TICK_S + STEP for s in after)
        assert max(after.values()) <= case[0] * (at - begun) + 2 * STEP


def test_battles_whose_replies_come_at_one_time_are_shown_at_several() -> None:
    """Or each of a hundred would wait until all others are shown."""
    scripts = {m: [[Text("x" * 40), *(0.1, Text("x" * 40)) * 9, DONE]] for m in "abc"}
    phases = set()
    for battle in range(PHASES):
        # The first is shown as soon as there is anything.
        _, *shown = [at for at, _ in round_of(scripts, seed=battle * TRIES).deltas]
        (phase,) = {round(at % TICK_S, 4) % TICK_S for at in shown}
        phases.add(phase)
    assert len(phases) == PHASES


@many
@given(rounds())
def test_the_last_reply_to_be_complete_is_shown_within_a_tick(case: Case) -> None:
    result, _, _ = acted(case)
    last = max(sum(d for d, _ in r) for r in case[1].values())
    assert last - 0.001 <= result.over <= last + TICK_S + 0.001


@many
@given(rounds())
def test_in_the_end_every_text_is_there_whole(case: Case) -> None:
    result, whole, _ = acted(case)
    assert {seat: result.text(seat) for seat in whole} == whole
    assert {seat: r[0].text for seat, r in result.replies.items()} == whole


def test_two_tokens_a_second_beside_a_hundred_cannot_be_told_apart() -> None:
    def timeline(speed_a: float, speed_b: float) -> list[tuple[float, int, int]]:
        scripts = {"a": [writes("x" * 240, speed_a)], "b": [writes("y" * 240, speed_b)]}
        result = round_of(scripts)
        assert result.told[-1][0] > 29, "the slow one takes half a minute"
        return [
            (round(at, 3), len(added.get("A", "")), len(added.get("B", "")))
            for at, added in result.deltas
        ]

    one_way, other_way = timeline(2, 100), timeline(100, 2)
    assert one_way == other_way
    assert all(a == b > 0 for _, a, b in one_way), "in the same events, of the same lengths"
    assert len(one_way) > 10


def test_a_fast_reply_goes_on_alone_only_when_the_slow_one_has_ended() -> None:
    result = round_of({"a": [writes("x" * 400, 100)], "b": [writes("y" * 40, 2)]})
    until_b_ended = [n for _, n in result.shown() if n["B"] < 40]
    assert until_b_ended and all(n["A"] == n["B"] for n in until_b_ended)
    assert len(result.text("A")) == 400


@pytest.mark.parametrize("event", [Queued(3), Warming()])
def test_all_panes_say_alike_what_one_waits_for(event: HostEvent) -> None:
    result = round_of({"a": [writes("x" * 9, 50)], "b": [[event, 1.0, *writes("y" * 9, 50)]]})
    waiting = "queued" if isinstance(event, Queued) else "warming"
    assert [s for s in result.stages if s != {"waiting"}][:2] == [{waiting}, {"writing"}]
    if isinstance(event, Queued):
        assert max(e.place for _, e in result.told if isinstance(e, State)) == 3


# Thinking ---------------------------------------------------------------------------------------


def test_what_is_thought_is_kept_apart_and_opens_no_gate() -> None:
    thinks: list[Step] = [0.1, Thought("hm, "), 5.0, Thought("yes"), *writes("good", 50)]
    result = round_of({"a": [thinks], "b": [writes("fine", 50)]})
    assert result.deltas[0][0] > 5
    assert (result.text("A"), result.text("B")) == ("good", "fine")
    (reply,) = result.replies["A"]
    assert (reply.text, reply.thinking, reply.names_itself) == ("good", "hm, yes", False)


def test_text_that_turns_out_to_be_thinking_is_taken_back_if_nothing_of_it_was_shown() -> None:
    taken_back = Thought("", earlier=True)
    thinks: list[Step] = [0.1, Text("let me "), Text("see"), taken_back, *writes("good", 50)]
    result = round_of({"a": [thinks], "b": [writes("fine", 50, first=5.0)]})
    (reply,) = result.replies["A"]
    assert (reply.text, reply.thinking, reply.names_itself) == ("good", "let me see", False)
    assert result.text("A") == "good" and not result.flagged()


def test_text_that_turns_out_to_be_thinking_spoils_the_reply_if_some_of_it_was_shown() -> None:
    aloud = "let me see whether " * 20
    thinks = [*writes(aloud, 50)[:-1], Thought("", earlier=True), *writes("good", 50)]
    result = round_of({"a": [thinks], "b": [writes("y" * 600, 50)]})
    (reply,) = result.replies["A"]
    seen = reply.text.removesuffix("\n\ngood")
    assert 0 < len(seen) < len(aloud) and aloud.startswith(seen)
    assert (reply.thinking, reply.names_itself) == (aloud, True)
    assert result.text("A") == reply.text and result.flagged() == {"A"}


# Second tries -----------------------------------------------------------------------------------

BEGINS: list[Step] = [0.1, Text("gone ")]
GOOD = writes("good text", 50)


@pytest.mark.parametrize(
    "kind",
    [
        "unreachable",
        "silent",
        "dropped",
        "missing",
        "failed",
        "crashed",
        "garbled",
        "cut off",
        "load",
        "wrong model",
        "redirected",
        "empty",
    ],
)
def test_what_failed_before_anything_was_shown_is_written_again_elsewhere(kind: str) -> None:
    scripts = {"a": [[*BEGINS, fails(kind)], GOOD], "b": [writes("fine", 50, first=5.0)]}
    result = round_of(scripts)
    assert (result.text("A"), result.text("B")) == ("good text", "fine")
    (reply,) = result.replies["A"]
    assert reply.retries == 1
    first, second = [(seed, avoid) for m, seed, avoid in result.hosts.asked if m == "a"]
    assert (first[1], second[1]) == (frozenset(), {"h1"})
    assert second[0] - first[0] == (kind == "garbled"), "the seed is another only for that"


@pytest.mark.parametrize(
    ("kind", "asked"),
    [("dropped", 3), ("garbled", 3), ("failed", 3), ("empty", 2), ("refused", 1), ("nowhere", 1)],
)
def test_what_fails_again_and_again_is_given_up_and_nothing_is_shown(kind: str, asked: int) -> None:
    result = round_of({"a": [[*BEGINS, fails(kind)]], "b": [writes("fine", 50)]})
    assert result.abandoned == FAULT
    assert result.hosts.count("a") == asked
    assert not result.deltas


def test_all_hosts_that_failed_are_avoided() -> None:
    scripts = {"a": [[fails("silent", "h1")], [fails("silent", "h2")], GOOD], "b": [GOOD]}
    avoided = [avoid for m, _, avoid in round_of(scripts).hosts.asked if m == "a"]
    assert avoided == [frozenset(), {"h1"}, {"h1", "h2"}]


def test_what_fails_after_something_was_shown_is_not_written_again() -> None:
    breaks = [*writes("x" * 400, 50)[:60], fails("dropped")]
    result = round_of({"a": [breaks, GOOD], "b": [writes("y" * 400, 50)]})
    assert result.abandoned == FAULT
    assert result.hosts.count("a") == 1
    assert set(result.text("A")) == {"x"}


def test_a_fault_in_the_moment_the_gate_would_open_shows_nothing() -> None:
    result = round_of({"a": [[*BEGINS, fails("refused")]], "b": [writes("y" * 40, 50)]})
    assert result.abandoned == FAULT and not result.deltas


def test_why_no_host_could_be_had_is_told_as_it_is() -> None:
    result = round_of({"a": [[NoCapacity("All hosts are down.")]], "b": [GOOD]})
    assert result.abandoned == "All hosts are down."
    assert result.hosts.count("a") == 1


def test_a_failure_that_nothing_foresaw_is_a_fault_too() -> None:
    result = round_of({"a": [[ZeroDivisionError("b:1 at h1")]], "b": [GOOD]})
    assert result.abandoned == FAULT


def test_a_round_has_an_end_even_if_a_model_has_none() -> None:
    endless: list[Step] = [step for _ in range(200) for step in (1.0, Text("x"))]
    result = round_of({"a": [endless], "b": [GOOD]}, StageRules(total_s=30))
    assert result.abandoned == TOO_LONG
    assert 29.9 < result.over < 31


def test_when_nobody_looks_any_more_the_models_are_stopped() -> None:
    slow = {"a": [writes("x" * 4000, 2)], "b": [writes("y" * 4000, 2)]}
    assert round_of(slow, StageRules(grace_s=5), watched=False).abandoned == LEFT


# A challenger that writes ahead -----------------------------------------------------------------


def unmoved(battle: Battle) -> Callable[[str], Coroutine[Any, Any, Battle]]:
    """The battle as it is stored, while nobody moves it."""

    async def load(battle_id: str) -> Battle:
        return battle

    return load


def second_round(
    scripts: Mapping[str, Sequence[Sequence[Step]]], judgement: Judgement, seat: str = ""
) -> list[Event]:
    """What is told of it, after a challenger wrote ahead for 20 s."""

    async def scene() -> list[Event]:
        hosts, feed = Scripted(scripts), MemoryFeed()
        stage = Stage(hosts, feed, StageRules(grace_s=60), clock=now)
        battle = battle_of(hosts, Format.KNOCKOUT)
        for letter in battle.live:
            battle = answer(battle, letter, Reply("was said", DONE))
        stage.prepare(battle, unmoved(battle))
        await asyncio.sleep(20)
        await stage.play(vote(battle, 1, Verdict(judgement, seat), "ballot"))
        await stage.close()
        return list(feed.told("b"))

    return played(scene)


def knockout(
    scripts: Mapping[str, Sequence[Sequence[Step]]], judgement: Judgement, seat: str = ""
) -> list[dict[str, int]]:
    """Characters added by each event of the second round."""
    told = second_round(scripts, judgement, seat)
    return [{p.seat: len(p.text) for p in e.pieces} for e in told if isinstance(e, Delta)]


LONG = {m: [writes(m * 400, 50)] for m in "wxyz"}


def test_a_challenger_that_wrote_ahead_is_there_at_once() -> None:
    assert knockout(LONG, Judgement.DROP, "A") == [{"C": 400}]


@pytest.mark.parametrize("event", [Queued(3), Warming()])
def test_what_a_challenger_alone_waits_for_is_not_told(event: HostEvent) -> None:
    """It would be told of one contender, where all others are complete."""
    scripts = LONG | {"y": [[event, 40.0, *writes("y" * 9, 50)]]}
    told = second_round(scripts, Judgement.DROP, "A")
    states = [{p.seat: p.state for p in e.panes} for e in told if isinstance(e, State)]
    assert {state["C"] for state in states} == {"waiting", "writing"}
    assert not any(e.place for e in told if isinstance(e, State))


@pytest.mark.parametrize("ahead", [50, 3])
def test_of_two_challengers_of_whom_one_wrote_ahead_nothing_tells_how_fast_the_other_writes(
    ahead: float,
) -> None:
    """The gate would open on its first token, and the level follow it."""
    for late in (2, 20, 200):
        scripts = LONG | {"y": [writes("y" * 400, ahead)], "z": [writes("z" * 400, late)]}
        assert knockout(scripts, Judgement.BAD) == [{"C": 400, "D": 400}]


def test_two_challengers_who_begin_together_are_shown_together() -> None:
    """What was written ahead failed, and is written anew."""
    events = knockout(LONG | {"y": [[fails("refused")], *LONG["y"]]}, Judgement.BAD)
    assert len(events) > 10
    assert all(added["C"] == added["D"] for added in events)


def test_a_challenger_that_still_writes_is_shown_when_it_is_complete() -> None:
    """It alone would show its own speed."""
    slow = LONG | {"y": [writes("y" * 400, 3)]}
    assert knockout(slow, Judgement.DROP, "A") == [{"C": 400}]
