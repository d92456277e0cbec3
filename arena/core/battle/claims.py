"""Is the one who speaks meant by a name, as the words before and after it say?

Between a phrase such as "I am" or "I was made by" and a name only words may stand that such
phrases are made of; where the verb comes last, the phrase closes after the name. It does not know
which names there are, nor what was asked.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from arena.core.battle.names import ALPHABETS, NAME, Name, Sort, plain
from arena.core.battle.phrases import pattern, whole, words

NO_SPACES = r"\u0e00-\u0e7f\u2e80-\u9fff\uf900-\ufaff"
"""Scripts that do not part words, for a class of a pattern."""
GRAMMAR = r"[\u0400-\u04ff\u0620-\u06ff\u0900-\u0963\u0980-\u09e3\uac00-\ud7a3]{1,4}(?=\s|$)"
"""What some languages join to the end of a name."""


@lru_cache(maxsize=512)
def claims(
    name: Name, left: str, right: str, after: str, *, pair: bool, fiction: bool, asked: bool
) -> bool:
    """left, right: the sentence around the name, in lower case, with NAME for other names;
    after: all that is seen of what follows. fiction: others may be the ones who speak; asked: a
    prompt asks for the one who has this name."""
    doubtful = fiction and name.sort is Sort.WORD
    if (doubtful or (name.sort is Sort.WEAK and not asked)) and not name.versioned:
        around = tokens(left) + tokens(right)
        role = any(word in ROLES for word in around) if doubtful else has_role(around)
        told = _OFFERS.search(after) or _OUTSIDE.search(left)
        if not (pair or role or told):
            return False
    if LIVES.match(right) and not name.sure:
        return False
    others = left.count('"') % 2 or _QUOTED.search(left) or _NEAR.search(left)
    if name.ordinary and others:
        return False
    return _called(name, left, right) or _made_me(name, left, right)


def _called(name: Name, left: str, right: str) -> bool:
    """The one who speaks is said to be it, or to be made by it."""
    by = {cue.end() for cue in _BY.finditer(left)}
    ends = by | {cue.end() for cue in _IS.finditer(left)}
    if any(_leads(name, left, end, right, by=end in by) for end in sorted(ends, reverse=True)):
        return True
    for cue in _AS.finditer(left):
        late = left[: cue.start()].endswith(", ")
        if not SELF.search(right) and not (late and SELF.search(left)):
            continue
        role = has_role(tokens(left[cue.end() :])) or _near(right)
        if _leads(name, left, cue.end(), right, role=role) and (role or right.startswith(",")):
            return True
    for cue in _THIS.finditer(left) if not name.makes else ():
        said = _near(right) or right.startswith(":") or bool(_OFFERS.match(right))
        if (said or _ENDED.match(right)) and _leads(name, left, cue.end(), right):
            return True
    being = _BEING.search(left) if _MEANS.match(right) else None
    if being and _leads(name, left, being.end(), right):
        return True
    is_it = not name.makes and bool(_COPULA.match(right))
    return any(
        all(map(known, tokens(_BUT.split(left[cue.end() :])[-1])))
        and (is_it or _near(right, strange=2))
        for cue in _SUBJECT.finditer(left)
    )


def _leads(
    name: Name, left: str, cue: int, right: str, *, by: bool = False, role: bool = False
) -> bool:
    """From the end of the phrase, `cue`, to the name only what such phrases are made of is said;
    and a name that people may have is neither theirs nor in what somebody says in a story.
    role: what somebody is stands there, and what comes next is what he does, or does not."""
    said = left[cue:]
    if _ENDED.match(right) or _APPOSED.match(right) or _near(right):
        said = _BUT.split(said)[-1]
    words = tokens(_ASIDE.sub("", said))
    goes_on = tokens(right)[:1] if re.match(r"[ -]?\w", right) and not role else ()
    if denies(words + goes_on) or any(word in _FOLK for word in goes_on):
        return False
    newest = len(words) > 1 and words[-2] in _THE and goes_on and goes_on[0] in ROLES
    if not _passes(words[:-1] if newest else words):
        return False
    if not name.makes and _TOLD.match(right) and not has_role(words):
        return False
    if name.ordinary and _OF.match(right):
        return False
    if name.makes:
        schooled = any(pair in _SCHOOLED for pair in pairwise(words))
        owns = right.startswith("'s")
        if words[-1:] == ("in",) and not by and not owns:
            return _near(right)
        return (by and not owns) or (has_role(words) and not schooled) or _near(right)
    firm = name.sure and any(word in MADE for word in words)
    if words and words[-1] in _PLACES and not firm:
        return False
    before = words[-1] if words else ""
    kin = any(word in _KIN for word in goes_on)
    thing = name.sort is Sort.WORD and before in _DEFINITE and not kin
    owned = right.startswith(("'s", "的")) or before in ARTICLES or thing
    return not owned or _near(right)


def _passes(words: tuple[str, ...]) -> bool:
    """Other words only before what one is, such as "a cheerful model", or within who did it,
    such as "made with care by the good people of"."""
    roles = [n for n, word in enumerate(words) if word in ROLES]
    made = [n for n, word in enumerate(words) if word in MADE]
    agents = [n for n, word in enumerate(words) if word in AGENTS and made and n > made[0]]
    strange = [n for n, word in enumerate(words) if not known(word)]
    return len(strange) <= 4 and all(
        (agents and (n > agents[0] or not _WITHIN.isdisjoint(words[made[0] : n])))
        or (
            roles
            and n < roles[-1]
            and (ARTICLES & {*words[:n]} or not any(map(known, words[n : roles[-1]])))
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
    if not name.makes and len(words) <= 6 and _HERE.match(right):
        return True
    other = words[:1] == (NAME,) or _WAS.match(right)
    made = has_role(words) or _near(right)
    self = _AFTERWARDS.match(right)
    if not made or other or not self:
        return False
    return sum(not known(word) for word in tokens(self[1])) <= 1


@lru_cache(maxsize=512)
def _near(right: str, strange: int = 1) -> bool:
    """Soon after the name comes what one is or how one was made, with few other words before."""
    words = tokens(_JOINED.sub("", right))[:8]
    if words[1:2] == (NAME,) and words[0] in AGENTS:
        return True
    for n, word in enumerate(words):
        if word in _NEVER:
            return False
        if has_role((word,)):
            return not denies(words[n + 1 : n + 2])
        strange -= not known(word)
        if strange < 0:
            return False
    return False


# Words ------------------------------------------------------------------------------------------


class Words:
    """Those of a table; one that ends in `*` stands for all that begin so, one that begins with it
    for all that end so."""

    def __init__(self, table: str) -> None:
        self.all = list(map(plain, words(table)))
        self._whole = frozenset(self.all)
        self._begins = tuple(word[:-1] for word in self.all if word.endswith("*"))
        self._ends = tuple(word[1:] for word in self.all if word.startswith("*"))

    def __contains__(self, word: str) -> bool:
        return word in self._whole or word.startswith(self._begins) or word.endswith(self._ends)


ROLES, MADE, AGENTS = Words("roles"), Words("made"), Words("agents")
_GLUE, _FOLK, OPENS = Words("glue"), Words("folk"), Words("opens")
_NEVER = frozenset(map(plain, words("never")))
_THE = frozenset(words("the"))
_ADVERBS = ("ly", "mente")
_PLACES, ARTICLES = frozenset(words("places")), frozenset(words("articles"))
_WITHIN = _PLACES | frozenset(words("within"))
_DEFINITE, _KIN = frozenset(words("definite")), frozenset(words("kin"))
_SCHOOLED = {tuple(pair.split("_")) for pair in words("schooled")}


@lru_cache(maxsize=512)
def tokens(text: str) -> tuple[str, ...]:
    return tuple(_TOKEN.findall(_NAME_JOINED.sub(NAME, text)))


@lru_cache(maxsize=4096)
def known(word: str) -> bool:
    """Sentences in which a model introduces itself are made of such words."""
    return (
        word == NAME
        or word in _GLUE
        or word in OPENS
        or word.endswith(_ADVERBS)
        or has_role((word,))
        or any(map(str.isdigit, word))
    )


def denies(words: Iterable[str]) -> bool:
    return not _NEVER.isdisjoint(words)


@lru_cache(maxsize=4096)
def has_role(words: tuple[str, ...]) -> bool:
    return any(word in ROLES or word in MADE for word in words)


def form(table: str) -> re.Pattern[str]:
    """What a table of patterns says, in a normal text in lower case."""
    return re.compile(plain(pattern(table)))


def _cue(table: str) -> re.Pattern[str]:
    """Nothing is tried where no cue of its script can begin, as it takes long."""
    spaced, unspaced = (plain(pattern(table, kind)) for kind in ("spaced", "unspaced"))
    return re.compile(
        rf"(?<![{ALPHABETS}])(?! )(?:{spaced})(?![{ALPHABETS}])|(?![!-~])(?:{unspaced})"
    )


STRANGER = re.compile(plain(whole("stranger")))
"""In a normal text, not in lower case; its groups are the unknown names."""
SELF, LIVES, _NEAR, _QUOTED, _BUT = map(form, "self lives near quoted but".split())
_OFFERS, _OUTSIDE, _TOLD, _BEING, _MEANS = map(form, "offers outside told being means".split())
_HERE, _COPULA, _ENDED = (
    re.compile(plain(form))
    for form in (
        f"[ ,]*(?:{pattern('here')})",
        f"{pattern('copula')}|[।.,،!]|$",
        rf"{pattern('copula')}|[^\w{NAME}]*$",
    )
)
_IS, _BY, _AS, _THIS, _SUBJECT, _ME = map(_cue, ("is", "by", "as", "this", "subject", "me"))
_AFTERWARDS = re.compile(
    rf"([^.]{{0,40}}?)(?:[,،、，]\s*(?:{SELF.pattern}|{plain(pattern('then_self'))})| \w+ ik\b)"
)
_APPOSED = re.compile(rf", (?:{'|'.join(map(re.escape, sorted(ARTICLES)))})\b")
_WAS = re.compile(rf"\W*(?:{plain(pattern('was'))})")
_ASIDE = re.compile(r"^ ?,[^,]{1,40},|\([^)]*\)")
_OF = re.compile(rf" (?:of|de|du|von) (?!.{{0,12}}{NAME})")
_JOINED, _NAME_JOINED = re.compile(f"^{GRAMMAR}"), re.compile(NAME + GRAMMAR)
_UNSPACED = {w for t in (ROLES, MADE, _GLUE) for w in t.all if re.match(f"[{NO_SPACES}]", w)}
_TOKEN = re.compile(
    rf"(?:[^\W_{NO_SPACES}]+|[\u0900-\u0963\u0980-\u09e3]+)+|"
    f"(?=[{NO_SPACES}])(?:{'|'.join(sorted(_UNSPACED, key=len, reverse=True))})"
    f"|[{NO_SPACES}{NAME}]"
)
