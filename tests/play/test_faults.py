"""Every fault of a host, played to the referee: written again before anything is shown, void
after that; never a vote, never a splice, never a word of it to the people who look on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from arena.adapters.hosts import HostTimeouts
from arena.core.battle import roster
from arena.core.battle.entities import Contender
from arena.core.errors import NoCapacity, StaleVote
from arena.play.admission import RefereeRules
from arena.play.stage import StageRules
from arena.play.writer import FAULT
from tests.adapters.ledgers import recorded
from tests.fake_ollama import OLD, FakeModel, FakeOllama
from tests.playing import CALM, MODELS, QUICK, Table, Viewer, eventually, faults, table, writing

VICTIM = "mistral:7b"
SILENT = replace(CALM, warm=7.0, gap=3.0)
"""The patience of tests that use it up, which are slow."""
Rule = dict[str, Any]
NEUTRAL = (
    FAULT,
    "The host of the models does not answer",
    "The host of the models failed several times",
)


def written(name: str, words: int = 40) -> Callable[[Any, Mapping[str, Any]], str]:
    """What the model writes: the same again for the same seed, and unlike any other model."""
    mark = {m: f"tone{i}" for i, m in enumerate(MODELS)}[name]
    return lambda messages, options: f"{mark} {options['seed'] % 1000:03d} " + "and on " * words


def models(**victim: Any) -> list[FakeModel]:
    quick: Rule = {"load_s": 0.05, "ttft_s": 0.01, "tokens_per_s": 400.0}
    made = [FakeModel(name, text=written(name), **quick) for name in MODELS]
    return [replace(m, **victim) if m.name == VICTIM else m for m in made]


def slow_to_begin(seconds: float) -> list[FakeModel]:
    """The gate stays shut for so long after the victim has begun."""
    return [replace(m, ttft_s=seconds) if m.name == "phi3:mini" else m for m in models()]


@dataclass
class Play:
    """One battle on these hosts, watched; the first host is the one that is asked first."""

    at: Table
    hosts: list[FakeOllama]
    seen: Viewer

    @property
    def host(self) -> FakeOllama:
        return self.hosts[0]

    def asked(self, host: FakeOllama) -> int:
        return len(host.stats.answers(VICTIM))

    async def ends_whole(self, seeds_after: int = 0) -> None:
        """All replies are there, each from one generation; voting is open."""
        await self.seen.voting()
        calls = [call for host in self.hosts for call in host.stats.answers()]
        seed = min(call.options["seed"] for call in calls)
        expected = {
            written(m)([], {"seed": seed + (seeds_after if m == VICTIM else 0)}) for m in MODELS
        }
        assert {self.seen.text(seat) for seat in "ABC"} == expected

    async def ends_void(self) -> None:
        """Given up: a neutral notice, no vote possible, what was shown was no more than the
        beginning of what was written."""
        state = await self.seen.phase("voting", "void")
        assert state.phase == "void"
        assert state.notice.startswith(NEUTRAL)
        with pytest.raises(StaleVote):
            await self.at.referee.vote(self.seen.battle, 1, "tie")
        for seat in "ABC":
            shown = self.seen.text(seat)
            assert any(written(m)([], {"seed": self.seed}).startswith(shown) for m in MODELS)

    async def ends_without_the_victim(self) -> None:
        """The others play on, as if it had never been drawn; nobody is told why."""
        state = await self.seen.voting()
        assert [pane.seat for pane in state.panes] == ["A", "B"] and not state.notice
        others = {written(m)([], {"seed": self.seed}) for m in MODELS if m != VICTIM}
        assert {self.seen.text(seat) for seat in "AB"} == others

    @property
    def seed(self) -> int:
        return int(self.host.stats.answers()[0].options["seed"])

    @property
    def shown(self) -> bool:
        return bool(self.seen.deltas)

    def kinds(self) -> set[str]:
        """Which kinds of fault the operator sees for the victim; others have none."""
        assert {model for model, _ in faults(self.at.pool)} <= {VICTIM}
        return {kind for _, kind in faults(self.at.pool)}


@asynccontextmanager
async def playing(
    folder: Path,
    *hosts: FakeOllama,
    stage: StageRules = QUICK,
    timeouts: HostTimeouts = CALM,
    mischief: Callable[[FakeOllama], object] = lambda host: None,
    addresses: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[Play]:
    """A battle under way, and at its end the proof that nothing of it is left anywhere."""
    before = asyncio.all_tasks()
    rules = RefereeRules(stage=stage)
    async with table(folder, hosts, rules=rules, timeouts=timeouts, **options) as at:
        mischief(hosts[0])
        async with at.battle() as seen:
            play = Play(at, list(hosts), seen)
            yield play
            votes = await recorded(at.ledger, seen.battle)
            public = json.dumps([asdict(e) for e in (*seen.states, *seen.deltas)])
        assert not votes
        assert not [w for w in (*MODELS, "127.0.0.1", "rror", "host fault") if w in public]
        for host in hosts:
            host.release()
        await eventually(lambda: not writing(at.pool))
        await eventually(lambda: not any(host.stats.active_streams for host in hosts))
    own = {t for host in hosts for t in _tasks_of(host)}
    await eventually(lambda: asyncio.all_tasks() <= before | own)


def _tasks_of(host: FakeOllama) -> set[asyncio.Task[Any]]:
    """The fake's own tasks, known by the files of its package."""
    return {
        task
        for task in asyncio.all_tasks()
        # What closes a generator is a task for a moment, and has no code of its own.
        if (code := getattr(task.get_coro(), "cr_code", None)) is None
        or "fake_ollama" in code.co_filename
    }


