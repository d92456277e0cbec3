"""Personal data in texts that anybody may have written."""

from __future__ import annotations

import time

import pytest

from arena.core.errors import BadInput
from arena.exchange.personal import Finding, findings, masked, regions_of


def told(text: str, *regions: str) -> list[str]:
    return [f"{each.kind} {text[each.start : each.end]}" for each in findings(text, regions)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to a.b@mail.example.org.", "email a.b@mail.example.org"),
        ("Mine is 8.8.8.8.", "ip 8.8.8.8"),
        ("My box is 2001:4860:4860::8888.", "ip 2001:4860:4860::8888"),
        ("[2A00:1450:4001:81B:0:0:0:200E]:443", "ip 2A00:1450:4001:81B:0:0:0:200E"),
        ("At 2001:4860:4860::8888: it answers", "ip 2001:4860:4860::8888"),
        ("Net 2a00:1450::/32", "ip 2a00:1450::"),
        ("Pay DE89370400440532013000", "iban DE89370400440532013000"),
        ("Pay de89 3704 0044 0532 0130 00 is it", "iban de89 3704 0044 0532 0130 00"),
        ("no9386011117947 or less", "iban no9386011117947"),
        ("GB10 is not DE89 3704 0044 0532 0130 00", "iban DE89 3704 0044 0532 0130 00"),
        ("NL91\xa0ABNA\xa00417\xa01643\xa000", "iban NL91\xa0ABNA\xa00417\xa01643\xa000"),
        ("DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00", "iban"),
        ("DE89.3704.0044.0532.0130.00", "iban"),
        ("DE89  3704  0044\u20130532 0130 00", "iban"),
        ("4111 1111 1111 1111", "card 4111 1111 1111 1111"),
        ("4111\xa01111\u202f1111\u20091111", "card"),
        ("4111.1111.1111.1111", "card"),
        ("4111\u20131111\u20131111\u20131111", "card"),
        ("3782  822463  10005", "card"),
        ("4111 1111 1111 1111  12/27", "card 4111 1111 1111 1111"),
        ("4111 1111 1111 1111 123", "card 4111 1111 1111 1111"),
        ("Call +49 30 901820 now", "phone +49 30 901820"),
    ],
)
def test_what_may_be_about_a_person_is_found(text: str, found: str) -> None:
    assert told(text) == [found if " " in found else f"{found} {text}"]


@pytest.mark.parametrize(
    ("text", "regions", "found"),
    [
        ("Call me at (415) 555-2671.", ["US"], ["phone (415) 555-2671"]),
        ("Call 030 901820 or 0171-1234567", ["DE"], ["phone 030 901820", "phone 0171-1234567"]),
        ("030 901820, 020 7946 0958", ["DE", "GB"], ["phone 030 901820", "phone 020 7946 0958"]),
        (
            "0049 30 901820 and +1 415 555 2671",
            ["DE"],
            ["phone 0049 30 901820", "phone +1 415 555 2671"],
        ),
    ],
)
def test_a_number_without_a_country_is_a_telephone_where_regions_are_given(
    text: str, regions: list[str], found: list[str]
) -> None:
    assert told(text, *regions) == found
    assert len(told(text)) == text.count("+")


@pytest.mark.parametrize(
    "text",
    [
        "std::vector, ::add, dead::beef, 2::3, 2001:db8::1, fe80::1 and 12:30:45 on 2026:03:01",
        "Version 1.2.3.4.5, 192.168.0.1 and 300.1.1.1",
        "de89 3704 0044 0532 0130 01, ab12cd34ef56ab12cd34ef56 and DE89370400440532013000123",
        "In 2026 there were 1234567 votes on 250 000 rows, 3.14159265 and 2026-03-01 12:30",
        "4111 1111 1111 1112",
        "By 41.11 11.11 11.11 11.11 %, 0.41111111 1111.1111, 4.1.1.1.1.1.1.1.1.1.1.1.1.1.1.1",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert told(text, "DE", "US") == []


def test_what_was_found_is_masked_by_its_kind() -> None:
    text = "2001:4860:4860::8888, de89 3704 0044 0532 0130 00, 030 901820"
    assert masked(text, ["DE"]) == "[ip], [iban], [phone]"


def test_a_region_is_one_there_is() -> None:
    assert regions_of(["de", "GB"]) == ("DE", "GB")
    with pytest.raises(BadInput, match="no region 'XX'"):
        regions_of(["DE", "xx"])


def test_a_long_word_is_screened_at_once() -> None:
    """Each of its letters could begin an address."""
    word = "x" * 60_000
    began = time.perf_counter()
    assert findings(f"{word} a.b+c@mail.example.org") == [Finding("email", 60_001, 60_023)]
    assert time.perf_counter() - began < 5


@pytest.mark.untraced
@pytest.mark.parametrize("piece", ["de12 ", "de12 .", "2001:", "ab12", "1 ", "1111  ", "a:b::"])
def test_a_long_text_is_screened_in_time(piece: str) -> None:
    began = time.perf_counter()
    assert findings(piece * 10_000, ["DE"]) == []
    assert time.perf_counter() - began < 20
