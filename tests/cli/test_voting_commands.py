"""The commands about votes as a person or a script runs them: leaderboard, export, import."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from arena.exchange import receiving
from tests.cli.conftest import Run
from tests.exchange.rows import exported, filled, on_ledger, read, some_votes, vote
from tests.running import OURS, ROOT

HEADER = "model_a,model_b,winner"


def ids(ledger: Path) -> list[str]:
    return list(on_ledger(ledger, lambda ledger: ledger.votes(["id"]))["id"])


# leaderboard -----------------------------------------------------------------------------------


def test_without_votes_it_says_how_to_get_some(run: Run) -> None:
    shown = run("leaderboard")
    assert shown.code == 0 and "There are no votes yet. Play a battle" in shown.out


def test_the_table_has_ranks_ratings_and_what_is_left_out(run: Run, ledger: Path) -> None:
    filled(ledger, some_votes())
    shown = run("leaderboard")
    lines = [line for line in shown.out.splitlines() if line.startswith("│")]
    assert lines[0].split("│")[2].strip() == "x"
    assert "7 votes." in shown.out and "Open: the ranks" in shown.out and "Sure: how" in shown.out
    assert "Kept but not ranked: " in shown.out
    assert "1 identity" in shown.out and "1 superseded" in shown.out


@pytest.mark.parametrize("format", ["table", "json", "latex"])
def test_a_review_of_ties_that_are_left_out_is_told(run: Run, ledger: Path, format: str) -> None:
    pairs = enumerate(["xy", "xz", "yz"])
    filled(ledger, [vote(f"v{n}", a, b, "tie", ballot_id="v") for n, (a, b) in pairs])
    told = run("leaderboard", "--review", "--ties", "drop", "--format", format)
    assert told.code == 0 and told.out


def test_a_number_without_end_is_null_in_json(run: Run, ledger: Path) -> None:
    filled(ledger, [vote("v1", "x", "y", "tie")])
    (pair,) = run("leaderboard", "--format", "json").json["neighbours"]
    assert (pair["gap"], pair["battles_to_settle"]) == (0, None)


def test_a_review_is_told_of_the_ledger_and_of_a_file_alike(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    assert "There are no votes yet" in run("leaderboard", "--review").out
    unique = [hashlib.sha256(row.id.encode()).hexdigest() for row in some_votes()]
    filled(ledger, [replace(row, id=id) for row, id in zip(some_votes(), unique, strict=True)])
    assert "channel is 'fax'" in run("leaderboard", "--channel", "fax").err
    english = ("--rater", "r1", "--language", "English")
    told = run("leaderboard", "--review", "--format", "json", *english).json
    assert told["votes"] == 2 and told["review"]["fragility"]
    whole = run("leaderboard", "--review", "--format", "json").json
    run("export", "--format", "jsonl", "--output", tmp_path / "votes.jsonl")
    file = "--votes", tmp_path / "votes.jsonl"
    assert run("leaderboard", "--review", "--format", "json", *file).json == whole
    assert "not corrected" in run("leaderboard", "--review", "--order").out


@pytest.mark.parametrize("columns", [30, 60, 92, 200])
def test_the_table_fits_any_terminal(run: Run, ledger: Path, columns: int) -> None:
    long = "a-contender-with-a-name-of-some-length:70b-instruct-q4_K_M"
    filled(ledger, [vote("v1", long, "[bold]y[/bold]"), vote("v2", "p", "q", "tie")])
    shown = run("leaderboard", columns=columns)
    assert shown.code == 0 and max(map(len, shown.out.splitlines())) <= columns
    assert long in "".join(shown.out.split()).replace("│", "") or columns < 92
    assert "Rating" in shown.out


def test_contenders_that_never_met_are_not_compared(run: Run, ledger: Path) -> None:
    filled(ledger, [vote("v1", "x", "y"), vote("v2", "p", "q"), vote("v3", "x", "y", "tie")])
    shown = run("leaderboard")
    assert "2 groups never met" in shown.out and "x, y; p, q" in shown.out


def test_when_nothing_is_ranked_it_says_why(run: Run, ledger: Path) -> None:
    filled(ledger, [vote(excluded_reason="rehearsal")])
    shown = run("leaderboard")
    assert (
        shown.code == 0
        and "No vote counts here yet. Kept but not ranked: 1 rehearsal." in shown.out
    )
    shown = run("leaderboard", "--topic", "no such topic")
    assert shown.code == 0 and "No vote is in this slice" in shown.out


def test_json_carries_everything(run: Run, ledger: Path) -> None:
    filled(ledger, some_votes())
    told = run("leaderboard", "--format", "json", "--since", "2020-01-01", "--bad", "drop").json
    assert told["votes"] == 7 and told["excluded"] == {"identity": 1, "superseded": 1}
    assert told["slice"]["since"] == "2020-01-01T00:00:00+00:00" and told["method"]["bad"] == "drop"
    first = told["standings"][0]
    assert first.keys() >= {
        "contender",
        "rating",
        "lower",
        "upper",
        "rank",
        "rank_best",
        "rank_worst",
        "votes",
        "wins",
        "losses",
        "ties",
        "both_bad",
        "group",
    }
    assert first["contender"] == "x" and first["lower"] < first["rating"] < first["upper"]
    assert isinstance(told["neighbours"], list) and told["effects"] == []


def test_csv_is_read_by_scripts_and_runs_no_formula(run: Run, ledger: Path) -> None:
    filled(ledger, [vote(a="=1+1", b="y")])
    rows = list(csv.DictReader(io.StringIO(run("leaderboard", "--format", "csv").out)))
    assert [row["contender"] for row in rows] == ["'=1+1", "y"] and float(rows[0]["rating"]) > 1000


def test_latex_is_the_table_for_papers(run: Run, ledger: Path) -> None:
    filled(ledger, [vote(a="x_1")])
    assert r"\toprule" in run("leaderboard", "--format", "latex").out
    assert r"x\_1" in run("export", "--format", "latex").out


def test_a_file_is_ranked_without_being_imported(run: Run, ledger: Path, tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_text(f"rater,{HEADER}\nr1,x,y,model_a\nr2,y,x,model_b\nr1,x,y,tie\n")
    told = run("leaderboard", "--votes", file, "--format", "json", "--rater", "r1").json
    assert told["votes"] == 2 and not ledger.exists()
    file.write_text(f"{HEADER}\nx,y,oops\n")
    shown = run("leaderboard", "--votes", file)
    assert shown.code == 1 and "line 2: winner is 'oops'" in shown.err


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (("--since", "soon"), "soon is no time"),
        (("--since", "2026-01-02", "--until", "2026-01-01"), "holds no time"),
        (("--anchor", "nobody"), "No votes rate 'nobody'"),
        (("--votes", "not-there.csv"), "There is no file"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    run: Run, ledger: Path, wrong: tuple[str, ...], why: str
) -> None:
    filled(ledger, [vote()])
    shown = run("leaderboard", *wrong)
    assert shown.code == 1 and shown.out == "" and why in shown.err


def test_style_and_order_correct_the_ratings(run: Run, ledger: Path) -> None:
    def counts(a: int, b: int) -> dict[str, int]:
        sides = {
            f"{what}_{side}": n
            for what in ("header_count", "list_count", "bold_count")
            for side, n in (("a", a), ("b", b))
        }
        return sides | {
            "sum_assistant_a_tokens": 50 + a,
            "sum_assistant_b_tokens": 50 + b,
            "turns": 1,
        }

    rows = [
        vote(
            f"v{n}",
            *("xyz"[n % 3], "xyz"[(n + 1) % 3]),
            ("model_a", "model_b")[n % 5 < 2],
            conv_metadata=counts(n % 7, n % 4),
        )
        for n in range(60)
    ]
    filled(ledger, rows)
    told = run("leaderboard", "--style", "--order", "--format", "json").json
    assert told["covariates"] == ["length", "header", "bold", "list", "seat", "incumbent"]
    assert told["effects"] and told["votes"] == 60
    assert "Corrected for what is worth, in points: length " in run("leaderboard", "--style").out


# export ----------------------------------------------------------------------------------------


def test_votes_go_to_the_standard_output_as_csv(run: Run, ledger: Path) -> None:
    filled(ledger, some_votes())
    shown = run("export", "--rater", "r2")
    assert shown.code == 0 and shown.err == ""
    assert [row["id"] for row in csv.DictReader(io.StringIO(shown.out))] == ["v2", "v7"]
    assert len(run("export", "--format", "dpo").out.splitlines()) == 5


def test_a_file_is_written_whole_or_not_at_all(run: Run, ledger: Path, tmp_path: Path) -> None:
    filled(ledger, some_votes())
    folder = tmp_path / "out"
    folder.mkdir()
    file = folder / "votes.parquet"
    shown = run("export", "--format", "parquet", "--strict", "--output", file)
    assert shown.code == 0 and "Written: " in shown.err
    assert len(pd.read_parquet(file)) == 7
    before = file.read_bytes()
    ledger.write_bytes(b"no database at all" * 100)
    shown = run("export", "--format", "parquet", "--output", file)
    assert shown.code == 1 and file.read_bytes() == before and list(folder.iterdir()) == [file]


def test_a_place_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere" / "votes.csv", tmp_path):
        shown = run("export", "--output", place)
        assert shown.code == 1 and "cannot be written" in shown.err


def test_a_device_is_written_to_and_stays_one(run: Run, ledger: Path) -> None:
    filled(ledger, some_votes())
    assert run("export", "--output", os.devnull).code == 0
    assert not Path(os.devnull).is_file()


# import ----------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "pilot.csv"
    file.write_text(f"{HEADER}\nx,y,model_a\ny,x,tie\n")
    return file


def test_votes_are_imported_once(run: Run, ledger: Path, file: Path) -> None:
    shown = run("import", file)
    assert shown.code == 0 and "2 votes imported." in shown.out
    shown = run("import", file, "--study", "again")
    assert shown.code == 1 and "here already" in shown.err
    assert len(ids(ledger)) == 2
    assert (
        run("leaderboard", "--format", "json", "--study", "pilot", "--channel", "import").json[
            "votes"
        ]
        == 2
    )


NUMBERED = "id,battle_id,ballot_id,supersedes"
BATTLES = "1,1,1,,x,y,{0}\n2,1,2,1,x,y,model_b\n3,2,3,,x,y,{0}\n"


@pytest.mark.parametrize("numbers", ["id,", "battle_id,", "evaluation_session_id,"])
def test_votes_that_two_sources_number_alike_are_others(
    run: Run, ledger: Path, tmp_path: Path, numbers: str
) -> None:
    files = [tmp_path / name for name in ("lab-a.csv", "lab-b.csv", "copy.csv", "longer.csv")]
    for file, winner in zip(files, ("model_a", "tie", "tie", "tie"), strict=True):
        file.write_text(f"{numbers}{HEADER}\n1,x,y,{winner}\n2,x,z,{winner}\n")
    lab_a, lab_b, copy, longer = files
    assert "2 votes imported." in run("import", lab_a).out
    assert "2 votes imported." in run("import", lab_b).out
    votes = on_ledger(ledger, lambda ledger: ledger.votes(["battle_id", "ballot_id", "seat_a"]))
    assert votes["battle_id"].nunique() == votes["ballot_id"].nunique() == 4
    assert set(votes["seat_a"]) == {"A"}
    own = tmp_path / "own.jsonl"
    own.write_bytes(exported(ledger, "jsonl"))
    longer.write_text(f"{lab_b.read_text()}3,x,y,tie\n")
    for again in ([lab_a], [copy], [longer, "--study", "lab-b"], [own], [own, "--study", "new"]):
        for dry in ([], ["--dry-run"]):
            assert "here already" in run("import", *again, *dry).err
    assert len(ids(ledger)) == 4


def test_a_vote_is_taken_out_or_back_with_its_own_ballot_alone(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    for name, winner in (("lab-a", "model_a"), ("lab-b", "tie")):
        file = tmp_path / f"{name}.csv"
        file.write_text(f"{NUMBERED},{HEADER}\n{BATTLES.format(winner)}")
    assert "6 votes imported." in run("import", *sorted(tmp_path.glob("lab-*.csv"))).out
    assert run("leaderboard", "--format", "json").json["votes"] == 4
    assert run("exclude", "--study", "lab-b", "--because", "a trial").code == 0
    told = run("leaderboard", "--format", "json").json
    assert (told["votes"], told["excluded"]["operator"]) == (2, 2)


def test_votes_that_an_earlier_release_took_in_by_their_bare_numbers_are_here_already(
    run: Run, ledger: Path, tmp_path: Path
) -> None:
    file = tmp_path / "lab-a.csv"
    file.write_text(f"{NUMBERED},{HEADER}\n{BATTLES.format('model_a')}")
    bare = [
        {name: getattr(row, name).rpartition("/")[2] for name in ("id", *receiving.NAMES)}
        for row in read(file)
    ]
    assert [names["id"] for names in bare] == ["1", "2", "3"]
    filled(ledger, [replace(r, **names) for r, names in zip(read(file), bare, strict=True)])
    for dry in ([], ["--dry-run"]):
        refused = run("import", file, *dry).err
        assert "here already" in refused and "line 2\n  line 3\n  line 4" in refused
    other = tmp_path / "lab-b.csv"
    other.write_bytes(file.read_bytes() + b"4,3,4,,y,x,tie\n")
    assert "4 votes imported." in run("import", other).out


def test_a_dry_run_writes_nothing(run: Run, ledger: Path, file: Path) -> None:
    shown = run("import", "--dry-run", file)
    assert shown.code == 0 and "2 votes can be read. Nothing was written." in shown.out
    assert not ledger.exists()


def test_a_dry_run_refuses_what_the_import_would(run: Run, ledger: Path, file: Path) -> None:
    filled(ledger, some_votes())
    assert "2 votes can be read. Nothing was written." in run("import", "--dry-run", file).out
    assert run("import", file).code == 0
    again = file.with_name("again.jsonl")
    again.write_bytes(exported(ledger, "jsonl"))
    for known in (file, again):
        tried, real = run("import", "--dry-run", known), run("import", known)
        assert tried.code == real.code == 1 and "here already" in tried.err
        assert tried.err == real.err and not tried.out
    assert len(ids(ledger)) == 11


def test_of_several_files_all_are_imported_or_none(run: Run, ledger: Path, file: Path) -> None:
    other = file.with_name("other.jsonl")
    other.write_text('{"model_a": "x", "model_b": "z", "winner": "won"}\n')
    shown = run("import", file, other)
    assert shown.code == 1 and "1 row of 3 in pilot.csv, other.jsonl cannot be read" in shown.err
    assert "other.jsonl, line 1: winner is 'won'" in shown.err and not ids(ledger)
    other.write_text('{"model_a": "x", "model_b": "z", "winner": "model_b"}\n')
    assert "3 votes imported." in run("import", file, other).out
    third = file.with_name("third.csv")
    third.write_text(f"{HEADER}\nx,y,model_b\n")
    shown = run("import", third, file)
    assert shown.code == 1 and "pilot.csv, line 2\n  pilot.csv, line 3" in shown.err
    assert len(ids(ledger)) == 3


def test_an_export_is_imported_into_another_ledger_with_the_same_standings(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(ledger, some_votes())
    file = tmp_path / "votes.jsonl"
    file.write_bytes(exported(ledger, "jsonl"))
    before = run("leaderboard", "--format", "json").json
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert "9 votes imported." in run("import", file).out
    after = run("leaderboard", "--format", "json").json
    assert after == before and after["votes"] == 7


def test_images_go_along_with_the_votes_that_name_them_and_come_back(
    run: Run, ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, unnamed = (b"\xff\xd8\xff" + text for text in (b"seen", b"never voted on"))
    digests = {hashlib.sha256(image).hexdigest(): image for image in (seen, unnamed)}
    named, gone = next(iter(digests)), "0" * 64
    filled(
        ledger, [vote("v1", "x", "y", images=[named, gone]), vote("v2", "x", "z", images=["../x"])]
    )
    on_ledger(ledger, lambda ledger: ledger.keep_images(digests))
    file, folder = tmp_path / "votes.csv", tmp_path / "seen"
    shown = run("export", "--output", file, "--images", folder)
    assert shown.code == 0 and "Images written: 1" in shown.err and "no longer kept: 2" in shown.err
    assert [(each.name, each.read_bytes()) for each in folder.iterdir()] == [(f"{named}.jpg", seen)]
    assert run("export", "--format", "latex", "--images", folder).code == 1

    other = tmp_path / "other.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{other}")
    assert "no folder" in run("import", file, "--images", file).err
    (folder / f"{gone}.jpg").write_bytes(seen)
    assert f"{gone}.jpg is not the image" in run("import", file, "--images", folder).err
    (folder / f"{gone}.jpg").unlink()
    assert "Images: 1 of 3" in run("import", file, "--images", folder).out
    assert on_ledger(other, lambda ledger: ledger.images([named, gone])) == {named: seen}
    assert len(ids(other)) == 2


def test_a_name_cannot_steer_the_terminal(run: Run, ledger: Path) -> None:
    filled(ledger, [vote(model_a="red\x1b[31m", model_b="y")])
    shown = run("leaderboard").out
    assert "red\N{REPLACEMENT CHARACTER}[31m" in shown and "\x1b" not in shown


def test_votes_that_tell_nothing_are_not_called_none(run: Run, file: Path) -> None:
    file.write_text(f"{HEADER}\nx,y,tie\ny,x,both_bad\n")
    shown = run("leaderboard", "--votes", file, "--ties", "drop", "--bad", "drop")
    assert shown.code == 0 and "None of 2 votes tells who is better" in shown.out


@pytest.mark.slow
def test_a_full_disk_is_one_line(ledger: Path) -> None:
    settings = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    filled(ledger, [vote(model_a="x", model_b="y")])
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "arena", "leaderboard", "--format", "csv"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=settings | {"DATABASE_URL": f"sqlite:///{ledger}"},
            check=False,
        )
    assert done.returncode == 1 and done.stderr.startswith("There is no room left")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_the_commands_are_explained(run: Run) -> None:
    for command in ("leaderboard", "export", "import"):
        shown = run(command, "--help")
        assert shown.code == 0 and "usage: " in shown.out
    assert run("import").code == 2 and run("export", "--format", "xlsx").code == 2
