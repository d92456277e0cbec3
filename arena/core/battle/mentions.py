"""Does a sentence tell who speaks by a name that nobody asked for, in whatever words?

It weighs what is said around the name: is it of who speaks, or to the reader, or of how something
came about, and not of other people and things? It does not know what was asked.
"""

import re
from functools import lru_cache
from itertools import pairwise

from arena.core.battle.claims import LIVES, NO_SPACES, Words, denies, tokens
from arena.core.battle.names import NAME, Name, Sort
from arena.core.battle.phrases import pattern

_NAMES = "speaker addressed reader birth made roles speech naming agents others may".split()
_TABLES = {name: Words(name) for name in _NAMES}
_WORD = re.compile(rf"(?:[^\W_{NO_SPACES}]+|[\u0900-\u0963\u0980-\u09e3']+)+")
_ELSEWHERE = re.compile(f"[\u0400-\u09ff\uac00-\ud7a3{NO_SPACES}]")
_PREDICATE = re.compile(rf"(?:{pattern('predicate')})\W*$")
_ARTICLE = re.compile(r"\b(?:the|le|la|el|il) $")
_GOES_ON = re.compile(r" ?[^\W\d]")
_SAYS = re.compile(r"(?:'s)? [\w ]{2,20}:")
_UNPARTED = re.compile(f"[{NO_SPACES}]")


@lru_cache(maxsize=512)
def mentions(name: Name, left: str, right: str, *, pair: bool) -> bool:
    """left, right: the sentence around the name, in lower case, with NAME for other names.
    pair: of these one is a model's, and one a maker's."""
    before, after = tokens(left), tokens(right)
    if left.count('"') % 2 or denies(before[-3:]):
        return False
    said = subjects(left + NAME + right)
    itself = not said.isdisjoint(("speaker", "addressed"))
    if "others" in said or (not itself and _any("may", before[-3:] + after[:3])):
        return False
    if _PREDICATE.search(right) and (pair or {"made", "roles"} <= said):
        return True
    if name.sort is Sort.WEAK:
        return itself and "roles" in said
    by = _any("agents", before[-1:])
    byline = by and not after and not itself and len(before) <= 4
    if name.sure or name.release or name.sort is Sort.LAB or pair:
        return itself or byline or not said.isdisjoint(("reader", "speech"))
    if name.makes:
        beside = before[-2 if by else -1 :] + after[:1]
        came = "birth" in said or {"made", "roles"} <= said or _any("roles", beside)
        return (came and (itself or "reader" in said)) or {"addressed", "made"} <= said
    foreign = name.text.isascii() and _ELSEWHERE.search(left + right)
    if foreign and not left.endswith(("(", "\uff08")):
        return itself or not said.isdisjoint(("reader", "speech"))
    if "roles" in said and (itself or "speech" in said):
        return True
    if _ARTICLE.search(left):
        return False
    tells = _GOES_ON.match(right) and _any("reader", after[:1])
    says = _SAYS.match(right) and "speech" in subjects(right.split(":", 1)[0])
    named = itself and _any("naming", before[-2:]) and not LIVES.match(right)
    made = "speech" in said and _any("made", before[-2:])
    return bool(byline or tells or says or named or made) or {"reader", "speech"} <= said


def subjects(sentence: str) -> frozenset[str]:
    """What it speaks of."""
    words = _WORD.findall(sentence)
    tables = frozenset().union(*map(_of, words), *map(_of, map("_".join, pairwise(words))))
    if _UNPARTED.search(sentence):
        tables |= {table for table, found in _UNSPACED.items() if found.search(sentence)}
    return tables


def _any(table: str, among: tuple[str, ...]) -> bool:
    return any(table in _of(word) for word in among)


@lru_cache(maxsize=4096)
def _of(word: str) -> frozenset[str]:
    """The tables that have this word."""
    return frozenset(table for table, listed in _TABLES.items() if word in listed)


_UNSPACED = {
    table: re.compile("|".join(w for w in listed.all if _UNPARTED.match(w)) or "(?!)")
    for table, listed in _TABLES.items()
}
