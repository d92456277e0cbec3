"""Is the one who speaks meant by a name, as the words before and after it say?

Between a phrase such as "I am" or "I was made by" and a name only words may stand that such
phrases are made of; where the verb comes last, the phrase closes after the name. It does not know
which names there are, nor what was asked.
"""

import re
from itertools import pairwise

from arena.core.battle.names import ALPHABETS, NAME, Name, Sort, plain
from arena.core.battle.phrases import pattern, whole, words

CJK = r"\u2e80-\u9fff\uf900-\ufaff"
GRAMMAR = r"[\u0400-\u04ff\u0620-\u06ff\u0900-\u0963\u0980-\u09e3\uac00-\ud7a3]{1,4}(?=\s|$)"
"""What some languages join to the end of a name."""


def claims(name: Name, left: str, right: str) -> bool:
    """left, right: the sentence around the name, in lower case, with NAME for other names."""
    if name.sort is Sort.WEAK and not name.versioned:
        around = tokens(left) + tokens(right)
        if NAME not in around and not _has_role(around):
            return False
    if name.sort in (Sort.WORD, Sort.WEAK) and (left.count('"') % 2 or _LIVES.match(right)):
        return False
    return _called(name, left, right) or _made_me(name, left, right) or _bare(name, left, right)


def introduces(name: Name, left: str, right: str) -> bool:
    """Nothing else is said than what a model may say of itself, though it says no "I"."""
    said = right if _COPULA.match(right) else _JOINED.sub("", right)
    words, before = tokens(said), tokens(left)
    if not all(map(known, [*words, *before])):
        return False
    if not words and name.sort in (Sort.FAMOUS, Sort.RARE) and len(before) > 1:
        return before[-1] in _AGENTS and (before[0] in _MADE or before[0] in _REPLIES)
    if words and words[0] in _AGENTS and NAME in words:
        return True
    made = any(word in _MADE for word in words)
    is_it = name.sort is not Sort.MAKER and bool(_COPULA.match(right))
    return bool(_PREDICATE.search(right)) and (made or is_it)


def _called(name: Name, left: str, right: str) -> bool:
    """The one who speaks is said to be it, or to be made by it."""
    by = {cue.end() for cue in _BY.finditer(left)}
    ends = by | {cue.end() for cue in _IS.finditer(left)}
    if any(_leads(name, left, end, right, by=end in by) for end in sorted(ends, reverse=True)):
        return True
    for cue in _AS.finditer(left) if SELF.search(right) else ():
        role = _has_role(tokens(left[cue.end() :])) or _near(right)
        if _leads(name, left, cue.end(), right, role=role) and (role or right.startswith(",")):
            return True
    for cue in _THIS.finditer(left) if name.sort is not Sort.MAKER else ():
        said = not right.strip() or _near(right) or _OFFERS.match(right)
        if said and _leads(name, left, cue.end(), right):
            return True
    is_it = name.sort is not Sort.MAKER and bool(_COPULA.match(right))
    return any(
        all(map(known, tokens(left[cue.end() :]))) and (is_it or _near(right, strange=2))
        for cue in _SUBJECT.finditer(left)
    )


def _leads(
    name: Name, left: str, cue: int, right: str, *, by: bool = False, role: bool = False
) -> bool:
    """From the end of the phrase, `cue`, to the name only what such phrases are made of is said;
    and a name that people may have is neither theirs nor in what somebody says in a story.
    role: what somebody is stands there, and what comes next is what he does, or does not."""
    words = tokens(_ASIDE.sub("", left[cue:]))
    goes_on = tokens(right)[:1] if re.match(r"[ -]?\w", right) and not role else []
    if any(map(denies, words + goes_on)) or any(word in _FOLK for word in goes_on):
        return False
    newest = len(words) > 1 and words[-2] in _THE and goes_on and goes_on[0] in _ROLES
    if not _passes(words[:-1] if newest else words):
        return False
    if name.sort is not Sort.MAKER and _TOLD.match(right):
        return False
    if name.sort in (Sort.WORD, Sort.WEAK) and _OF.match(right):
        return False
    if name.sort is Sort.MAKER:
        schooled = any(pair in _SCHOOLED for pair in pairwise(words))
        owns = right.startswith("'s")
        return (by and not owns) or (_has_role(words) and not schooled) or _near(right)
    if words and words[-1] in _PLACES:
        return False
    owned = right.startswith(("'s", "的")) or (words and words[-1] in _ARTICLES)
    return not owned or _near(right)


def _passes(words: list[str]) -> bool:
    """Other words only before what one is, such as "a cheerful model", or within who did it,
    such as "made with care by the good people of"."""
    roles = [n for n, word in enumerate(words) if word in _ROLES]
    made = [n for n, word in enumerate(words) if word in _MADE]
    agents = [n for n, word in enumerate(words) if word in _AGENTS and made and n > made[0]]
    strange = [n for n, word in enumerate(words) if not known(word)]
    return len(strange) <= 4 and all(
        (agents and (n > agents[0] or not _PLACES.isdisjoint(words[made[0] : n])))
        or (
            roles
            and n < roles[-1]
            and (_ARTICLES & {*words[:n]} or not any(map(known, words[n : roles[-1]])))
        )
        for n in strange
    )


