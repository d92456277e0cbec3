"""exclude as an operator runs it: what is out and why, and back again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.exchange.rows import filled, some_votes


def test_a_rater_and_some_votes_are_excluded_with_a_reason_and_included_again(
    run: Run, ledger: Path
) -> None:
    rows = some_votes()
    filled(ledger, rows)
    rater = next(row.rater for row in rows if row.rater and not row.excluded_reason)
    assert "Nothing is excluded" in run("exclude").out
    refused = run("exclude", "--rater", rater)
    assert refused.code == 1 and "--because" in refused.err
    assert run("exclude", "--rater", rater, "--because", "a [script]").code == 0
    (told,) = run("exclude", "--json").json
    assert (told["kind"], told["subject"], told["reason"]) == ("rater", rater, "a [script]")
    assert "a [script]" in run("exclude").out
    exported = [json.loads(line) for line in run("export", "--format", "jsonl").out.splitlines()]
    mine = {line["excluded_reason"] for line in exported if line["rater"] == rater}
    assert "operator" in mine and "" not in mine
    twice = run("exclude", "--rater", rater, "--because", "again")
    assert twice.code == 1 and "excluded already" in twice.err
    back = run("exclude", "--rater", rater, "--because", "a colleague", "--include", "--json")
    assert back.code == 0 and back.json == []
    history = run("exclude", "--history", "--json").json
    assert [each["excluded"] for each in history] == [True, False]
    assert run("verify").code == 0


def test_ballots_and_slices_are_excluded_as_they_are_and_unknown_ones_refused(
    run: Run, ledger: Path
) -> None:
    rows = some_votes()
    filled(ledger, rows)
    one = rows[0].ballot_id
    assert run("exclude", "--ballot", one, "--because", "twice").code == 0
    told = run("exclude", "--since", "2000-01-01", "--because", "a trial", "--json").json
    assert {each["subject"] for each in told} == {row.ballot_id for row in rows}
    assert {each["kind"] for each in told} == {"ballot"}
    unknown = run("exclude", "--ballot", "mine", "--because", "x")
    assert unknown.code == 1 and "no ballot 'mine'" in unknown.err
    assert "no vote of these" in run("exclude", "--rater", "nobody", "--because", "x").err
