"""What in a text may be about a person: addresses, numbers of telephones, accounts and cards.

Found, never judged: whoever publishes a text decides. Names of people it does not know.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn

from arena.core.errors import BadInput

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
BETWEEN = r"[ \t.\xa0\u2000-\u2015\u202f\u3000-]"
"""What people write between the groups of a number: blanks, dots, dashes."""
IBAN = re.compile(
    rf"\b(?=([A-Z]{{2}}\d{{2}}(?:{BETWEEN}{{0,2}}[A-Z0-9]){{11,30}}))", re.ASCII | re.IGNORECASE
)
"""Whatever one can begin with, as where it ends nothing but its check digits say."""
SHORTEST_IBAN = 15
CARDS = (
    re.compile(
        rf"(?<!\d)\d{{4}}{BETWEEN}{{1,2}}"
        rf"(?:(?:\d{{4}}{BETWEEN}{{1,2}}){{2}}\d{{4}}|\d{{6}}{BETWEEN}{{1,2}}\d{{4,5}})(?!\d)"
    ),
    re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"),
)
"""In the groups that are printed on them, and as anybody may write one."""
IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?!\d|\.\d)")
IPV6 = re.compile(r"(?<![\w:.])[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]++(?!\w)")
"""Of the only part that is given to anybody yet, 2000::/3; others are words of programs."""


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: email, iban, card, ip or phone; the characters from start to end of the text."""

    kind: str
    start: int
    end: int


def regions_of(names: Iterable[str]) -> tuple[str, ...]:
    """Raises BadInput for one that there is not."""
    regions = tuple(name.upper() for name in names)
    for region in regions:
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise BadInput(
                f"There is no region {region!r:.20}. Give each by the two letters of its country, "
                "such as DE."
            )
    return regions


def findings(text: str, regions: Sequence[str] = ()) -> list[Finding]:
    """In the order of the text; of two that overlap, the first kind. regions: where telephones
    are looked for as they are written there; elsewhere only with + and the country's number."""
    found: list[Finding] = []
    for each in _all(text, regions):
        if all(each.end <= other.start or each.start >= other.end for other in found):
            found.append(each)
    return sorted(found, key=lambda each: each.start)


def masked(text: str, regions: Sequence[str] = ()) -> str:
    """With the kind in the place of each."""
    for each in reversed(findings(text, regions)):
        text = f"{text[: each.start]}[{each.kind}]{text[each.end :]}"
    return text


def _all(text: str, regions: Sequence[str]) -> Iterator[Finding]:
    for match in EMAIL.finditer(text):
        yield Finding("email", *match.span())
    for match in IBAN.finditer(text):
        if end := _end_of_account(text, *match.span(1)):
            yield Finding("iban", match.start(), end)
    for card in CARDS:
        for match in card.finditer(text):
            if luhn.is_valid(re.sub(r"\D", "", match.group())):
                yield Finding("card", *match.span())
    for match in IP.finditer(text):
        if _public(match.group()):
            yield Finding("ip", *match.span())
    for match in IPV6.finditer(text):
        for address in (match.group(), match.group().rstrip(":")):
            if _public(address):
                yield Finding("ip", match.start(), match.start() + len(address))
    for region in regions or (None,):
        for number in phonenumbers.PhoneNumberMatcher(text, region):
            yield Finding("phone", number.start, number.end)


def _end_of_account(text: str, start: int, end: int) -> int:
    """Of the IBAN that starts there and ends with a word, at most at `end`; 0 where none does."""
    for at in range(end, start + SHORTEST_IBAN - 1, -1):
        ends_here = text[at - 1].isalnum() and not text[at : at + 1].isalnum()
        if ends_here and iban.is_valid(re.sub(r"\W", "", text[start:at])):
            return at
    return 0


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
