"""Does a reply say who wrote it? It is watched as it grows, at little cost, or judged as a whole,
with the same result.

A name that the prompt has is no excuse for "I am", unless it is to be translated; what the prompt
is about may be mentioned. It knows nothing of who really wrote the reply.
"""

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

from arena.core.battle.bylines import signs, speaks
from arena.core.battle.claims import NO_SPACES, SELF, STRANGER, claims, denies, form, known, tokens
from arena.core.battle.mentions import mentions, subjects
from arena.core.battle.names import NAME, Name, Names, Sort

BEFORE, AFTER = 160, 90
"""Characters around a name that are looked at; a name is judged once those after it are there."""
CROWD = 6
"""Of more names in a sentence those further off do not matter."""
LOOKED_AT, OVERLAP = 48, 24
"""So many new characters are searched for names at a time, with some that were before them."""


class Telltale:
    """Watches one reply as it grows. prompts: what the person asked so far; families: words for
    models, beside those that everybody knows."""

    def __init__(self, prompts: Iterable[str] = (), families: frozenset[str] = frozenset()) -> None:
        self._names = _names(families)
        self._asked = _Asked(prompts, self._names)
        self._kept = ""
        self._whole = True
        self._new = self._open = 0
        self._due = False
        self.told = False

    def feed(self, text: str) -> bool:
        """The reply goes on with this. True once it has given away who wrote it."""
        self._kept += text
        self._new += len(text)
        if self._new >= LOOKED_AT and not (self._due or self.told):
            self._look()
        if self._new >= AFTER and self._due and not self.told:
            self._judge(AFTER)
        return self.told

    def finish(self) -> bool:
        """The reply has ended. True if it gave away who wrote it."""
        if not (self._due or self.told):
            self._look()
        if self._due and not self.told:
            self._judge(0)
        return self.told

    def _look(self) -> None:
        """Is there anything in what is new that may be a name?"""
        self._due = self._names.suspects(self._names.normal(self._kept[-self._new - OVERLAP :]))
        if not self._due:
            self._forget(OVERLAP)

    def _judge(self, undecided: int) -> None:
        text = self._names.normal(self._kept)
        decided = len(self._names.normal(self._kept[: -self._new - self._open]))
        self.told = _gives_away(
            text, self._whole, self._names, self._asked, decided, len(text) - undecided
        )
        self._forget(undecided + 2 * OVERLAP)
        self._due = self._names.suspects(self._names.normal(self._kept[-self._open - OVERLAP :]))

    def _forget(self, undecided: int) -> None:
        """All is read, but for the last characters; what is too far back matters no more."""
        self._new, self._open = 0, undecided
        if len(self._kept) > 3 * BEFORE:
            self._kept, self._whole = self._kept[-2 * BEFORE - AFTER :], False


class _Asked:
    """What the person asked, as far as it decides what a reply may mention."""

    def __init__(self, prompts: Iterable[str], names: Names) -> None:
        self._prompts = tuple(prompts)
        self._names = names

    @cached_property
    def _written(self) -> str:
        return self._names.normal("\n".join(self._prompts))

    @cached_property
    def text(self) -> str:
        return self._written.casefold()

    @cached_property
    def has(self) -> frozenset[str]:
        """Which of the tables of patterns for prompts match."""
        return frozenset(table for table, form in _PROMPTS.items() if form.search(self.text))

    @cached_property
    def about_models(self) -> bool:
        either = self._written, self._written.title()
        if "about_ai" in self.has or any(self._names.marked(t)[1] for t in either):
            return True
        apart = re.sub(r" (?!\d)", ", ", self._written.title())
        return any(name.release for name in self._names.marked(apart)[1])

    @cached_property
    def for_fiction(self) -> bool:
        wanted = "writes" in self.has or "asks" not in self.has
        return (wanted and "fiction" in self.has) or "lesson" in self.has

    @cached_property
    def of_reader(self) -> bool:
        return "reader" in subjects(self.text)

    @cached_property
    def roles(self) -> frozenset[str]:
        """The names of people whom it is to play."""
        found = () if "about_ai" in self.has else _ROLE.finditer(self.text)
        return frozenset(name for role in found for name in role.groups() if name)


def _gives_away(text: str, whole: bool, names: Names, asked: _Asked, start: int, end: int) -> bool:
    """Does a name in a normal text tell that ends after `start`, and not after `end`? whole: the
    text begins where the reply does."""
    marked, found = names.marked(text)
    for n, place in enumerate(re.finditer(NAME, marked)):
        if start < found[n].end <= end and _tells(found, n, marked, place.start(), whole, asked):
            return True
    said = (m for m in STRANGER.finditer(text) if start < m.end() <= end)
    return any(n and n.casefold() not in asked.text for m in said for n in m.groups())


