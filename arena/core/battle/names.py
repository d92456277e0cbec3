"""Where a text has the name of a model or of a maker, however it is dressed up.

Letters of other alphabets that look alike, digits for letters, spaced letters, invisible
characters and formatting are seen through. It does not know what is said about a name.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from html import unescape

from arena.core.battle.phrases import words

NAME = "\ue000"
"""What stands for each name in a text in which they were found."""

ALPHABETS = r"A-Za-z0-9\u00c0-\u04ff\u05d0-\u05ea\u0620-\u06ff\u0900-\u0963\u0980-\u09e3"
"""Letters, for a class of a pattern, of scripts that part words by spaces."""

Sort = Enum("Sort", "RARE FAMOUS WORD WEAK MAKER LAB")
"""LAB: a maker of nothing but models."""

_VERSIONED = ("llama", "mistral", "gemma", "phi-3", "phi3", "phi-4", "phi4", "claude", "granite-")
"""Words that mean a model where a version follows."""

_UNSEEN = re.compile(
    "[\u0300-\u036f\u00ad\u034f\u061c\u0640\u064b-\u0655\u0670\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\ufe00-\ufe0f\ufeff\U000e0000-\U000e01ef]"
)
_FORMATTING = re.compile(
    r"~~[^~\n]+~~|[*`]+|~{2,}|(?<![^\W_])_+|_+(?![^\W_])|</?(?:b|i|em|strong|u|span|mark)>"
)
_SPACED = re.compile(r"(?<![^\W_])(?:[^\W_][ .·•|-]{1,2}){2,}[^\W_](?![^\W_])")
_SPREAD = re.compile(r"[ .·•|-][^\W_][ .·•|-]{1,2}[^\W_](?![^\W_])")
_ODD = r"\u0250-\u02af\u0370-\u058f\u13a0-\u13ff\u1d00-\u1d7f\ua730-\ua7ff"
_MASK = re.compile(
    rf"[0-9@$|!{_ODD}](?:(?<=[{_ODD}])|(?<=[A-Za-z].)[0-9@$|!]*[A-Za-z]|(?<=[a-z]{{2}}.)(?!\w|\.\w)|(?<![A-Za-z0-9].)[A-Za-z]{{2}})"
)
_MASKED = re.compile(rf"[A-Za-z]*[0-9@$|!{_ODD}][\w@$|!]*")
_ELSEWHERE = re.compile("[\u0400-\u09ff\u3040-\u9fff\uac00-\ud7a3]")
_LOOK_ALIKE = {ord(pair[0]): pair[1] for pair in words("look_alike")}
_LETTERS = {letter: like for letter, like in _LOOK_ALIKE.items() if letter > 127}
_ALONE, _ASCII = frozenset("ΙІӀ"), re.compile("[A-Za-z]")
_DRESSED = str.maketrans("Ϲϲ", "Cc") | {
    first + n: chr(65 + n) for first in (0x1F150, 0x1F170) for n in range(26)
}
"""Letters that are not, or not to what they look like, turned when they are decomposed."""
_BEFORE_NAMES = ("by", "von", "par", "por", "pela", "pelo", "oleh", "the", "I'm", "am", "is")
_NAMED = re.compile(
    rf" (?:{'|'.join(f'(?<={word} )' for word in _BEFORE_NAMES)})[A-Z]\w|我[是叫由]"
)
_SLOPPY = re.compile(
    r"(?:^|\W)(?:i(?:'m| am|m)|name is|call me) $|(?:assistant|model|bot)[\"']?\s?[:=]\s?[\"']?$"
)
"""After this a name may be written small."""
_BEGINNING = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z]+|01)")
_LATIN = re.compile(r"ai2\d?|g42|(?:z|x|01)\.ai|[a-z]+")
_MODEL_WORDS = ("model", "modèle", "modelo", "assist", "asist", "sprachmodell", "ki-", "ai", "ia")
_FOLLOWING = re.compile(r" ([A-ZА-Я][a-zа-я]+)")
_JOINTS = str.maketrans("", "", " .-")
SHORTEST_MASK = 3


@dataclass(frozen=True, slots=True)
class Name:
    """`end` is where it ends in the text."""

    sort: Sort
    text: str
    versioned: bool
    end: int = field(compare=False)

    @property
    def sure(self) -> bool:
        """It is a model's, and no word, person or star."""
        return self.sort in (Sort.FAMOUS, Sort.RARE)

    @property
    def makes(self) -> bool:
        """It is a maker's."""
        return self.sort in (Sort.MAKER, Sort.LAB)

    @property
    def ordinary(self) -> bool:
        """It is a word or somebody's name too."""
        return self.sort in (Sort.WORD, Sort.WEAK)

    @property
    def release(self) -> bool:
        """It has a version as only models have it."""
        return self.versioned and self.text.startswith(_VERSIONED)