def struck(kind: str, **rule: Any) -> Callable[[FakeOllama], object]:
    """Mischief: this fault is played by the host."""
    return lambda host: host.fault(kind, **rule)


def patience(told: str) -> HostTimeouts:
    """For a fault of which the operator is told this."""
    return SILENT if told == "silent" else CALM


def run(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(scene())


Case = tuple[str, Rule, str]


def marked(cases: list[Case]) -> list[Any]:
    """Of several of one kind all but the first are slow."""
    kinds = [kind for kind, *_ in cases]
    return [
        pytest.param(*case, marks=pytest.mark.slow) if kinds.index(case[0]) < at else case
        for at, case in enumerate(cases)
    ]


FIRST_FRAME: list[Case] = [
    ("drop_before_first", {}, "dropped"),
    ("out_of_memory", {"variant": "runtime"}, "failed"),
    ("out_of_memory", {"variant": "load"}, "failed"),
    ("out_of_memory", {"variant": "stopped"}, "failed"),
    ("error_frame", {"frame": 1}, "failed"),
    ("empty", {}, "empty"),
    ("proxy_error", {"variant": "html"}, "unreachable"),
    ("proxy_error", {"variant": "empty"}, "failed"),
    ("proxy_error", {"variant": "object"}, "failed"),
    ("proxy_error", {"variant": "list"}, "garbled"),
    ("proxy_error", {"variant": "string"}, "garbled"),
    ("proxy_error", {"variant": "null"}, "garbled"),
    ("redirect", {}, "redirected"),
    ("busy", {}, "busy"),
    ("bad_request", {"variant": "option"}, "failed"),
]
"""Faults in place of the first frame, and what the operator is told."""

MID_STREAM: list[Case] = [
    ("drop", {"variant": "reset"}, "dropped"),
    ("drop", {"variant": "close"}, "dropped"),
    ("garbage", {"variant": "text"}, "garbled"),
    ("garbage", {"variant": "blank"}, "garbled"),
    ("garbage", {"variant": "list"}, "garbled"),
    ("garbage", {"variant": "number"}, "garbled"),
    ("garbage", {"variant": "null"}, "garbled"),
    ("garbage", {"variant": "no_message"}, "garbled"),
    ("garbage", {"variant": "torn"}, "garbled"),
    ("error_frame", {"variant": "text"}, "crashed"),
    ("error_frame", {"variant": "nested"}, "crashed"),
    ("error_frame", {"variant": "object"}, "crashed"),
    ("error_frame", {"variant": "number"}, "garbled"),
    ("error_frame", {"variant": "dict"}, "garbled"),
    ("out_of_memory", {"frame": 4}, "crashed"),
    ("no_done", {}, "cut off"),
]
"""Faults within the stream."""


def ids(case: object) -> str | None:
    return "-".join(map(str, case.values())) if isinstance(case, dict) else None


async def asked_again(folder: Path, kind: str, rule: Rule, told: str) -> None:
    async with FakeOllama(models(), warm=True) as host:
        strike = struck(kind, model=VICTIM, **rule)
        async with playing(folder, host, mischief=strike, timeouts=patience(told)) as play:
            await play.ends_whole(seeds_after=told == "garbled")
            assert play.asked(host) == 2
            assert play.kinds() == {told}


@pytest.mark.parametrize(("kind", "rule", "told"), marked(FIRST_FRAME), ids=ids)
def test_a_reply_that_fails_at_its_start_is_asked_for_again(
    tmp_path: Path, kind: str, rule: Rule, told: str
) -> None:
    run(lambda: asked_again(tmp_path, kind, rule, told))


async def asked_elsewhere(folder: Path, kind: str, rule: Rule, told: str) -> None:
    async with FakeOllama(models(), warm=True) as bad, FakeOllama(models(), warm=True) as good:
        victim = {"model": VICTIM, "times": None} if told else {}
        strike = struck(kind, **victim, **rule)
        async with playing(folder, bad, good, mischief=strike, timeouts=patience(told)) as play:
            await play.ends_whole(seeds_after=told == "garbled")
            assert play.asked(good) == 1
            if told:
                assert play.kinds() == {told}


@pytest.mark.parametrize(
    ("kind", "rule", "told"),
    [
        *(pytest.param(*case, marks=pytest.mark.slow) for case in FIRST_FRAME),
        ("missing_model", {}, "missing"),
        ("wrong_model", {"to": "tinyllama:1b"}, "wrong model"),
        ("evicted", {"variant": "deleted"}, "missing"),
        ("slow_accept", {}, ""),
        ("refused", {}, ""),
        ("restart", {}, ""),
    ],
    ids=ids,
)
def test_a_host_that_always_fails_costs_nobody_the_battle_when_there_is_another(
    tmp_path: Path, kind: str, rule: Rule, told: str
) -> None:
    run(lambda: asked_elsewhere(tmp_path, kind, rule, told))


async def written_again(folder: Path, kind: str, rule: Rule, told: str) -> None:
    async with FakeOllama(models(), warm=True) as host:

        def strike(host: FakeOllama) -> None:
            # The gate is shut until another has begun.
            host.fault("no_first_frame", model="phi3:mini")
            host.fault(kind, model=VICTIM, **rule)

        async with playing(folder, host, mischief=strike, timeouts=patience(told)) as play:
            await host.wait_for(lambda: play.asked(host) == 2)
            host.release()
            await play.ends_whole(seeds_after=told == "garbled")
            assert play.asked(host) == 2
            assert play.kinds() == {told}


@pytest.mark.parametrize(("kind", "rule", "told"), marked(MID_STREAM), ids=ids)
def test_a_reply_that_breaks_before_anything_is_shown_is_written_again_from_the_start(
    tmp_path: Path, kind: str, rule: Rule, told: str
) -> None:
    run(lambda: written_again(tmp_path, kind, rule, told))


async def voided(folder: Path, kind: str, rule: Rule, told: str, hosts: int) -> None:
    slower = [replace(m, tokens_per_s=60.0) for m in models()]
    async with FakeOllama(slower, warm=True) as host, FakeOllama(slower, warm=True) as other:
        strike = struck(kind, model=VICTIM, **{**rule, "frame": 30})
        both = (host, other)[:hosts]
        async with playing(folder, *both, mischief=strike, timeouts=patience(told)) as play:
            await play.ends_void()
            assert play.shown
            assert sum(play.asked(h) for h in both) == 1, "not written again"
            if told:
                assert play.kinds() == {told}


@pytest.mark.parametrize("hosts", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("kind", "rule", "told"),
    [*marked(MID_STREAM), ("restart", {}, ""), ("refused", {}, "")],
    ids=ids,
)
def test_a_reply_that_breaks_after_text_was_shown_voids_the_battle(
    tmp_path: Path, kind: str, rule: Rule, told: str, hosts: int
) -> None:
    run(lambda: voided(tmp_path, kind, rule, told, hosts))


@pytest.mark.slow
def test_a_host_that_falls_silent_fares_like_one_that_fails(tmp_path: Path) -> None:
    """Side by side, as each is waited for."""
    unheard, stalled = ("no_first_frame", Rule(), "silent"), ("stall", Rule(), "silent")
    scenes = [
        lambda at: asked_again(at, *unheard),
        lambda at: asked_elsewhere(at, *unheard),
        lambda at: written_again(at, *stalled),
        lambda at: voided(at, *stalled, hosts=1),
        lambda at: voided(at, *stalled, hosts=2),
    ]

    def play(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        run(lambda: scenes[number](folder))

    with ThreadPoolExecutor(len(scenes)) as threads:
        for played in [threads.submit(play, number) for number in range(len(scenes))]:
            played.result()


@pytest.mark.parametrize(
    ("kind", "rule", "told", "asked"),
    [
        ("garbage", {"frame": 1}, "garbled", 2),
        ("empty", {}, "empty", 2),
        ("bad_request", {"variant": "think"}, "refused", 1),
        ("bad_request", {"variant": "vision"}, "refused", 1),
        ("missing_model", {}, "missing", 1),
        ("wrong_model", {}, "wrong model", 1),
        ("out_of_memory", {}, "failed", 2),
    ],
    ids=ids,
)
def test_a_contender_whose_fault_stays_is_left_out_before_anything_is_shown(
    tmp_path: Path, kind: str, rule: Rule, told: str, asked: int
) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck(kind, model=VICTIM, times=None, **rule)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.ends_without_the_victim()
                assert play.asked(host) == asked
                assert told in play.kinds()

    run(scene)


def test_a_host_that_stays_faulty_voids_the_battle_before_anything_is_shown(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("drop_before_first", model=VICTIM, times=None)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.ends_void()
                assert not play.shown
                assert play.asked(host) == 3
                assert play.kinds() == {"dropped"}

    run(scene)


def test_a_request_that_is_refused_as_wrong_is_not_tried_elsewhere(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as bad, FakeOllama(models(), warm=True) as good:
            strike = struck("bad_request", model=VICTIM)
            async with playing(tmp_path, bad, good, mischief=strike) as play:
                await play.seen.voting()
                assert len(play.seen.now.panes) == 2
                assert play.asked(good) == 0

    run(scene)


@pytest.mark.parametrize("death", ["stop", "freeze"])
def test_a_host_that_is_gone_is_given_up_quickly_and_then_battles_are_refused(
    tmp_path: Path, death: str
) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            async with table(tmp_path, [host], timeouts=replace(CALM, connect=0.5)) as at:
                await getattr(host, death)()
                async with asyncio.timeout(10), at.battle() as seen:
                    state = await seen.phase("void")
                assert state.notice.startswith(NEUTRAL[1:])
                with pytest.raises(NoCapacity, match="The host of the models"):
                    await at.referee.open("Hello?")
                assert not writing(at.pool)
                assert {kind for _, kind in faults(at.pool)} == {"unreachable"}

    run(scene)


def test_a_name_that_does_not_resolve_is_a_host_that_is_gone(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            nowhere: Any = Elsewhere("http://arena.invalid:11434")
            async with table(tmp_path, [nowhere, host]) as at:
                assert [report.up for report in at.pool.reports()] == [False, True]
                async with at.battle() as seen:
                    await seen.voting()
            async with table(tmp_path, [nowhere]) as at:
                with pytest.raises(NoCapacity, match="does not answer"):
                    await at.referee.open("Hello?")

    run(scene)


@dataclass
class Elsewhere:
    url: str


@pytest.mark.slow
def test_a_busy_host_is_left_in_peace_for_a_second_and_never_shut_off(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("busy", times=5)
            loop = asyncio.get_running_loop()
            begun = loop.time()
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.seen.voting()
                assert loop.time() - begun > 1
                assert [r.breaker for r in play.at.pool.reports()] == ["closed"]
                assert any(p.state == "queued" for s in play.seen.states for p in s.panes)

    run(scene)


def test_running_out_of_memory_makes_all_models_cold_for_the_next_replies(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("out_of_memory", model=VICTIM)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.ends_whole()
                loads = [c for c in host.stats.requests if c.kind == "preload"]
                assert [c.model for c in loads] == [VICTIM], "loaded before it was asked again"

    run(scene)


def test_an_old_host_says_it_in_a_line_of_the_stream_and_fares_alike(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True, version=OLD) as host:
            strike = struck("out_of_memory", model=VICTIM, variant="stopped")
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.ends_whole()
                assert play.kinds() == {"crashed"}

    run(scene)


def test_a_reply_cut_by_its_length_is_kept_and_marked(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("length", model=VICTIM, frame=6)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.seen.voting()
                cut = [p.seat for p in play.seen.now.panes if p.cut]
                assert len(cut) == 1
                assert 0 < len(play.seen.text(cut[0])) < 40
                assert not play.kinds()

    run(scene)


def test_a_fault_after_a_vote_leaves_that_vote_and_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            async with table(tmp_path, [host]) as at, at.battle() as seen:
                await seen.voting()
                seats = (await at.battles.load(seen.battle)).seats
                other = next(seat.letter for seat in seats if seat.contender.model != VICTIM)
                await at.referee.vote(seen.battle, 1, "drop", other)
                host.fault("bad_request", model=VICTIM)
                await at.referee.follow_up(seen.battle, "And then?")
                state = await seen.phase("void")
                assert await recorded(at.ledger, seen.battle) == 2
                assert state.notice == FAULT and "votes already cast are kept" in state.notice

    run(scene)


def test_a_host_restarted_between_rounds_is_warmed_again_while_all_panes_say_so(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        slow_to_load = [replace(m, load_s=0.3) for m in models()]
        async with FakeOllama(slow_to_load, warm=True) as host:
            async with table(tmp_path, [host]) as at, at.battle() as seen:
                await seen.voting()
                await at.referee.vote(seen.battle, 1, "drop", "A")
                await host.stop()
                await host.start()
                await at.pool.refresh()
                await at.referee.follow_up(seen.battle, "And then?")
                await seen.until(lambda: seen.now.phase == "voting" and len(seen.now.prompts) == 2)
                assert seen.text("B", 1) and seen.text("C", 1)
                warming = [{p.state for p in s.panes if p.seat != "A"} for s in seen.states]
                assert {"warming"} in warming
                assert await recorded(at.ledger, seen.battle) == 2
                assert host.stats.loads.count(VICTIM) <= 2, "loaded once at most after the restart"

    run(scene)


def test_a_model_that_was_evicted_is_asked_where_it_is_still_loaded(tmp_path: Path) -> None:
    async def scene() -> None:
        first, second = FakeOllama(models(), warm=True), FakeOllama(models(), warm=True)
        async with first, second:
            async with table(tmp_path, [first, second]) as at:
                first.evict(VICTIM)
                await at.pool.look()
                async with at.battle() as seen:
                    await seen.voting()
                assert not first.stats.answers(VICTIM)
                assert len(second.stats.answers(VICTIM)) == 1
                assert not any(p.state == "warming" for s in seen.states for p in s.panes)

    run(scene)


@pytest.mark.slow
def test_a_reply_that_takes_too_long_voids_the_battle_and_is_counted(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("slow", model=VICTIM, rate=8)
            short = replace(CALM, total=2.5)
            async with playing(tmp_path, host, mischief=strike, timeouts=short) as play:
                await play.ends_void()
                assert play.shown
                assert play.kinds() == {"too slow"}

    run(scene)


def test_a_round_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("slow", model=VICTIM, rate=8)
            short = replace(QUICK, total_s=0.6)
            async with playing(tmp_path, host, mischief=strike, stage=short) as play:
                state = await play.seen.phase("void", "voting")
                assert "took too long" in state.notice

    run(scene)


def test_a_character_that_other_clients_take_for_the_end_of_a_line_is_text(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(slow_to_begin(0.3), warm=True) as host:
            strike = struck("next_line", model=VICTIM)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.seen.voting()
                assert play.asked(host) == 1
                assert any("\x85" in play.seen.text(seat) for seat in "ABC")

    run(scene)


def test_when_the_user_leaves_every_stream_is_closed_and_every_lease_returned(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        slow = [replace(m, tokens_per_s=20.0) for m in models()]
        async with FakeOllama(slow, warm=True) as host:
            gone = replace(QUICK, grace_s=0.1)
            async with playing(tmp_path, host, stage=gone) as play:
                await play.seen.until(lambda: play.shown)
                assert writing(play.at.pool) == 3
                await play.seen.leave()
                await host.wait_for(lambda: len(host.stats.cancelled) == 3)

    run(scene)


def test_a_substituted_model_raises_an_alarm_and_is_not_drawn_again(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            strike = struck("wrong_model", model=VICTIM)
            async with playing(tmp_path, host, mischief=strike) as play:
                await play.ends_without_the_victim()
                assert any("another model answer" in p for p in play.at.pool.problems)
                assert VICTIM not in {c.name for c in play.at.pool.contenders()}

    run(scene)


@pytest.mark.parametrize("format", ["elimination", "knockout"])
def test_a_contender_that_no_host_has_is_replaced_before_anything_is_shown(
    tmp_path: Path, format: str
) -> None:
    async def scene() -> None:
        spare = FakeModel("gemma2:2b", load_s=0.05, text="another voice", tokens_per_s=400)
        async with FakeOllama([*models(), spare], warm=True, max_loaded=4) as host:
            everyone = [*MODELS, "gemma2:2b"]
            async with table(tmp_path, [host], models=everyone) as at:
                host.fault("missing_model")
                async with at.battle(format=format) as seen:
                    await seen.voting()
                (missing,) = [model for model, _ in faults(at.pool)]
                asked = [call.model for call in host.stats.answers()]
                assert asked.count(missing) == 1
                assert len(set(asked) - {missing}) >= len(seen.now.panes)
                assert any(missing in p for p in at.pool.problems), "the operator is told"
                assert missing not in {c.name for c in at.pool.contenders()}

    run(scene)


def test_nobody_for_another_topic_takes_the_seat_of_one_that_cannot_answer(tmp_path: Path) -> None:
    async def scene() -> None:
        async with FakeOllama([*models(), FakeModel("law:1")], warm=True, max_loaded=4) as host:
            async with table(tmp_path, [host]) as at:
                others = Contender("law:1", "law:1", topics=("law",))
                await at.pool.use([(host.url, "")], (*roster.of_models(MODELS), others), 1)
                await at.pool.look()
                host.fault("bad_request", model=VICTIM, variant="think", times=None)
                battle = (await at.referee.open("Why?", topic="code")).battle
                async with Viewer(at.referee, battle) as seen:
                    await seen.voting()
                there = [seat.contender.name for seat in (await at.battles.load(battle)).seats]
                assert set(there) == {*MODELS} - {VICTIM}
                host.clear_faults()
                await at.pool.use([(host.url, "")], (*roster.of_models(MODELS), others), 1)
                await at.pool.look()
                again = await at.referee.again(battle)
                assert len(again.panes) == len(MODELS), "it is back, and has its seat again"

    run(scene)


def test_a_model_half_on_the_cpu_takes_no_replies(tmp_path: Path) -> None:
    async def scene() -> None:
        first, second = FakeOllama(models(), warm=True), FakeOllama(models(), warm=True)
        async with first, second:
            first.offload(VICTIM)
            async with table(tmp_path, [first, second]) as at, at.battle() as seen:
                await seen.voting()
                assert not first.stats.answers(VICTIM)
                assert len(first.stats.answers()) == 2, "the others are as good there"
                assert any("on the GPU" in p and VICTIM in p for p in at.pool.problems)
            async with table(tmp_path, [first]) as at, at.battle() as seen:
                await seen.voting()
                assert len(seen.now.panes) == 2, "drawn without it"
            first.offload("phi3:mini")
            async with table(tmp_path, [first]) as at:
                with pytest.raises(NoCapacity, match="fewer than two"):
                    await at.referee.open("Hello?")

    run(scene)


def test_a_model_that_turns_out_to_be_half_on_the_cpu_is_asked_elsewhere(tmp_path: Path) -> None:
    async def scene() -> None:
        others = [name for name in MODELS if name != VICTIM]
        async with FakeOllama(models(), warm=others) as first, FakeOllama(models()) as second:
            first.offload(VICTIM)
            async with table(tmp_path, [first, second], warm=False) as at:
                async with at.battle() as seen:
                    await seen.voting()
                assert first.stats.loads.count(VICTIM) == 1
                assert not first.stats.answers(VICTIM)
                assert len(second.stats.answers(VICTIM)) == 1
                assert faults(at.pool) == {(VICTIM, "offloaded"): 1}

    run(scene)


def test_a_host_that_loads_nothing_any_more_is_used_for_what_it_holds_only(tmp_path: Path) -> None:
    async def scene() -> None:
        wedged = FakeOllama(models(), warm=["phi3:mini"])
        async with wedged, FakeOllama(models(), warm=True) as good:
            wedged.scheduler.wedge()
            stuck = replace(CALM, cold=0.4)
            async with table(tmp_path, [wedged, good], timeouts=stuck) as at:
                assert any("loads no models any more" in p for p in at.pool.problems)
                async with at.battle() as seen:
                    await seen.voting()
                assert {c.model for c in wedged.stats.answers()} == {"phi3:mini"}
            async with table(tmp_path, [wedged], timeouts=stuck) as at:
                assert [c.name for c in at.pool.contenders()] == ["phi3:mini"]
                with pytest.raises(NoCapacity, match="fewer than two"):
                    await at.referee.open("Hello?")

    run(scene)


def test_a_load_that_hangs_under_a_battle_leaves_its_contender_out_and_raises_the_alarm(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        async with FakeOllama(models(), warm=True) as host:
            stuck = replace(CALM, cold=0.4)

            def strike(host: FakeOllama) -> None:
                host.scheduler.wedge()
                host.evict(VICTIM)

            async with table(tmp_path, [host], timeouts=stuck) as at:
                strike(host)
                await at.pool.look()
                async with at.battle() as seen:
                    assert len((await seen.voting()).panes) == 2
                assert faults(at.pool) == {(VICTIM, "load"): 1}
                assert any("loads no models any more" in p for p in at.pool.problems)
                assert not writing(at.pool)

    run(scene)
