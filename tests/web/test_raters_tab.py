"""The Raters tab: what operators excluded and why, and what an audit found."""

from __future__ import annotations

from datetime import UTC, datetime

from arena.core.audit.search import Finding, Report
from arena.core.ports import RATER, Exclusion
from arena.play.audits import Audit, Move
from arena.web import raters_tab
from arena.web.words import WORDS

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_it_tells_what_is_excluded_now_and_why_and_nothing_of_what_was_included_again() -> None:
    out = Exclusion(RATER, "0f3a", True, "a <script>", NOW)
    drawn = raters_tab.draw([out, Exclusion(RATER, "77", True, "gone", NOW)], None)
    assert "0f3a" in drawn and "a &lt;script&gt;" in drawn and "<script>" not in drawn
    back = [out, Exclusion(RATER, "0f3a", False, "a colleague", NOW)]
    assert "0f3a" not in raters_tab.draw(back, None)


def test_findings_are_told_in_every_language_with_the_ranks_without_them() -> None:
    report = Report((Finding("0f3a", "for", "<b>", 9.3, 60),), 12, 340, 0.5)
    for words in WORDS.values():
        drawn = raters_tab.draw([], Audit(report, (Move("phi3", 2, 1),)), words)
        assert "&lt;b&gt;" in drawn and "phi3" in drawn and "10<sup>9</sup>" in drawn
        nothing = raters_tab.draw([], Audit(Report((), 0, 0, 0.0), ()), words)
        assert words("raters.nothing") in nothing and "5" not in nothing
    none = raters_tab.draw([], Audit(Report((), 12, 340, 0.5), ()))
    assert "Nobody stands out" in none
