"""Names as people type them, and the line-up they make on what is installed."""

from __future__ import annotations

import pytest

from arena.core.battle.entities import Contender
from arena.core.battle.naming import Installed, LineUp, line_up, match
from arena.core.battle.roster import of_models
from arena.core.errors import ConfigError, UnknownModel

INSTALLED = ["llama3.1:8b", "mistral:7b", "phi3:mini", "gemma2:latest", "qwen2.5:7b", "qwen2.5:3b"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("llama3.1:8b", "llama3.1:8b"),
        ("llama3.1-8b", "llama3.1:8b"),
        ("LLaMA3.1 8B", "llama3.1:8b"),
        ("Phi3:Mini", "phi3:mini"),
        ("mistral", "mistral:7b"),
        ("gemma2", "gemma2:latest"),
        (" gemma-2 ", "gemma2:latest"),
        ("registry.ollama.ai/library/mistral:7b", "mistral:7b"),
        ("https://registry.ollama.ai/library/phi3:mini", "phi3:mini"),
        ("ｍｉｓｔｒａｌ:7b", "mistral:7b"),
        ("qwen2.5:3b", "qwen2.5:3b"),
    ],
)
def test_a_typed_name_finds_the_one_model_that_is_meant(typed: str, meant: str) -> None:
    assert match(typed, INSTALLED) == meant


@pytest.mark.parametrize(("typed", "other"), [("qwen2.5:7b", "qwen2:57b"), ("a:1.8b", "a:18b")])
def test_another_size_is_another_model(typed: str, other: str) -> None:
    with pytest.raises(UnknownModel):
        match(typed, [other, "mistral:7b"])


def test_an_exact_name_comes_before_a_squeezed_one() -> None:
    assert match("phi3-mini", ["phi3:mini", "phi3-mini:latest"]) == "phi3-mini:latest"


def test_a_name_that_fits_several_is_refused_with_all_of_them() -> None:
    with pytest.raises(ConfigError, match=r"qwen2\.5:7b, qwen2\.5:3b"):
        match("qwen2.5", INSTALLED)
    with pytest.raises(ConfigError, match="a-b:1, a:b1"):
        match("ab-1", ["a-b:1", "a:b1"])


def test_an_unknown_name_is_refused_with_the_nearest_and_with_what_to_do() -> None:
    with pytest.raises(
        UnknownModel, match=r"Near it: mistral:7b\. Install it \(with Ollama: `ollama pull"
    ):
        match("mistral:8b", INSTALLED)
    with pytest.raises(UnknownModel, match="Near it: nothing"):
        match("mistral:8b", [])


@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud", "qwen3-coder:Cloud", "kimi:1t-cloud "])
def test_a_cloud_name_is_refused_even_if_it_is_installed(name: str) -> None:
    with pytest.raises(ConfigError, match="leave your machines"):
        match(name, [*INSTALLED, name.strip()])


def _line_up(*models: str, **installed: Installed) -> LineUp:
    names = {name.replace("_", ":"): model for name, model in installed.items()}
    return line_up(of_models(models), names)


def test_a_contender_named_like_its_model_gets_the_exact_name() -> None:
    roster = (Contender("Mistral", "Mistral"), Contender("the terse one", "Mistral", "Be terse."))
    found = line_up(roster, {"mistral:7b": Installed("d1")})
    assert [(c.name, c.model) for c in found.contenders] == [
        ("mistral:7b", "mistral:7b"),
        ("the terse one", "mistral:7b"),
    ]
    assert not found.notes


@pytest.mark.parametrize(
    ("roster", "named"),
    [
        (
            [Contender("mistral", "mistral"), Contender("mistral:7b", "mistral", "Be terse.")],
            ["mistral", "mistral:7b"],
        ),
        (
            [Contender("Mistral", "Mistral"), Contender("mistral", "mistral", "Be terse.")],
            ["mistral:7b", "mistral"],
        ),
        (
            [Contender("mistral:7b", "mistral", "Be terse."), Contender("rest", "auto")],
            ["mistral:7b", "mistral:7b (rest)", "phi3:mini"],
        ),
        (
            [Contender("plain", "auto"), Contender("terse", "auto", "Be terse.")],
            ["mistral:7b", "phi3:mini", "mistral:7b (terse)", "phi3:mini (terse)"],
        ),
        (
            [Contender("auto", "auto"), Contender("mistral:7b", "mistral:7b")],
            ["mistral:7b", "phi3:mini"],
        ),
    ],
)
def test_no_two_contenders_have_one_name(roster: list[Contender], named: list[str]) -> None:
    found = line_up(roster, {"mistral:7b": Installed("d1"), "phi3:mini": Installed("d2")})
    assert [c.name for c in found.contenders] == named
    assert [c.model for c in found.contenders] == [
        "phi3:mini" if "phi3" in n else "mistral:7b" for n in named
    ]


def test_who_has_no_name_of_its_own_is_left_out_and_the_operator_is_told() -> None:
    roster = (
        Contender("a:1", "a:1", "Be terse."),
        Contender("a:1 (rest)", "a:1", "Be kind."),
        Contender("rest", "auto"),
    )
    found = line_up(roster, {"a:1": Installed("d1"), "b:1": Installed("d2")})
    assert [c.name for c in found.contenders] == ["a:1", "a:1 (rest)", "b:1"]
    assert found.notes == (
        "Another contender is called a:1 (rest), so this one was left out. Rename one.",
    )


def test_two_names_of_one_digest_are_one_contender_and_the_operator_is_told() -> None:
    same = Installed("x")
    found = _line_up("a:1", "b:1", "c:1", a_1=same, b_1=same, c_1=Installed("y"))
    assert [c.name for c in found.contenders] == ["a:1", "c:1"]
    assert found.notes == (
        "b:1 is the same as a:1 (the same files, system prompt and options) and was left out.",
    )


def test_one_model_with_another_system_prompt_or_other_options_is_another_contender() -> None:
    roster = (
        Contender("plain", "a:1"),
        Contender("terse", "a:1", system="Be terse."),
        Contender("cool", "b:1", options={"temperature": 0.1}),
        Contender("cool again", "a:1", options={"temperature": 0.1}),
    )
    found = line_up(roster, {"a:1": Installed("x"), "b:1": Installed("x")})
    assert [c.name for c in found.contenders] == ["plain", "terse", "cool"]


def test_auto_takes_every_model_that_can_chat_and_none_from_the_cloud() -> None:
    found = _line_up(
        "auto",
        phi3_mini=Installed("p"),
        embedder_1=Installed("e", chats=False),
        gemma2_latest=Installed("g"),
        big_cloud=Installed("c"),
    )
    assert [c.name for c in found.contenders] == ["gemma2:latest", "phi3:mini"]
    assert not found.notes


def test_an_embedding_model_that_was_named_is_left_out_with_a_note() -> None:
    found = _line_up("e:1", "a:1", e_1=Installed("e", chats=False), a_1=Installed("a"))
    assert [c.name for c in found.contenders] == ["a:1"]
    assert "e:1 cannot chat" in found.notes[0]


def test_what_is_not_installed_is_left_out_with_suggestions() -> None:
    found = _line_up("a:2", "b:1", a_1=Installed("a"), b_1=Installed("b"))
    assert [c.name for c in found.contenders] == ["b:1"]
    assert "'a:2' is not installed. Near it: a:1" in found.notes[0]
