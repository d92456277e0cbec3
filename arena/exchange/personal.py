"""What in a text may be about a person: addresses, numbers of telephones, accounts and cards.

Found, never judged: whoever publishes a text decides. Names of people it does not know.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass

import phonenumbers
from stdnum import iban, luhn

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
CARD = re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)")
IP = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")


@dataclass(frozen=True, slots=True)
class Finding:
    """kind: email, iban, card, ip or phone; the characters from start to end of the text."""

    kind: str
    start: int
    end: int


def findings(text: str) -> list[Finding]:
    """In the order of the text; of two that overlap, the first kind."""
    found: list[Finding] = []
    for each in _all(text):
        if all(each.end <= other.start or each.start >= other.end for other in found):
            found.append(each)
    return sorted(found, key=lambda each: each.start)


def masked(text: str) -> str:
    """With the kind in the place of each."""
    for each in reversed(findings(text)):
        text = f"{text[: each.start]}[{each.kind}]{text[each.end :]}"
    return text


def _all(text: str) -> Iterator[Finding]:
    for match in EMAIL.finditer(text):
        yield Finding("email", *match.span())
    for match in IBAN.finditer(text):
        if iban.is_valid(match.group()):
            yield Finding("iban", *match.span())
    for match in CARD.finditer(text):
        if luhn.is_valid(re.sub(r"\D", "", match.group())):
            yield Finding("card", *match.span())
    for match in IP.finditer(text):
        if _public(match.group()):
            yield Finding("ip", *match.span())
    for number in phonenumbers.PhoneNumberMatcher(text, None):
        yield Finding("phone", number.start, number.end)


def _public(text: str) -> bool:
    try:
        return ipaddress.ip_address(text).is_global
    except ValueError:
        return False