def _tells(names: list[Name], n: int, marked: str, at: int, whole: bool, asked: _Asked) -> bool:
    name = names[n]
    before, after = marked[max(0, at - BEFORE) : at], marked[at + 1 : at + 1 + AFTER]
    named = name.text in asked.text
    if "translation" in asked.has and (named or asked.about_models):
        return False
    begins = [end.end() for end in _ENDS.finditer(before)]
    left = before[begins[-1] if begins else 0 :].casefold()
    right = _ENDS_WITH.split(after, maxsplit=1)[0].casefold()
    left, right = NAME.join(left.split(NAME)[-CROWD:]), NAME.join(right.split(NAME)[:CROWD])
    others = names[n - 1 : n] * (NAME in left) + names[n + 1 : n + 2] * (NAME in right)
    fiction = asked.for_fiction
    before, after = before.casefold(), after.casefold()
    if _excused(name, others, before, asked):
        return False
    if not named:
        left = _told(left, before, asked="orders" in asked.has)
    pair = any(o.makes != name.makes and o.sort is not Sort.WEAK for o in others)
    addressed = named and asked.of_reader
    if claims(name, left, right, after, pair=pair, fiction=fiction, asked=addressed):
        return True
    model = name.sure or name.versioned
    if model and _is_of_them(before, after):
        return True
    about = (asked.about_models or _of_others(left, right, asked)) and "who" not in asked.has
    unasked = not about and not named
    if unasked and not fiction and mentions(name, left, right, pair=pair):
        return True
    signed = not asked.has.isdisjoint(("who", "verse"))
    if unasked and (model or pair or signed or not fiction or _FEEDBACK.search(after)):
        if signs(name, before, after, ends=not after.strip(" .!\n")):
            return True
        if whole and at == len(before) and speaks(name, before, after, model=model):
            return True
    if whole and not begins and at < BEFORE and "who" in asked.has and not named:
        words = tokens(left)
        if sum(not known(word) for word in words) <= 2 and not denies(words):
            return True
    return not asked.about_models and _odd(name, left, right)


@lru_cache(maxsize=512)
def _told(left: str, before: str, *, asked: bool) -> str:
    """What the one who speaks was told to be, as if it said so itself."""
    ordered = _YOU_ARE.match(left) and (asked or _OWN_ORDERS.search(before))
    return _YOU_ARE.sub("i am", left) if ordered else left


def _excused(name: Name, others: list[Name], before: str, asked: _Asked) -> bool:
    """A prompt asks for what somebody of this name says, be it in a story or in a quotation."""
    if name.ordinary and name.text in asked.roles:
        return True
    named = any(each.text in asked.text for each in (name, *others))
    if asked.for_fiction or not asked.has.isdisjoint(("who", "orders")):
        return named and asked.for_fiction
    if not (named or asked.about_models):
        return False
    said = _QUOTED.split(before.rpartition('"')[0])[-1]
    if not said.strip() or said[-1].isalnum() or SELF.search(said):
        return False
    return named or not asked.of_reader or "roles" in subjects(said)


def _of_others(left: str, right: str, asked: _Asked) -> bool:
    """Makers are listed, or it is told what a word of the prompt means, and nobody speaks of
    himself."""
    found = _DEFINES.match(left)
    meant = found and any(thing and thing in asked.text for thing in found.groups())
    return bool(meant or _LIST.search(left + NAME + right)) and not SELF.search(left + right)


def _is_of_them(before: str, after: str) -> bool:
    """Models are told of, and who speaks is one of them."""
    near = subjects(before + NAME + after) if _OF_THEM.search(after) else ()
    return "roles" in near and "others" not in near


def _odd(name: Name, left: str, right: str) -> bool:
    """A name that hardly anybody mentions but where models are the subject, outside of code."""
    rare = name.sort is Sort.RARE or name.release
    listed = _LIST.search(left + NAME + right)
    return rare and not listed and not left.endswith(("'", '"', "/", "="))


@lru_cache(maxsize=8)
def _names(families: frozenset[str]) -> Names:
    return Names(families)


_PROMPTS = {
    table: form(table)
    for table in "about_ai who translation lesson fiction verse asks writes orders".split()
}
_ROLE, _OWN_ORDERS, _YOU_ARE, _OF_THEM = map(form, "role own_orders you_are of_them".split())
_FEEDBACK, _DEFINES = map(form, "feedback defines".split())
_QUOTED = re.compile(r'["!?\n]|\.\s')
_ENDS = re.compile(rf"[.!;](?=\s)|[。।]|!(?=[{NO_SPACES}])|\n\s*\n|\n\s*[-*#•]")
_LIST = re.compile(rf"{NAME}[\w.-]*, {NAME}[\w.-]*,? (?:and|or|und|oder|et|ou|y|o|e|и) {NAME}")
_ENDS_WITH = re.compile(r"[.!?;](?=\s|$)|[。！？।]|\n\s*\n")


def names_itself(
    text: str, prompts: Iterable[str] = (), families: frozenset[str] = frozenset()
) -> bool:
    """True if the reply gives away a model or its maker, be it the true one or not."""
    telltale = Telltale(prompts, families)
    return telltale.feed(text) or telltale.finish()