def _made_me(name: Name, left: str, right: str) -> bool:
    """It made, or is, the one who speaks, who is named after it."""
    if _ME.match(right.lstrip()):
        return True
    words = tokens(left)
    if not all(map(known, words)):
        return False
    if name.sort is not Sort.MAKER and len(words) <= 6 and _HERE.match(right):
        return True
    other = words[:1] == [NAME] or _WAS.match(right)
    made = _has_role(words) or _near(right)
    return made and not other and bool(_AFTERWARDS.match(right))


def _bare(name: Name, left: str, right: str) -> bool:
    """Nothing else is said, and the one who speaks is in it."""
    left, right = _CLAUSES.split(left)[-1], _CLAUSES.split(right)[0]
    words = tokens(left) + tokens(right)
    if not SELF.search(f"{left} {right}") or not all(map(known, words)) or any(map(denies, words)):
        return False
    if name.sort in (Sort.FAMOUS, Sort.RARE):
        return True
    return _has_role(words) and not _I_MADE.search(left)


def _near(right: str, strange: int = 1) -> bool:
    """Soon after the name comes what one is or how one was made, with few other words before."""
    words = tokens(_JOINED.sub("", right))[:8]
    for n, word in enumerate(words):
        if denies(word):
            return False
        if _has_role([word]):
            return not any(map(denies, words[n + 1 : n + 2]))
        strange -= not known(word)
        if strange < 0:
            return False
    return False


# Words ------------------------------------------------------------------------------------------


class _Words:
    """Words; one that ends in `*` stands for all that begin so."""

    def __init__(self, table: str) -> None:
        self.all = list(map(plain, words(table)))
        self._whole = frozenset(self.all)
        self._beginnings = tuple(word[:-1] for word in self.all if word.endswith("*"))

    def __contains__(self, word: str) -> bool:
        return word in self._whole or word.startswith(self._beginnings)


_ROLES, _MADE, _AGENTS = _Words("roles"), _Words("made"), _Words("agents")
_GLUE, _NEVER, _FOLK = _Words("glue"), _Words("never"), _Words("folk")
_REPLIES = frozenset(words("replies"))
_THE = frozenset(words("the"))
_PLACES, _ARTICLES = frozenset(words("places")), frozenset(words("articles"))
_SCHOOLED = {tuple(pair.split("_")) for pair in words("schooled")}


def tokens(text: str) -> list[str]:
    return _TOKEN.findall(_NAME_JOINED.sub(NAME, text))


def known(word: str) -> bool:
    """Sentences in which a model introduces itself are made of such words."""
    return word == NAME or word in _GLUE or _has_role([word]) or any(map(str.isdigit, word))


def denies(word: str) -> bool:
    return word in _NEVER


def _has_role(words: list[str]) -> bool:
    return any(word in _ROLES or word in _MADE for word in words)


def _cue(table: str) -> re.Pattern[str]:
    spaced, unspaced = (plain(pattern(table, kind)) for kind in ("spaced", "unspaced"))
    return re.compile(rf"(?<![{ALPHABETS}])(?:{spaced})(?![{ALPHABETS}])|(?:{unspaced})")


STRANGER = re.compile(plain(whole("stranger")))
"""In a normal text, not in lower case; its groups are the unknown names."""
SELF, WHO, ABOUT_AI, TRANSLATION, _HERE, _COPULA, _OFFERS, _TOLD, _LIVES = (
    re.compile(plain(pattern(table)))
    for table in (
        "self",
        "who",
        "about_ai",
        "translation",
        "here",
        "copula",
        "offers",
        "told",
        "lives",
    )
)
_IS, _BY, _AS, _THIS, _SUBJECT, _ME = map(_cue, ("is", "by", "as", "this", "subject", "me"))
_AFTERWARDS = re.compile(rf"[^.]{{0,40}}?[,،、，]\s*(?:{SELF.pattern})")
_CLAUSES = re.compile("[,，、:：;()（）]")
_I_MADE, _WAS = (
    re.compile(rf"\b(?:{pattern('we')})"),
    re.compile(rf"\W*(?:{plain(pattern('was'))})"),
)
_ASIDE = re.compile(r"^ ?,[^,]{1,40},|\([^)]*\)")
_OF = re.compile(rf" (?:of|de|du|von) (?!.{{0,12}}{NAME})")
_PREDICATE = re.compile(rf"(?:{pattern('predicate')})\W*$")
_JOINED, _NAME_JOINED = re.compile(f"^{GRAMMAR}"), re.compile(NAME + GRAMMAR)
_UNSPACED = {w for t in (_ROLES, _MADE, _GLUE) for w in t.all if re.match(f"[{CJK}]", w)}
_TOKEN = re.compile(
    "|".join(sorted(_UNSPACED, key=len, reverse=True))
    + rf"|(?:(?![{CJK}])[^\W_]|[\u0900-\u0963\u0980-\u09e3])+|[{CJK}{NAME}]"
)