def plain(text: str) -> str:
    """Without accents and what is not seen."""
    if text.isascii():
        return text
    text = _UNSEEN.sub("", unicodedata.normalize("NFKD", text.translate(_DRESSED)))
    for signs, sign in (("‘’ʼ", "'"), ("“”„«»", '"'), ("–—―", "-")):
        for each in signs:
            text = text.replace(each, sign)
    return unicodedata.normalize("NFC", text)


def families_of(models: Iterable[str], contenders: Iterable[str] = ()) -> frozenset[str]:
    """What gives these models away, but for what everybody knows: the words in the models' names
    that say who they are, and the contenders' names as they are."""
    ends = [model.lower().rsplit("/", 1)[-1] for model in models]
    words = {word for end in ends for word in _LATIN.findall(end)}
    words |= {"_".join(_LATIN.findall(name.lower())) for name in contenders}
    return frozenset(word for word in words - _GENERIC - _STEMS if len(word) > 2)


class Names:
    """families: names of models, beside those that everybody knows; see `families_of`."""

    def __init__(self, families: frozenset[str] = frozenset()) -> None:
        self._sorts = {name.replace("_", ""): Sort.WORD for name in families} | _SORTS
        self._stems, self._begins = _STEMS | _stems(families), _BEGINS | _begins(families)
        self._skeletons = _skeletons(families) | _SKELETONS
        self._patterns = [_pattern_of(()), *([_pattern_of(tuple(families))] if families else [])]

    def normal(self, text: str) -> str:
        """The text as it reads: without formatting, in the letters that are meant."""
        text = plain(unescape(text) if "&" in text else text)
        if any(sign in text for sign in "*_~`<"):
            text = _FORMATTING.sub("", text)
        if _SPREAD.search(text):
            text = _SPACED.sub(self._joined, text)
        return _MASKED.sub(self._unmasked, text) if _MASK.search(text) else text

    def suspects(self, text: str) -> bool:
        """Something in a normal text may be a name; quick."""
        if not self._stems.isdisjoint(_LATIN.findall(text.lower())) or _NAMED.search(text):
            return True
        return bool(_ELSEWHERE.search(text) and _ANY_FOREIGN.search(text.lower()))

    def marked(self, text: str) -> tuple[str, list[Name]]:
        """A normal text with NAME for each name that is written as one, and these names."""
        names: list[Name] = []
        parts, end = [], 0
        starts = {m.start() for m in _BEGINNING.finditer(text) if m.group().lower() in self._begins}
        if _ELSEWHERE.search(text):
            starts |= {m.start() for m in _ANY_FOREIGN.finditer(text.lower())}
        for start in sorted(starts):
            tried = (p.match(text, start) for p in self._patterns if start >= end)
            found = next(filter(None, tried), None)
            if found and (name := self._named(found)):
                names.append(name)
                parts += [text[end:start], NAME]
                end = found.end()
        return "".join([*parts, text[end:]]), names

    def _joined(self, found: re.Match[str]) -> str:
        """Spaced letters as a word, if they spell a name."""
        letters = re.sub(r"[ .·•|-]", "", found.group())
        key = _skeleton(letters)
        longest = max((s for s in self._skeletons if key.endswith(s)), key=len, default="")
        if longest:
            return f"{letters[: -len(longest)]} {self._skeletons[longest].title()}".strip()
        return found.group()

    def _unmasked(self, found: re.Match[str]) -> str:
        """A word with digits or other letters in it, as the name that it looks like."""
        word = found.group()
        core = word.rstrip("0123456789|!")
        if word in _ALONE:
            return "I"
        for part in (word,) if core.isascii() and core.isalpha() else (word, core):
            if name := self._skeletons.get(_skeleton(part)):
                return name.title() + word[len(part) :]
        return word if word.isascii() or not _ASCII.search(word) else word.translate(_LETTERS)

    def _named(self, found: re.Match[str]) -> Name | None:
        version = found["version"] or ""
        word = found.group().removesuffix(version)
        sort = self._sorts.get(word.lower().translate(_JOINTS), Sort.MAKER)
        if sort in (Sort.WORD, Sort.WEAK) and not _proper(found):
            return None
        versioned = bool(version and _RELEASED.search(version))
        return Name(sort, found.group().lower(), versioned, found.end())


