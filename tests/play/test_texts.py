"""What hosts send besides a reply, played on real sockets: thinking in its text, control tokens,
halves of characters. None of it is seen, and the operator is told what is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.playing import Table, Viewer, faults, table

NIGHT = "The sun is away at night, and comes back."
Scene = Callable[[Table, Viewer, str], Coroutine[None, None, None]]


def battle_with(folder: Path, *pieces: str, scene: Scene, prompt: str = "Why is it dark?") -> None:
    """A battle in which one of three models sends these frames; the scene gets its seat."""

    async def run() -> None:
        odd = FakeModel("odd:1b", pieces=pieces)
        # It has written everything before the others begin, and so before anything is shown.
        slower = replace(MISTRAL, ttft_s=10.0)
        async with FakeOllama([odd, slower, PHI], speed=20, warm=True) as host:
            names = ("odd:1b", "mistral:7b", "phi3:mini")
            async with table(folder, [host], models=names) as at:
                async with at.battle(prompt) as seen:
                    await seen.voting()
                    battle = await at.battles.load(seen.battle)
                    (seat,) = [s.letter for s in battle.seats if s.contender.model == "odd:1b"]
                    await scene(at, seen, seat)

    asyncio.run(run())


PLAYED = {
    "a thought in tags that frames cut": (
        ("<thi", "nk>\n", "I am Qwen, so be brief.\n", "</think>", "\n\n", NIGHT[:9], NIGHT[9:]),
        "\nI am Qwen, so be brief.\n",
    ),
    "a thought that was never opened": (
        ("Let me see, at length.\n", "</think>\n\n", NIGHT),
        "Let me see, at length.\n",
    ),
    "channels": (
        ("<|channel|>", "analysis", "<|message|>Hm.", "<|end|>", "<|start|>", "assistant")
        + ("<|channel|>final<|message|>", NIGHT),
        "Hm.",
    ),
    "tokens at its end": ((NIGHT, "<|eot_id|>", "<|start_header_id|>user", "And?"), ""),
    "an instruction made up": ((NIGHT + "</s>", " [INST] And why is that? [/INST] It turns."), ""),
    "half a token": ((NIGHT, "<|im_", "end"), ""),
}


@pytest.mark.parametrize("case", PLAYED)
def test_what_is_no_reply_is_neither_seen_nor_judged_nor_flagged(case: str, tmp_path: Path) -> None:
    pieces, thought = PLAYED[case]

    async def scene(at: Table, seen: Viewer, seat: str) -> None:
        assert seen.text(seat) == NIGHT
        (reply,) = (await at.battles.load(seen.battle)).seat(seat).replies
        assert (reply.text, reply.thinking) == (NIGHT, thought)
        assert not any(pane.flagged for state in seen.states for pane in state.panes)
        other = next(s for s in seen.live if s != seat)
        await at.referee.vote(seen.battle, 1, "drop", other)
        await at.referee.follow_up(seen.battle, "And then?")
        await seen.until(lambda: seen.now.phase == "voting" and seen.now.round == 2)
        votes = await at.ledger.votes()
        told = "".join(map(str, votes["conversation_a"])) + "".join(
            map(str, votes["conversation_b"])
        )
        assert NIGHT in told and not (thought and thought in told)
        assert set(votes["excluded_reason"]) == {""}

    battle_with(tmp_path, *pieces, scene=scene)


def test_what_was_thought_is_not_told_to_the_model_again(tmp_path: Path) -> None:
    async def run() -> None:
        odd = FakeModel("odd:1b", pieces=("<think>Hm.</think>", NIGHT))
        async with FakeOllama([odd, LLAMA], speed=20, warm=True) as host:
            async with table(tmp_path, [host], models=("odd:1b", "llama3.1:8b")) as at:
                async with at.battle() as seen:
                    await seen.voting()
                    await at.referee.follow_up(seen.battle, "And then?")
                    await seen.until(lambda: len(seen.now.prompts) == 2)
                    await seen.voting()
            (call,) = [c for c in host.stats.answers()[2:] if c.model == "odd:1b"]
            assert call.messages[1]["content"] == NIGHT

    asyncio.run(run())


def test_the_operator_is_told_whose_template_is_broken(tmp_path: Path) -> None:
    async def scene(at: Table, seen: Viewer, seat: str) -> None:
        (told,) = [p for p in at.pool.problems if "odd:1b" in p]
        assert "<|im_end|>" in told and "template" in told
        (report,) = at.pool.reports()
        assert [(f.model, f.kind, f.count) for f in report.faults] == [("odd:1b", "template", 1)]

    battle_with(tmp_path, NIGHT, "<|im_end|>", "\nmore", scene=scene)


def test_a_reply_of_nothing_but_tokens_is_a_fault_of_the_template(tmp_path: Path) -> None:
    async def run() -> None:
        odd = FakeModel("odd:1b", pieces=("<|im_end|>", "\n<|im_start|>user\nmore"))
        async with FakeOllama([odd, LLAMA], speed=20, warm=True) as host:
            async with table(tmp_path, [host], models=("odd:1b", "llama3.1:8b")) as at:
                async with at.battle() as seen:
                    assert (await seen.phase("void")).notice and not seen.deltas
                assert faults(at.pool)["odd:1b", "template"] == 2

    asyncio.run(run())


def test_tokens_that_the_prompt_is_about_are_seen_and_nobody_is_told(tmp_path: Path) -> None:
    text = "It ends a turn: <|im_end|>, as </s> does."

    async def scene(at: Table, seen: Viewer, seat: str) -> None:
        assert seen.text(seat) == text
        assert not any("odd:1b" in problem for problem in at.pool.problems)

    battle_with(tmp_path, text, scene=scene, prompt="What does <|im_end|> do?")


def test_a_name_that_only_the_roster_or_the_host_has_gives_its_model_away(tmp_path: Path) -> None:
    async def run() -> None:
        told = [
            FakeModel("nimbus:1b", text="Hello, I am Nimbus. " + NIGHT),
            FakeModel("plainly:1b", text="As Quillon, I would say that it is dark. " + NIGHT),
            FakeModel("innocent:1b", text="A nimbus is a cloud; a quillon guards a hand. " + NIGHT),
        ]
        told[1] = replace(told[1], family="quillon2")
        names = [model.name for model in told]
        async with FakeOllama(told, speed=20, warm=True) as host:
            async with table(tmp_path, [host], models=names) as at, at.battle() as seen:
                await seen.voting()
                battle = await at.battles.load(seen.battle)
                seats = {s.letter: s.contender.model for s in battle.seats}
                flagged = {seats[pane.seat] for pane in seen.now.panes if pane.flagged}
                assert flagged == {"nimbus:1b", "plainly:1b"}

    asyncio.run(run())


def test_tokens_that_slip_through_are_flagged(tmp_path: Path) -> None:
    async def scene(at: Table, seen: Viewer, seat: str) -> None:
        assert [pane.seat for pane in seen.now.panes if pane.flagged] == [seat]

    battle_with(tmp_path, "Code:\n```\nprint(1)\n", "<|im_end|>\n", scene=scene)


def test_halves_of_characters_are_joined_and_what_stays_alone_is_replaced(tmp_path: Path) -> None:
    halves = ("Good night \ud83c", "\udf19", " alone \ud83d", " and \udf19", " e\u0301 \ud83d")

    async def scene(at: Table, seen: Viewer, seat: str) -> None:
        assert seen.text(seat) == "Good night \U0001f319 alone \ufffd and \ufffd e\u0301 \ufffd"

    battle_with(tmp_path, *halves, scene=scene)


def test_a_model_that_never_opens_its_thoughts_shows_none_of_them_the_second_time(
    tmp_path: Path,
) -> None:
    """The first time, the others are there before the thought is closed, so some of it is seen."""
    aloud = tuple(f"thought {n} " for n in range(40))

    async def run() -> None:
        odd = FakeModel("odd:1b", pieces=(*aloud, "\n</think>\n\n", NIGHT), tokens_per_s=4)
        async with FakeOllama([odd, LLAMA], speed=20, warm=True) as host:
            async with table(tmp_path, [host], models=("odd:1b", "llama3.1:8b")) as at:
                spoilt = []
                for _ in range(2):
                    async with at.battle() as seen:
                        await seen.voting()
                        spoilt.append(any(pane.flagged for pane in seen.now.panes))
                        battle = await at.battles.load(seen.battle)
                        replies = [
                            s.replies[0] for s in battle.seats if s.contender.model == "odd:1b"
                        ]
                        assert replies[0].thinking == "".join(aloud) + "\n"
                assert spoilt == [True, False] and replies[0].text == NIGHT

    asyncio.run(run())
