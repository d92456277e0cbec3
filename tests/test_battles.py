"""Battles from Python: plain, and awaited in an event loop of the caller's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import arena
from arena.core.errors import BadInput, NoCapacity, NotYet, OtherVote
from tests.fake_ollama import FakeModel, FakeOllama, FakeOllamaThread
from tests.playing import MODELS


@pytest.fixture(scope="module")
def host() -> Iterator[FakeOllamaThread]:
    sees = ("completion", "vision")
    models = [
        FakeModel(m, text=f"Reply {n}. <b>&", capabilities=sees) for n, m in enumerate(MODELS)
    ]
    with FakeOllama.in_thread(models, speed=50, warm=True) as host:
        yield host


@pytest.fixture
def place(host: FakeOllamaThread, tmp_path: Path) -> dict[str, str]:
    """The host and a new ledger, as settings."""
    return {"OLLAMA_HOST": host.url, "DATABASE_URL": f"sqlite:///{tmp_path / 'a.db'}"}


def everything(battle: arena.Battle | arena.AsyncBattle) -> str:
    """All that is offered without asking for what is behind it."""
    names = [name for name in dir(battle) if not name.startswith("_")]
    values = [getattr(battle, name) for name in names]
    return f"{values} {battle!r} {battle._repr_html_()}"


def test_a_battle_is_blind_until_it_is_decided_and_its_votes_are_kept(
    place: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    battle = arena.battle("Why?", study="pilot", rater="ada", **place)
    assert set(battle.replies) == {"A", "B", "C"} == set(battle.in_play)
    assert all(text.startswith("Reply") for text in battle.replies.values())
    assert "drop() the weakest" in repr(battle)
    with pytest.raises(NotYet, match="Vote first"):
        battle.reveal()
    with pytest.raises(BadInput, match=r"In play are Model A, Model B, Model C"):
        battle.pick("A")
    told = everything(battle)
    assert battle.drop("Model C").in_play == ("A", "B") and battle.round == 2
    battle.follow_up("And then?")
    assert battle.prompts == ("Why?", "And then?")
    told += everything(battle) + capsys.readouterr().out
    assert not [name for name in MODELS if name.split(":")[0] in told.lower()]
    battle.pick("b")
    assert battle.over and battle.in_play == ("B",)
    found = battle.reveal()
    assert list(found["seat"]) == ["B", "A", "C"] and set(found["contender"]) == set(MODELS)
    assert found["champion"].tolist() == [True, False, False]
    assert found["place"].tolist() == [1, 2, 3]
    assert found["rating_after"].notna().all()
    assert f"Model B: {found['contender'][0]}" in repr(battle)
    votes = arena.votes(["channel", "study", "rater", "winner"], **place)
    assert votes[["channel", "study"]].to_numpy().tolist() == [["notebook", "pilot"]] * 3
    assert votes["rater"].nunique() == 1 and votes["rater"][0].endswith("/ada")
    with pytest.raises(OtherVote, match="Model A was voted out"):
        battle.tie()


def test_what_a_model_writes_is_text_in_a_notebook(place: dict[str, str]) -> None:
    shown = arena.battle("Why?", size=2, **place)._repr_html_()
    assert "&lt;b&gt;&amp;" in shown and "<b>&" not in shown


def test_a_vote_is_taken_back_and_cast_anew(place: dict[str, str]) -> None:
    battle = arena.battle("Why?", **place).drop("A").undo().drop("B").tie()
    assert battle.in_play == ("A", "C")
    kept = arena.votes(["ballot_id", "supersedes"], **place)
    assert kept["supersedes"].ne("").sum() == 2


def test_a_battle_is_opened_with_images_by_their_paths_or_bytes(
    place: dict[str, str], tmp_path: Path
) -> None:
    image = tmp_path / "red.png"
    Image.new("RGB", (40, 20), "red").save(image)
    arena.battle("What?", size=2, images=[image], **place).tie()
    arena.battle("What?", size=2, images=[str(image)], **place).tie()
    arena.battle("What?", size=2, images=[image.read_bytes()], **place).tie()
    kept = arena.votes(["images"], **place)["images"]
    assert len(kept) == 3 and len({digest for (digest,) in kept}) == 1
    for wrong in (["none.png"], [tmp_path], ["\0"], "red.png", image.read_bytes(), [None]):
        with pytest.raises(BadInput, match=r"no file|list of files"):
            arena.battle("What?", images=wrong, **place)  # type: ignore[arg-type]


def test_battles_of_the_same_settings_share_a_house_and_a_rater(place: dict[str, str]) -> None:
    for _ in range(2):
        ended = arena.battle("Why?", size=2, **place).bad()
        assert ended.reveal()["place"].isna().all(), "nobody was good enough to be first"
    assert arena.votes(["rater"], **place)["rater"].nunique() == 1


def test_a_battle_is_awaited_in_a_running_event_loop(place: dict[str, str]) -> None:
    async def played(prompt: str) -> str:
        battle = await arena.abattle(prompt, size=2, **place)
        await battle.pick("A")
        return str(battle.reveal()["seat"][0])

    async def cell() -> list[str]:
        return await asyncio.gather(*map(played, ("Why?", "How?")))

    assert asyncio.run(cell()) == ["A", "A"]


def test_a_battle_is_played_on_a_running_page(place: dict[str, str]) -> None:
    async def cell() -> arena.Page:
        return arena.launch(**place)

    page = asyncio.run(cell())
    try:
        page.battle("Why?", size=2).pick("A")
        assert list(page.votes(["channel"])["channel"]) == ["notebook"]
        assert page.leaderboard(study="")["votes"].sum() == 2
        assert len(page.plot_leaderboard(title="Mine").data) == 1
    finally:
        page.stop()
    with pytest.raises(NoCapacity, match="was stopped"):
        page.battle("Why?")
    assert len(page.votes()) == 1


def test_what_keeps_a_battle_from_being_played_is_told(
    host: FakeOllamaThread, place: dict[str, str]
) -> None:
    with pytest.raises(BadInput, match="prompt is empty"):
        arena.battle(" ", **place)
    with pytest.raises(NoCapacity, match=r"does not answer|cannot be reached"):
        arena.battle("Why?", **place | {"OLLAMA_HOST": "http://127.0.0.1:1"})
    battle = arena.battle("Why?", **place)
    with pytest.raises(BadInput):
        battle.drop("Z")