def _proper(found: re.Match[str]) -> bool:
    """A word is meant as a name: it has a capital, and no other name goes on after it."""
    word, before, after = found.group(), found.string[: found.start()], found.string[found.end() :]
    if word[0].isascii() and word[0].islower():
        here = re.match(" here\\b", after) and not re.search(r"\w $", before[-2:])
        sloppy = here or _SLOPPY.search(before[-20:])
        joined = found["version"] and not found["version"].startswith(" ")
        return bool(sloppy or joined) and not word.startswith(("solar", "command", "seed", "phi"))
    if word.startswith("Le c"):
        return False
    following = _FOLLOWING.match(after)
    return not following or following[1].lower().startswith(_MODEL_WORDS)


@lru_cache(maxsize=8)
def _pattern_of(families: tuple[str, ...]) -> re.Pattern[str]:
    """A name and its version; those that everybody knows where there are no families."""
    latin = sorted(families or _WRITTEN, key=len, reverse=True)
    return re.compile(
        rf"(?<![A-Za-z0-9_])(?:{'|'.join(map(_pattern, latin))})(?![a-zA-Z_])"
        rf"(?P<version>(?:[ :-]?[vrk]?\d+(?:\.\d+)*\w*(?:-[\w.]*\w)*)?(?:[ -](?:{_VARIANTS})(?!\w))*(?:[ -]\d+(?:\.\d+)*(?![\w.]\w))?)"
        + ("" if families else f"|(?:{'|'.join(map(_bounded, _FOREIGN))})"),
        re.IGNORECASE,
    )


def _pattern(name: str) -> str:
    return re.escape(name).replace("_", "[ .-]?")


def _bounded(name: str) -> str:
    """Words of alphabets have a beginning; what is joined to their end is grammar."""
    edge = rf"(?<![{ALPHABETS}])" if "\u0400" <= name[0] <= "\u09ff" else ""
    return edge + _pattern(name)


def _skeleton(word: str) -> str:
    """The same for words that look alike."""
    return word.translate(_LOOK_ALIKE).lower().translate(_LOOK_ALIKE)


def _stems(names: Iterable[str]) -> frozenset[str]:
    """Words without which a name is not there."""
    return frozenset(
        stem
        for name in names
        for stem in (name.replace("_", ""), name.replace("_", "."), max(name.split("_"), key=len))
    )


def _begins(names: Iterable[str]) -> frozenset[str]:
    """What a name begins with, as it is written."""
    first = [_BEGINNING.findall(name.replace("_", " "))[:1] for name in names]
    return frozenset([begin for begins in first for begin in begins]) | _stems(names)


def _skeletons(names: Iterable[str]) -> dict[str, str]:
    words = {word for name in names for word in (name.replace("_", ""), *name.split("_"))}
    return {_skeleton(word): word for word in words if len(word) >= SHORTEST_MASK}


_TABLES = {sort: sort.name.lower() for sort in Sort}
_WRITTEN = [word for table in _TABLES.values() for word in words(table, latin=True)]
_FOREIGN = sorted(
    (plain(name) for table in _TABLES.values() for name in words(table, latin=False)),
    key=len,
    reverse=True,
)
# What is in several tables is taken for the surest.
_SORTS = {
    re.sub("[_·]", "", plain(name)): sort
    for sort in (Sort.MAKER, Sort.LAB, Sort.WORD, Sort.WEAK, Sort.FAMOUS, Sort.RARE)
    for name in words(_TABLES[sort])
}
_STEMS, _BEGINS, _SKELETONS = _stems(_WRITTEN), _begins(_WRITTEN), _skeletons(_WRITTEN)
_GENERIC = frozenset([*words("variants"), *words("generic")])
_RELEASED = re.compile(rf"(?i)\d|{'|'.join(words('variants', only='surely'))}")
_VARIANTS = "|".join(words("variants"))
_ANY_FOREIGN = re.compile("|".join(map(_pattern, _FOREIGN)))
