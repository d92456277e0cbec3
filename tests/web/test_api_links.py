"""Links of finished battles over HTTP: what they show, to whom, and what they keep to themselves."""

from __future__ import annotations

import httpx

from arena.web.words import DASH
from tests.playing import Table
from tests.web.calling import A, Play, opened, problem, voting
from tests.web.test_api_terms import judged

SECRET, SYSTEM = "What is wrong with my heart?", "Answer as my doctor."


async def shared(client: httpx.AsyncClient, **body: object) -> tuple[str, str]:
    """Path of a finished battle, and what follows `/b/` in its link."""
    path = await opened(client, prompt=SECRET, system=SYSTEM)
    await judged(client, path)
    answer = await client.put(f"{path}/link", json=body)
    assert answer.is_success, answer.text
    return path, answer.json()["link"]


def test_who_has_a_link_gets_no_further_than_it(play: Play) -> None:
    """Neither while it stands nor when it was withdrawn, and no reader of the page sees the id."""

    async def scene(client: httpx.AsyncClient, _: Table) -> None:
        path, link = await shared(client, prompts=False)
        battle = path.rpartition("/")[2]
        page = await client.get(f"/b/{link}")
        assert page.is_success and f"/b/{link}.png" in page.text
        told = (await client.get(f"{path}/link")).json()
        assert told["link"] == link and told["prompts"] == []
        assert (await client.get(f"{A}/battles/{link}/link")).json() == told
        for text in (page.text, f"{told}"):
            assert not [known for known in (battle, SECRET, SYSTEM) if known in text]
        for withdrawn in (False, True):
            ways = ("", "/reveal", "/events", "/images/1")
            answers = [await client.get(f"{A}/battles/{link}{way}") for way in ways]
            named = {"battle_id": link}
            answers.append(await client.post(f"{A}/get_progressive_responses", json=named))
            assert {problem(answer)[0] for answer in answers} == {404}
            assert (await client.get(f"/b/{battle}")).status_code == 404
            if not withdrawn:
                assert (await client.delete(f"{path}/link")).status_code == 204
        ways = (f"/b/{link}", f"/b/{link}.png", f"{path}/link", f"{A}/battles/{link}/link")
        gone = [await client.get(way) for way in ways]
        assert {answer.status_code for answer in gone} == {404}
        slashed = await client.get(f"/b/{link}/", follow_redirects=True)
        assert slashed.url.path == f"/b/{link}" and slashed.text == gone[0].text
        for nothing, home in (("/b/", "../"), ("/b", "./")):
            answer = await client.get(nothing)
            assert answer.status_code == 404 and f'href="{home}"' in answer.text

    play(scene)


def test_a_link_that_is_given_anew_is_the_same_and_shows_what_was_chosen_last(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, _: Table) -> None:
        path, link = await shared(client, prompts=False)
        again = (await client.put(f"{path}/link", json={})).json()
        assert again["link"] == link and again["prompts"] == [SECRET]
        assert SECRET in (await client.get(f"/b/{link}")).text
        await client.delete(f"{path}/link")
        assert (await client.put(f"{path}/link", json={})).json()["link"] == link

    play(scene)


def test_a_link_that_stands_under_its_battles_id_works_until_it_is_withdrawn(play: Play) -> None:
    """Those that were given out before links had names of their own."""

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path, link = await shared(client)
        battle = path.rpartition("/")[2]
        kept = await at.ledger.shared(link)
        assert kept
        await client.delete(f"{path}/link")
        await at.ledger.share(battle, *kept)
        assert SECRET in (await client.get(f"/b/{battle}")).text
        assert (await client.get(f"{path}/link")).json()["link"] == battle
        assert (await client.put(f"{path}/link", json={"prompts": False})).json()["link"] == link
        for old_or_new in (battle, link):
            page = await client.get(f"/b/{old_or_new}")
            assert page.is_success and SECRET not in page.text
        await client.delete(f"{path}/link")
        for old_or_new in (battle, link):
            assert (await client.get(f"/b/{old_or_new}")).status_code == 404

    play(scene)


def test_where_all_were_bad_nobody_is_told_to_be_first(play: Play) -> None:
    """Nor by a link of the time when they were."""

    async def scene(client: httpx.AsyncClient, at: Table) -> None:
        path = await opened(client)
        ballot = (await voting(client, path))["ballot"]
        battle = path.rpartition("/")[2]
        choice = {"battle_id": battle, "choice": "both_bad", "ballot": ballot}
        end = (await client.post(f"{A}/submit_progressive_choice", json=choice)).json()
        assert [model["rank"] for model in end["final_ranking"]] == [None] * 3
        assert [seat["place"] for seat in end["reveal"]["seats"]] == [None] * 3
        link = (await client.put(f"{path}/link", json={})).json()["link"]
        kept = await at.ledger.shared(link)
        assert kept
        owner, text = kept
        for told in (text, text.replace('"place": null', '"place": 1')):
            await at.ledger.share(link, owner, told)
            page = (await client.get(f"/b/{link}")).text
            assert page.count(f"<td>{DASH}</td>") == 3 and "<td>1</td>" not in page
            assert (await client.get(f"/b/{link}.png")).is_success
            seats = (await client.get(f"{path}/link")).json()["reveal"]["seats"]
            assert [seat["place"] for seat in seats] == [None] * 3
        assert told != text

    play(scene)


def test_only_who_played_shares_and_withdraws(play: Play) -> None:
    async def scene(client: httpx.AsyncClient, _: Table) -> None:
        path, link = await shared(client)
        session = {"Arena-Session": (await client.post(f"{A}/session")).json()["session"]}
        client.cookies.clear()
        for call in (
            client.put(f"{path}/link", json={}, headers=session),
            client.delete(f"{path}/link", headers=session),
        ):
            assert problem(await call)[0] == 403
        assert (await client.get(f"/b/{link}")).is_success

    play(scene)
