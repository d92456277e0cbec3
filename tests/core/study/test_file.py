"""A study's file: what it says, and every fault with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from arena.core.battle.entities import Contender
from arena.core.study.faults import FaultyStudy
from arena.core.study.file import Row, parse, prompts_of, with_roster
from arena.core.study.written import Written, answers, elsewhere, owed

TEMPLATE = Path(__file__).parents[3] / "arena" / "cli" / "study" / "template.toml"
ROWS: list[Row] = [
    ("prompts.csv, line 2", {"id": "night", "prompt": "Why?", "turns": '["Shorter."]'}, ""),
    ("prompts.csv, line 3", {"prompt": "How?", "topic": "law", "system": "Be brief."}, ""),
]


def faults(text: str, rows: list[Row] = ROWS) -> list[str]:
    with pytest.raises(FaultyStudy) as told:
        parse(text, "study.toml", rows)
    return [str(fault) for fault in told.value.faults]


def test_the_file_that_init_writes_is_a_study_as_it_is() -> None:
    text = TEMPLATE.read_text("utf-8")
    assert prompts_of(text, "study.toml") == ("prompts.csv", "study.toml, line 4")
    study = parse(text, "study.toml", ROWS)
    assert [(i.id, i.turns, i.topic) for i in study.items] == [
        ("night", ("Why?", "Shorter."), ""),
        ("2", ("How?",), "law"),
    ]
    assert (study.battles, study.needed, study.after.reasons[0]) == (6, 3, "correct")
    assert study.practice and len(study.attention) == 1
    known = with_roster(study, [Contender("phi3:mini", "phi3:mini", "Be kind.")])
    assert [c.system for c in known.contenders] == ["", "", "Be kind."]


def test_every_fault_is_told_with_its_line() -> None:
    text = """name = "a b"
prompts = "prompts.csv"
contenders = ["x"]
sizes = 2

[texts]
consent = \"\"\"
size = 9
\"\"\"
end = 3

[[attention]]
prompt = "?"
good = "yes"
bad = "no"

[[attention]]
prompt = "?"
good = "yes"
"""
    rows: list[Row] = [
        ("p.csv, line 2", {"prompt": "Why?", "id": "a"}, ""),
        ("p.csv, line 3", {"prompt": "Why?", "id": "a"}, ""),
        ("p.csv, line 4", {"prompt": " "}, ""),
        ("p.csv, line 5", None, "The row is short."),
        ("p.csv, line 6", {"prompt": "Why?", "turns": "Shorter."}, ""),
        ("p.csv, line 7", {"prompt": "Why?", "image": ["1", "2", "3", "4"]}, ""),
        ("p.csv, line 8", {"prompt": "Why?", "id": "a\0b"}, ""),
        ("p.csv, line 9", {"id;prompt": "a;Why?"}, ""),
        ("p.csv, line 10", {"prompt": "Why?", "topic": {"a": 1}}, ""),
        ("p.csv, line 11", {"prompt": "Why?", "topic": 3}, ""),
    ]
    assert [fault.split(": ")[0] for fault in faults(text, rows)] == [
        *("study.toml, line 4", "study.toml, line 1", "study.toml, line 10"),
        *("study.toml, line 17", "study.toml, line 3"),
        *(f"p.csv, line {n}" for n in range(3, 11)),
    ]


def test_a_file_that_is_no_toml_and_one_that_lacks_what_is_needed_are_told() -> None:
    assert "study.toml, line 2: This is not valid TOML" in faults('name = "x"\nprompts = \n')[0]
    assert {fault.split(": ")[1] for fault in faults("size = 2")} == {
        "name is missing.",
        "prompts is missing.",
        "contenders is missing.",
    }
    (none,) = faults('name="x"\nprompts="p"\ncontenders=["a","b"]', [])
    assert none == "study.toml, line 2: There is no prompt in it."


NEEDED = 'name = "x"\nprompts = "p"\ncontenders = ["a", "b"]\n'


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (NEEDED.replace('"a", "b"', ""), 3, "2 contenders make a battle; 0 are named."),
        (f"{NEEDED}raters_per_prompt = 2\nraters_per_pair = 3\n", 5, "a prompt is judged by 2"),
        (f"{NEEDED}after.grade = 5\n", 4, "grade is not known"),
        (f"{NEEDED}after = {{ grades = 50 }}\n", 4, "grades is a whole number"),
        (f'{NEEDED}"size" = 99\n', 4, "size is a whole number"),
        (f"{NEEDED}['texts']\n\n'end' = 3\n", 6, "end is a text"),
        (f'{NEEDED}[completion]\npass = ["PID", "rater"]\n', 5, "rater is a column"),
        (f'{NEEDED}[completion]\npass = ["kappa"]\n', 5, "kappa is a column"),
        (f'{NEEDED}[completion]\nlink = "https://"\n', 5, "link is an address"),
        (f'{NEEDED}[after]\nmarks = ["", "x"]\n', 5, "of 1 to 80 characters"),
        (
            NEEDED + '[[practice]]\nprompt = "?"\ngood = "1"\nbad = "2"\n' * 2,
            8,
            "There is one practice battle",
        ),
    ],
)
def test_what_a_study_cannot_be_is_a_fault_of_its_line(text: str, line: int, said: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"study.toml, line {line}: ") and said in fault


def test_answers_from_elsewhere_are_taken_turn_by_turn_and_their_faults_told() -> None:
    study = parse(TEMPLATE.read_text("utf-8"), "study.toml", ROWS)
    name = study.contenders[0].name
    rows: list[Row] = [
        ("a.csv, line 2", {"prompt_id": "night", "contender": name, "reply": "Dust."}, ""),
        ("a.csv, line 3", {"prompt_id": "night", "contender": name, "reply": "2", "turn": 2}, ""),
        ("a.csv, line 4", {"prompt_id": "day", "contender": name, "reply": "No."}, ""),
        ("a.csv, line 5", {"prompt_id": "2", "contender": "who", "reply": "No."}, ""),
        ("a.csv, line 6", {"prompt_id": "2", "contender": name, "reply": ""}, ""),
        ("a.csv, line 7", {"prompt_id": "night", "contender": name, "reply": "Twice."}, ""),
    ]
    made, wrong = answers(study, rows)
    night = study.by_id["night"]
    assert made == [Written("night", name, night.asked, (elsewhere("Dust."), elsewhere("2")))]
    assert [fault.place for fault in wrong] == [f"a.csv, line {n}" for n in (4, 5, 6, 7)]
    _, (lacking,) = answers(study, [("a.csv, line 2", {"prompt": "night", "reply": "?"}, "")])
    assert str(lacking) == "a.csv, line 2: There is no column prompt_id, contender."
    assert len(owed(study, made)) == 5


@pytest.mark.parametrize("turn", ["first", [1], float("inf")])
def test_a_turn_that_is_no_number_is_a_fault_and_no_error(turn: object) -> None:
    study = parse(TEMPLATE.read_text("utf-8"), "study.toml", ROWS)
    name = study.contenders[0].name
    row = {"prompt_id": "night", "contender": name, "reply": "Dust.", "turn": turn}
    made, (wrong,) = answers(study, [("a.jsonl, line 1", row, "")])
    assert not made and str(wrong).startswith("a.jsonl, line 1: turn is ")
