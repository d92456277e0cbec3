"""Every block of shell and of Python in README and docs/ is run, page by page, in a checkout with
an arena that plays on fake hosts. Those of CONTRIBUTING are for `test_recipes`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from queue import Queue
from threading import Thread

import httpx
import pandas as pd
import pytest

from arena.cli.configure import edited
from tests.docs.checkout import Checkout, checkout
from tests.docs.pages import PAGES, ROOT, blocks, name
from tests.docs.test_pages import API, CONTRIBUTING, OPERATORS
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeModel, FakeOllama
from tests.fake_openai import FakeOpenAI
from tests.nginx import nginx
from tests.running import running

pytestmark = pytest.mark.slow

OLLAMA_HOSTS = ("172.31.45.157", "10.0.0.11", "10.0.0.12")
THERE = ("nginx", "redis", "systemd/system", "postgresql/15/main")
"""Folders of /etc that a machine has before we come."""

VOTES = pd.DataFrame(
    {
        "model_a": [LLAMA.name, PHI.name, MISTRAL.name, LLAMA.name],
        "model_b": [MISTRAL.name, LLAMA.name, PHI.name, PHI.name],
        "winner": ["model_a", "model_b", "tie", "model_a"],
    }
)


@contextmanager
def openai() -> Iterator[str]:
    """A fake host that speaks OpenAI's API, in a thread of its own; gives its URL."""
    told, over = Queue[str](), asyncio.Event()

    async def life() -> None:
        async with FakeOpenAI({"big:70b": "Dust.", "small:1b": "Dark."}) as host:
            loops.append(asyncio.get_running_loop())
            told.put(host.url)
            await over.wait()

    loops: list[asyncio.AbstractEventLoop] = []
    thread = Thread(target=lambda: asyncio.run(life()))
    thread.start()
    yield told.get()
    loops[0].call_soon_threadsafe(over.set)
    thread.join()


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who does what the pages say, with an arena at hand at this URL. here: what stands
    for the addresses in the pages."""

    at: Checkout
    url: str
    here: dict[str, str]

    def hears(self, script: str) -> str:
        """The script with the addresses that hold here."""
        for there, address in self.here.items():
            script = script.replace(there, address)
        return script


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    quick = [FakeModel(model.name, ttft_s=0.01) for model in (LLAMA, MISTRAL, PHI)]
    root = tmp_path_factory.mktemp("checkout")
    with ExitStack() as stack:
        at = stack.enter_context(checkout(root))
        for folder in ("data", "nginx", *(f"etc/{folder}" for folder in THERE)):
            (root / folder).mkdir(parents=True)
        fakes = [
            stack.enter_context(FakeOllama.in_thread(quick, speed=60, warm=True))
            for _ in OLLAMA_HOSTS
        ]
        here = {host: fake.url for host, fake in zip(OLLAMA_HOSTS, fakes, strict=True)}
        set_ = {"OLLAMA_HOST": fakes[0].url, "ARENA_PACE": "5000"}
        app = stack.enter_context(running(root / "data", cwd=root, **set_))
        public = stack.enter_context(nginx(root / "nginx", [app.url.removeprefix("http://")]))
        here["http://10.0.0.13:8000"] = stack.enter_context(openai())
        here |= {"http://127.0.0.1:7860": app.url, "https://arena.example.org": public}
        here[" /etc/"] = f" {root}/etc/"
        env = edited((root / ".env").read_text(), {**set_, "ARENA_PORT": app.url.split(":")[-1]})
        for file in (".env", "edited"):
            (root / file).write_text(env)
        VOTES.to_csv(root / "their-votes.csv", index=False)
        VOTES[1:].to_csv(root / "other-votes.csv", index=False)
        VOTES.to_parquet(root / "other-arena.parquet")
        talk = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
        rows = VOTES.assign(conversation_a=[talk] * 4, conversation_b=[talk] * 4, topic="law")
        rows.to_json(root / "pilot.jsonl", orient="records", lines=True)
        at.sh("arena import pilot.jsonl --study pilot")
        yield Reader(at, app.url, here)


def pages(kind: str) -> list[Path]:
    """Those with blocks of the kind."""
    return [page for page in PAGES if page != CONTRIBUTING and blocks(page, kind)]


@pytest.mark.parametrize("page", pages("sh"), ids=name)
def test_what_a_page_says_to_the_shell_does_well(reader: Reader, page: Path) -> None:
    script = "".join(f"at={block.place}\n{block.text}" for block in blocks(page, "sh"))
    _, calls = reader.at.sh(reader.hears(script))
    installed = {word for program, *words in calls if program == "apt-get" for word in words[1:]}
    assert installed <= set(re.findall(r"[\w-]+", (ROOT / ".ci" / "run").read_text()))
    assert services(calls, reader.at.root) <= installed
    called = {answered(reader.url, words) for program, *words in calls if program == "curl"}
    if page == API:
        paths = httpx.get(f"{reader.url}/openapi.json", trust_env=False).json()["paths"]
        assert called == {(m.upper(), path) for path, methods in paths.items() for m in methods}
    if page == OPERATORS:
        assert_it_fits_together(reader.at.root / "etc")


@pytest.mark.parametrize("page", pages("python"), ids=name)
def test_the_python_of_a_page_does_well(reader: Reader, page: Path) -> None:
    script = "".join(block.text for block in blocks(page, "python"))
    (reader.at.root / "page.py").write_text(reader.hears(script))
    before = raters(reader)
    said, _ = reader.at.sh(".venv/bin/python page.py")
    if page == API:
        assert "is the champion" in said and "arena_battles_total" in said and "alive" in said
        assert raters(reader) == before + 1, "a program is one rater"


def raters(reader: Reader) -> int:
    found = httpx.get(f"{reader.url}/api/arena/statistics", trust_env=False).json()
    return int(found["raters"])


# What could only be written down ------------------------------------------------------------------


def services(calls: list[list[str]], root: Path) -> set[str]:
    """That are started, by the packages they come with; units of ours are installed by then."""
    found = set()
    for program, *words in calls:
        for word in words[1:] if program == "systemctl" else ():
            template, _, instance = word.partition("@")
            if instance:
                assert (root / "etc/systemd/system" / f"{template}@.service").exists(), word
            elif not word.startswith("-"):
                found.add(word)
    return found


def assert_it_fits_together(etc: Path) -> None:
    """Whatever an installed file includes or reads is there, or the machine's own."""
    for file in filter(Path.is_file, etc.rglob("*")):
        for needed in re.findall(r"(?:include |EnvironmentFile=)/etc/([\w./-]+)", file.read_text()):
            assert (etc / needed).exists() or needed == "nginx/mime.types", f"{file}: {needed}"


def answered(url: str, words: list[str]) -> tuple[str, str]:
    """Method and path of a call by curl, which the arena at the URL knows how to answer."""
    options = dict(pairwise(words))
    body = options.get("--json")
    method = options.get("-X", "POST" if body else "GET")
    (address,) = [word for word in words if word.startswith("http://")]
    path = re.sub(r"http://[^/]+", "", address)
    kind = {"content-type": "application/json"} if body else {}
    with httpx.Client(base_url=url, headers=kind, trust_env=False, timeout=60) as client:
        answer = client.request(method, path, content=body)
    unknown = answer.status_code == 404 and re.search(
        "no longer on the|is shared|no study", answer.text
    )
    assert answer.is_success or (re.search("BATTLE|STUDY", f"{path}{body}") and unknown), (
        words,
        answer.text,
    )
    path = path.partition("?")[0].replace("BATTLE", "{battle_id}")
    path = path.replace("/images/1", "/images/{number}")
    return method, path.replace("STUDY", "{study}").replace("RATER", "{rater}")
