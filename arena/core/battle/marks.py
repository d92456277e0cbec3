"""The marks that models and their templates leave in text: tags of thinking, control tokens.

Known ones by name, new ones by their shape, with padding and wide bars seen through. It does not
know what becomes of a text that has them.
"""

import re
from collections.abc import Collection, Iterable
from enum import Enum
from functools import lru_cache

from arena.core.battle.phrases import pattern, tables
from arena.core.battle.turns import LABELS

LONGEST = 64
"""Characters of a mark at most."""

Kind = Enum(
    "Kind", "OPENS CLOSES TAG WEIGHS WEIGHED WRAPS CHANNEL STARTS ASKS STRIKES TOKEN WORD LABEL"
)
"""OPENS and CLOSES thinking; TAG: either, by a word that markup has too; WEIGHS and WEIGHED: so a reply may begin that thinks first, or a
document; WRAPS the reply after it; names a CHANNEL; STARTS a turn; ASKS: what follows is not the
model's; STRIKES: an old model's end, or HTML; any other TOKEN; WORD: one that ordinary text names too;
LABEL: words that begin a turn."""

MARK = re.compile(r"<<[^\n<>]{1,20}>>|<[^\n<>\[\]`]{1,60}>|\[[^\n\[\]<>`]{1,40}\]|\[e~\[|◁/?think▷")
_PADDING = re.compile(r"(?<=[<\[/|])[ \t]+|[ \t]+(?=[|>\]])")
_MAY_BECOME = re.compile(
    r"<<[/\w ]*>?|</?[\w:-]*\|?|<\|/?[\w .:/@-]*\|?|\[/?(?:[A-Za-z_]+\d*)?~?|\[\|[A-Za-z_]*\|?|◁/?[think]*"
)


def _read(written: str) -> str:
    """A pattern of `marks.toml`."""
    return "|".join(written.splitlines()) % _WORDS


_TABLES = tables("marks.toml")
_WORDS = {"fiction": pattern("fiction")}
for _name, _written in _TABLES["words"].items():
    _WORDS[_name] = _read(_written)
_KIND = re.compile("|".join(f"(?P<{kind}>{_read(of)})" for kind, of in _TABLES["kinds"].items()))
_ABOUT = {name: re.compile(_read(written)) for name, written in _TABLES["about"].items()}
THINKING = frozenset({Kind.OPENS, Kind.CLOSES})
TOKENS = frozenset({Kind.CHANNEL, Kind.STARTS, Kind.ASKS, Kind.TOKEN, Kind.WORD})

CODE = re.compile(
    r"^[ >]*(```+|~~~+).*?^[ >]*\1|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE
)


def key_of(mark: str) -> str:
    """A mark as it is known: without padding, with plain bars."""
    return _PADDING.sub("", mark.replace("｜", "|").replace("▁", "_"))


@lru_cache(maxsize=256)
def _known(mark: str) -> Kind | None:
    """Those that follow a mark are looked at with it, and again when it is their turn."""
    known = _KIND.fullmatch(key_of(mark))
    return Kind[known.lastgroup] if known and known.lastgroup else None


def kind_of(mark: str, text: Collection[Kind] = ()) -> Kind | None:
    """text: kinds that are ordinary text here."""
    kind = _known(mark)
    if kind is not Kind.TAG:
        return kind
    return None if kind in text else Kind.CLOSES if "/" in mark else Kind.OPENS


def of_template(template: str) -> frozenset[str]:
    """The marks, as they are known, and the labels of turns that a template has."""
    marks = {key_of(mark) for mark in MARK.findall(template) if kind_of(mark)}
    return frozenset(marks | {label for label in LABELS if label.strip() in template})


def undecided(rest: str) -> bool:
    """The last characters that were read may become a mark, with some more."""
    return len(rest) <= LONGEST and bool(_MAY_BECOME.fullmatch(key_of(rest.rstrip(" "))))


def meant(prompts: Iterable[str], own: Iterable[str] = ()) -> frozenset[Kind]:
    """Kinds of marks that the prompts are about, so that in replies they are ordinary text. own:
    marks of the model's template."""
    asked = "\n".join(prompts)
    kinds = {kind_of(mark) for mark in MARK.findall(asked)}
    about = {Kind.STRIKES} if Kind.STRIKES in kinds or _ABOUT["strikes"].search(asked) else set()
    if _ABOUT["labels"].search(asked.lower()) or any(label in asked for label in LABELS):
        about |= {Kind.LABEL}
    if kinds & {Kind.WEIGHS} or _ABOUT["weighing"].search(asked.lower()):
        about |= {Kind.WEIGHS}
    tags = any(kind_of(mark) and not kind_of(mark, {Kind.TAG}) for mark in own)
    if _ABOUT["markup"].search(asked) and not tags:
        about |= {Kind.TAG}
    if kinds & THINKING or _ABOUT["thinking"].search(asked):
        about |= THINKING
    if kinds & TOKENS or _ABOUT["tokens"].search(asked):
        about |= TOKENS | {Kind.STRIKES}
    return frozenset(kind for kind in about if kind)
