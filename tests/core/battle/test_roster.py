"""The roster: from names, from TOML, and for the demonstration."""

from __future__ import annotations

import pytest

from arena.core.battle.roster import demo, of_models, parse
from arena.core.errors import ConfigError


def test_one_contender_a_model_named_like_it() -> None:
    assert [(c.name, c.model, c.system) for c in of_models(("a:1", "b:2"))] == [
        ("a:1", "a:1", ""),
        ("b:2", "b:2", ""),
    ]


def test_the_demonstration_differs_in_name_system_prompt_and_temperature() -> None:
    contenders = demo("tiny")
    assert {c.model for c in contenders} == {"tiny"}
    for what in ("name", "system"):
        assert len({getattr(c, what) for c in contenders}) == len(contenders) == 3
    assert len({c.options["temperature"] for c in contenders}) == 3
    assert all(c.system for c in contenders), "without one, a chat template may name the model"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[[contender]", "not valid TOML"),
        ("", "at least two"),
        ('[[contender]]\nname = "a"\nmodel = "a"', "at least two"),
        ('contender = "a"', "at least two"),
        ('[[contender]]\nname = "a"\n[[contender]]\nname = "b"', "name and a model"),
        ('[[contender]]\nname = "a"\nmodel = "x"\n[[contender]]\nname = "a"\nmodel = "y"', "same"),
        ('[[contender]]\nnome = "a"\n[[contender]]\nname = "b"', "only"),
        ('[[contender]]\nname = "a"\nmodel = "x"\nsystem = 3\n[[contender]]', "a: system"),
        ('[[contender]]\nname = "a"\nmodel = "x"\noptions = 3\n[[contender]]', "a: system"),
        (
            '[[contender]]\nname = "a"\nmodel = "x"\noptions = {seed = 2026-01-01}\n[[contender]]',
            "a: opt",
        ),
        (
            '[[contender]]\nname = "a"\nmodel = "x"\noptions = {seed = nan}\n[[contender]]',
            "a: options",
        ),
        (
            '[[contender]]\nname = "a"\nmodel = "x"\noptions = {num_predict = "9"}\n[[contender]]',
            "a: num_predict",
        ),
    ],
)
def test_a_roster_that_cannot_be_used_is_told_in_one_line(text: str, wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong) as caught:
        parse(text, "roster.toml")
    assert str(caught.value).startswith("ARENA_ROSTER=roster.toml: ")
    assert "\n" not in str(caught.value)
