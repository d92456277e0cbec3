"""The bench of hosts: which figures it takes, that they add up, and what it prints and writes."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from arena.adapters.engine import Engine
from arena.bench.hosts import HostBench, Plan, Row, ratios
from arena.cli import main
from arena.core.battle.entities import Contender, Finished, Text
from arena.core.battle.roster import of_models
from arena.core.errors import HostFault
from arena.core.hosts.report import Spread
from arena.core.ports import HostEvent
from tests.fake_ollama import LLAMA, MISTRAL, PHI, FakeOllama

PRICE = 3.6
"""So a second costs a thousandth."""


@dataclass
class Scripted:
    """Hosts that answer ten tokens at once, or fail for the models named; `asked` is what they
    were asked, and `most` how many replies were under way together."""

    models: Sequence[str] = ("a", "b", "c")
    failing: frozenset[str] = frozenset()
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    now: int = 0
    most: int = 0

    def contenders(self) -> tuple[Contender, ...]:
        return of_models(self.models)

    def families(self) -> frozenset[str]:
        return frozenset()

    def refusal(self) -> str:
        return ""

    async def reply(
        self,
        contender: Contender,
        messages: Sequence[Mapping[str, str]],
        *,
        seed: int,
        avoid: frozenset[str] = frozenset(),
    ) -> AsyncIterator[HostEvent]:
        self.asked.append((contender.name, messages[-1]["content"], seed))
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0.01)
            if contender.model in self.failing:
                raise HostFault("It dropped.", kind="dropped")
            yield Text("word")
            yield Finished("h", "stop", 1.0, 2.0, output_tokens=10, tokens_per_s=50.0)
        finally:
            self.now -= 1


def measured(hosts: Scripted, **plan: Any) -> list[Row]:
    told: list[float] = []
    whole = Plan(**{"repeat": 2, "users": (1, 4), "price": PRICE, **plan})
    bench = HostBench(hosts, "http://h", "1.0", whole, lambda what, part: told.append(part))
    rows = asyncio.run(bench.run())
    assert told == sorted(told) and told[0] >= 0 and told[-1] < 1
    return rows


def test_everyone_is_measured_alone_in_pairs_together_and_by_many() -> None:
    hosts = Scripted()
    rows = measured(hosts)
    found = [(r.scene, r.contender, r.with_, r.users, r.replies) for r in rows]
    assert found == [
        ("alone", "a", "", 1, 2),
        ("alone", "b", "", 1, 2),
        ("alone", "c", "", 1, 2),
        ("pair", "a", "b", 1, 2),
        ("pair", "b", "a", 1, 2),
        ("pair", "a", "c", 1, 2),
        ("pair", "c", "a", 1, 2),
        ("pair", "b", "c", 1, 2),
        ("pair", "c", "b", 1, 2),
        ("together", "a", "b, c", 1, 2),
        ("together", "b", "a, c", 1, 2),
        ("together", "c", "a, b", 1, 2),
        ("users", "a", "", 1, 1),
        ("users", "b", "", 1, 1),
        ("users", "c", "", 1, 1),
        ("users", "all", "", 1, 3),
        ("users", "a", "", 4, 4),
        ("users", "b", "", 4, 4),
        ("users", "c", "", 4, 4),
        ("users", "all", "", 4, 12),
    ]
    assert hosts.most == 12


def test_one_after_the_other_means_that_nothing_else_is_written() -> None:
    hosts = Scripted(models=("a", "b"))
    rows = measured(hosts, users=(1,))
    assert hosts.most == 2 and "together" not in {r.scene for r in rows}


def test_those_who_write_at_once_get_the_same_prompt_and_no_prompt_comes_twice_running() -> None:
    hosts = Scripted(models=("a", "b"))
    measured(hosts, users=())
    by_seed: dict[int, set[str]] = {}
    for _, prompt, seed in hosts.asked:
        by_seed.setdefault(seed, set()).add(prompt)
    assert all(len(prompts) == 1 for prompts in by_seed.values())
    turns = [by_seed[seed] for seed in sorted(by_seed)]
    assert len(turns) == 6 and all(a != b for a, b in pairwise(turns))


def test_cost_is_the_hosts_time_shared_by_what_was_asked() -> None:
    for row in measured(Scripted()):
        together = {"alone": 1, "pair": 2, "together": 3, "users": 3}[row.scene]
        replies = (row.users if row.scene == "users" else 2) * together
        queries = row.users if row.scene == "users" else replies
        seconds = replies * 10 / row.throughput
        assert row.cost == pytest.approx(seconds / 1000 / queries)
        assert row.tokens_per_s == Spread(50.0, 50.0, row.replies)


def test_faults_are_counted_and_never_become_figures() -> None:
    rows = measured(Scripted(failing=frozenset("b")), users=(3,))
    failing = [r for r in rows if r.contender == "b"]
    assert all(r.replies == 0 and r.failed and r.faults == "dropped" for r in failing)
    assert all(r.ttft_s == Spread(None, None, 0) for r in failing)
    assert all(not r.failed for r in rows if r.contender in "ac")
    (everyone,) = [r for r in rows if r.contender == "all"]
    assert (everyone.replies, everyone.failed) == (6, 3)
    assert [r.cost for r in failing if r.scene == "alone"] == [None]


def test_a_cold_load_is_what_the_first_token_takes_longer() -> None:
    forgotten: list[str] = []

    async def forget(model: str) -> None:
        forgotten.append(model)
        if model == "b":
            raise HostFault("It does not unload.", kind="load")

    rows = [
        r
        for r in measured(Scripted(models=("a", "b")), users=(), unload=forget)
        if r.scene == "cold"
    ]
    assert forgotten == ["a", "b"]
    assert [r.contender for r in rows] == ["a", "b"]
    assert rows[0].load_s is not None and rows[0].load_s >= 0
    assert (rows[1].load_s, rows[1].failed, rows[1].faults) == (None, 1, "load")


def figure(
    host: str, scene: str, contender: str, speed: float, ttft: float, throughput: float
) -> Row:
    return Row(
        host=host,
        version="1",
        scene=scene,
        contender=contender,
        with_="",
        users=1,
        replies=1,
        failed=0,
        ttft_s=Spread(ttft, ttft, 1),
        total_s=Spread(1.0, 1.0, 1),
        tokens_per_s=Spread(speed, speed, 1),
        throughput=throughput,
        cost=0.1,
    )


def test_two_hosts_are_compared_figure_by_figure() -> None:
    rows = [
        figure("cpu", "alone", "a", 10.0, 4.0, 10.0),
        figure("cpu", "alone", "only here", 10.0, 4.0, 10.0),
        figure("cpu", "users", "all", 10.0, 4.0, 20.0),
        figure("gpu", "alone", "a", 80.0, 0.5, 80.0),
        figure("gpu", "users", "all", 80.0, 0.5, 100.0),
    ]
    found = [(r.scene, r.contender, r.speed, r.first_token) for r in ratios(rows, "cpu", "gpu")]
    assert found == [("alone", "a", 8.0, 8.0), ("users", "all", 5.0, 8.0)]


# On hosts --------------------------------------------------------------------------------------


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'arena.db'}")
    return monkeypatch


@pytest.mark.slow
def test_two_hosts_side_by_side_are_measured_printed_and_written(
    settings: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures"
    with (
        FakeOllama.in_thread([LLAMA, PHI], speed=20) as fast,
        FakeOllama.in_thread([LLAMA, PHI], speed=2.5) as slow,
    ):
        settings.setenv("OLLAMA_HOSTS", f"{slow.url},{fast.url}")
        settings.setenv("ARENA_MODELS", "llama3.1:8b,phi3:mini")
        code = main(
            ["bench", "hosts", "--repeat", "1", "--users", "1,2", "--cold", "--out", str(out)]
        )
        assert fast.stats.loads.count("llama3.1:8b") == 2, "warmed, then loaded again to be timed"
        assert all("keep_alive" not in call.body for call in fast.stats.answers())
        assert all(call.options["num_predict"] == 512 for call in fast.stats.answers())
    shown = capsys.readouterr().out
    assert code == 0 and "\x1b" not in shown
    assert f"{fast.url} against {slow.url}" in shown
    rows = json.loads((out / "hosts.json").read_text())
    with (out / "hosts.csv").open() as file:
        table = list(csv.DictReader(file))
    assert len(rows) == len(table) == 2 * (2 + 2 + 2 * 3 + 2)
    assert {row["host"] for row in table} == {slow.url, fast.url}
    speeds = {r["host"]: float(r["tokens_per_s_p50"]) for r in table if r["scene"] == "alone"}
    assert speeds[fast.url] > 2 * speeds[slow.url]
    cold = [row for row in table if row["scene"] == "cold"]
    # What the fast one takes to load may be less than chance.
    assert all(float(row["load_s"]) >= 0 for row in cold)
    assert all(float(row["load_s"]) > 0 for row in cold if row["host"] == slow.url)
    assert all(float(row["cost"]) > 0 for row in table)


def test_a_host_that_is_down_fails_the_bench_but_not_the_other_host(
    settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeOllama.in_thread([LLAMA, MISTRAL, PHI], speed=60) as host:
        with FakeOllama.in_thread([PHI]) as gone:
            address = gone.url
        settings.setenv("OLLAMA_HOSTS", f"{address},{host.url}")
        code = main(["bench", "hosts", "--repeat", "1", "--users", "1", "--json"])
        out, err = capsys.readouterr()
        assert code == 1 and f"{address}: The host of the models does not answer" in err
        assert {row["host"] for row in json.loads(out)} == {host.url}


def test_a_hosts_token_is_sent_and_never_shown(
    settings: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with FakeOllama.in_thread([LLAMA, PHI], speed=60, token="s3cret") as host:
        settings.setenv("OLLAMA_HOST", host.url)
        settings.setenv("OLLAMA_TOKENS", "s3cret")
        arguments = [
            "bench",
            "hosts",
            "--repeat",
            "1",
            "--users",
            "1",
            "--cold",
            "--out",
            str(tmp_path),
        ]
        assert main(arguments) == 0
        assert main(["doctor"]) == 0
    told = "".join(capsys.readouterr()) + (tmp_path / "hosts.json").read_text()
    assert "s3cret" not in told and '"failed": 0' in told and '"failed": 1' not in told


@pytest.mark.slow
def test_the_embedded_engine_is_measured_like_any_host(
    engine: Engine, settings: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    roster = tmp_path / "roster.toml"
    personas = [
        f'[[contender]]\nname = "{n}"\nmodel = "smollm2:135m"\nsystem = "Be {n}."\n'
        for n in ("brief", "kind")
    ]
    roster.write_text("\n".join(personas))
    settings.setenv("OLLAMA_HOST", engine.url)
    settings.setenv("ARENA_ROSTER", str(roster))
    settings.setenv("ARENA_MAX_TOKENS", "24")
    code = main(["bench", "hosts", "--repeat", "1", "--users", "2", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert code == 0 and {row["contender"] for row in rows} == {"brief", "kind", "all"}
    assert all(row["failed"] == 0 and row["tokens_per_s"]["p50"] > 1 for row in rows)
