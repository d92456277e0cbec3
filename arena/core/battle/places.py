"""Whether a mark stands in a reply as itself, or is named there: `the decoder goes on until <eos>`.

A template's mark touches the text, ends it, or stands before another turn; one that is named is a
word of its sentence. It does not know what the reply is about.
"""

import re
from collections.abc import Collection, Iterable

from arena.core.battle.marks import (
    CODE,
    LONGEST,
    MARK,
    THINKING,
    TOKENS,
    Kind,
    key_of,
    kind_of,
    meant,
    undecided,
)
from arena.core.battle.turns import ENDS, THEIRS

LOOK = 4 * LONGEST
"""Characters after a mark that are looked at, at most."""

IN_A_ROW = 8
"""Nobody names so many marks."""

_OPENS = "([{<\u201c\u2018\u00ab\u201e\u201a\u300c\u300e\uff08\u3010\u300a=,:;/\u3001\uff0c\uff1a"
_QUOTES = "\"'*_|"
_QUOTES_OPEN = re.compile(r"(?:^|[\s(\[{=,:/])[a-z]?[\"'*_]$")
_AFTER = (
    ",.;:!?)]}\u201d\u2019\u00bb\u300d\u300f\uff09\u3011\u300b\u3001\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u2026\u061f"
    + _QUOTES
)
_DRESSES = "\"'*_`\u201c\u2018\u00ab\u201e\u300c\u300e\u300a\u3010"
_UNSPACED = "\u0e00"
LONGEST_ROLE = len("assistant")
_TURNS = (*THEIRS, "assistant\n", "model\n")
_ROLE = re.compile(r"(?:user|human|system|assistant|model|tool)(?:\n|<)", re.IGNORECASE)
_SPEAKS = re.compile(f"{_ROLE.pattern}|我(?!们|們)|私(?!たち|達)|僕|俺", re.IGNORECASE)
_CHANNEL = re.compile(r" ?(?:(?:analysis|commentary|final)(?: to=|\s*<)|thought\n)")
LONGEST_CHANNEL = len(" commentary to=")
_ITEM = re.compile(r"(?:^|\n)[-*+\u2022] $")
_EDGE = re.compile(r"(?i)[<\[][be]os[>\]]")
"""Nothing is between it and a sentence, as there is with one that parts sentences."""
_OURS = r"(?:\[/INST\]|<\|(?:assistant|bot|chatbot|chatbot_token|model)\|>)"
_ANSWERS = re.compile(_OURS, re.IGNORECASE)
"""What is behind them the model writes."""
_ANSWERED = re.compile(rf"\s*[^\n]*\w[^\n]*(?i:{_OURS})\s*[^\s\W_a-z]")
_MAY_BE_ANSWERED = re.compile(rf"\s*[^\n]*(?:(?i:{_OURS})\s*)?")
"""A turn in one line, in lower case, that the model answered itself."""
_DEFINED = re.compile(r" *(?:[:,] | [-\u2013\u2014=] )")
"""So a line goes on that says what its first word is."""
_CHANNEL_OF_OURS = "assistant<|channel|>"
_NAMED = re.compile("(?:^|[\\s(\\[{=,:/\u0e01-\uffff])[`\"']$")
"""A quote that opens; one behind a word would close."""


class Place:
    """Where in a reply what comes next stands. before: the last character that was said, blanks
    aside; ends: a line just did; fresh: nothing but blanks was said in it;
    fence and span: of a block or a span of code that is open."""

    def __init__(self) -> None:
        self.before, self.fresh, self.ends = "", True, True
        self.fence, self.span = "", 0
        self._tail = ""
        self._in_line = False
        """The block that opened last did so in this line."""
        self._named: set[str] = set()
        self._left_out = False

    @property
    def in_code(self) -> bool:
        return bool(self.fence or self.span)

    def say(self, text: str) -> None:
        said = text.rstrip()
        self.span = 0 if text == "\n" else self.span
        self._in_line = self._in_line and text != "\n"
        self.ends = text == "\n" or (self.ends and not text)
        self.fresh = text == "\n" or (self.fresh and not said)
        self.before = said[-1:] or self.before
        self._tail = (self._tail + text[-3:])[-3:]

    def code(self, run: str) -> None:
        """Backticks or tildes: does a span or a block of code of the reply begin or end?"""
        if self.fence:
            if (self.fresh or self._in_line) and run.startswith(self.fence):
                self.fence = ""
        elif self.fresh and len(run) >= 3:
            self.fence, self._in_line = run, True
        elif run[0] == "`" and self.span in (0, len(run)):
            self.span = len(run) - self.span

    def is_quoted(self, after: str, *, last: bool) -> bool | None:
        """A mark is named between two of the same quotes; None while it may be."""
        if not _NAMED.search(self._tail):
            return False
        return after[0] == self._tail[-1] if after else (False if last else None)

    def is_itself(
        self, raw: str, after: str, *, begun: bool, own: Collection[str], last: bool
    ) -> bool | None:
        """A mark that the reply has here is no word of a sentence; None while it may be."""
        kind, before, itself = kind_of(raw), "", None
        if begun:
            before = self._tail if self._tail.strip() else self.before + self._tail
            before = f"{self.before}\n" if self.fresh else before
        # What closes is what its opening was.
        opened = "/" in raw and raw.replace("/", "") in self._named
        if kind is Kind.CLOSES and opened:
            itself = not begun or _ends_thought(before, after, last=last)
        elif kind_of(raw, {Kind.TAG}) is None and raw[1].isupper() and before[-1:].isalnum():
            # The argument of a type: `Vec<Thought>`.
            itself = key_of(raw) in own
        elif kind in THINKING:
            itself = not begun or _unnamed(before, after, kind, last=last)
        elif kind in TOKENS or kind is Kind.STRIKES:
            known = key_of(raw) in own or (not begun and self._left_out)
            itself = _stands(before, raw, after, own=known, last=last)
            self._left_out = self._left_out or bool(itself)
        else:
            return True
        if opened and kind not in THINKING:
            return False
        if itself is False:
            self._named.add(raw)
        return itself


def begins_channel(raw: str, after: str, own: Collection[str], *, last: bool) -> bool | None:
    """A mark of the model's own template begins a channel, by the word that follows; None while
    it may."""
    if key_of(raw) not in own:
        return False
    if kind_of(raw) is Kind.CHANNEL:
        return _is_header(Kind.CHANNEL, "", after, last=last)
    if kind_of(raw) is not Kind.STARTS:
        return False
    short = not last and len(after) < len(_CHANNEL_OF_OURS) and _CHANNEL_OF_OURS.startswith(after)
    return None if short else after.startswith(_CHANNEL_OF_OURS)


def shown(text: str, prompts: Iterable[str] = ()) -> bool:
    """Marks are seen in a reply that is not about them, as in code that was never closed; those
    that its sentences name are not."""
    plain, about = CODE.sub("", text), meant(prompts)
    return any(
        kind_of(mark.group()) in (THINKING | TOKENS) - about - {Kind.WORD}
        and not _in_prose(
            plain[max(0, mark.start() - LONGEST) : mark.start()],
            plain[mark.end() : mark.end() + LONGEST],
        )
        for mark in MARK.finditer(plain)
    )


def _in_prose(before: str, after: str) -> bool:
    """The sentence goes on behind a mark that it names."""
    word = after.lstrip(" ")[:1]
    goes_on = word.isalpha() and not word.isupper() and (word != after[:1] or _unspaced(word))
    set_off = not before.strip() or _set_off(before, after)
    return bool(word) and (word in _AFTER or goes_on) and set_off


def _unnamed(before: str, after: str, kind: Kind, *, last: bool) -> bool | None:
    """A tag of thinking is no word of its sentence, by what is right before it and after it."""
    if before.endswith("\n") and kind is Kind.OPENS:
        if len(after.lstrip(" ")) < 2 and not (last or len(after) >= LOOK):
            return None
        return not _DEFINED.match(after)
    if before.endswith("\n") or _ended(before):
        return True
    if not (after or last):
        return None
    if not (_set_off(before, after) and (after[:1] in f" \t{_AFTER}" or _unspaced(after[:1]))):
        return True
    if before[-1:] in _QUOTES and after[:1] == before[-1:]:
        return False
    return _begins(after, kind, last=last)


def _ends_thought(before: str, after: str, *, last: bool) -> bool | None:
    """The end of thinking that names its beginning, as thinking about the prompt may: in a line of
    its own, or where a sentence ended. Many write `<think>...</think>` in one."""
    if before.endswith("\n"):
        rest = after.lstrip(" \t")
        return rest.startswith("\n") if rest else (True if last else None)
    if not _ended(before) or before.rstrip().endswith(("..", "\u2026")):
        return False
    return _begins(after, Kind.CLOSES, last=last)


def _begins(after: str, kind: Kind, *, last: bool) -> bool | None:
    """So thinking begins, or the reply behind it, and no sentence goes on."""
    rest = after.lstrip(" \t")
    inner = rest.lstrip(_DRESSES)
    if not (inner or last or len(after) >= LOOK):
        return None
    if kind is Kind.OPENS:
        return inner[:1].isupper() or rest.startswith("\n")
    if mark := MARK.match(rest):
        return kind_of(mark.group()) is not None
    if undecided(rest[: LONGEST + 1]) and not last:
        return None
    dressed = rest != inner and not inner[:1].isspace()
    sign = inner[:1].isupper() or inner[:1].isdigit() or _unspaced(inner[:1])
    return bool(inner) and (dressed or sign or rest.startswith(("#", "\n")))


def _stands(before: str, raw: str, after: str, *, own: bool, last: bool) -> bool | None:
    """A control token is here as itself; None while what decides that is to come. before: empty
    where the reply begins. own: the model's template has it, or the reply begins with others."""
    kind, last = kind_of(raw), last or len(after) >= LOOK
    known = kind is not Kind.WORD or own  # Ordinary text has no such mark.
    beside = before[-1:]
    if not (after or last) and (beside in _QUOTES or _unspaced(beside)):
        return None
    touches = not beside.isspace() and not _set_off(before, after)
    if known and beside and touches:
        return True
    if (header := _is_header(kind, beside, after, last=last)) is not False:
        return header
    if (follows := _follows(after, last=last)) is None:
        return None
    free = (before.endswith("\n") and before.rstrip()[-1:] not in _OPENS) or _ended(before)
    if follows == "turn":
        return True
    if follows == "end":
        if kind is Kind.WORD and not own:
            at_word = bool(beside) and touches
            return _ended(before) or at_word or before.endswith("`\n")
        last_word = own and kind is not Kind.WORD and not _ITEM.search(before)
        return free or _unspaced(beside) or last_word
    if beside and beside in ENDS and _EDGE.fullmatch(raw) and after[0].isupper():
        return True
    if own and kind is Kind.ASKS and free and after.lstrip()[0].islower():
        if _ANSWERED.match(after):
            return True
        if not last and _MAY_BE_ANSWERED.fullmatch(after):
            return None
    if own and _ANSWERS.fullmatch(key_of(raw)):
        kind = Kind.ASKS
    return _is_apart(before, kind, after, free=free, known=known, own=own)


def _is_header(kind: Kind | None, beside: str, after: str, *, last: bool) -> bool | None:
    """A word of its template follows what begins a turn or a channel, or a turn begins where no
    blank would be; None while it may."""
    if kind is Kind.CHANNEL:
        short = not last and len(after) < LONGEST_CHANNEL
        return None if short else bool(_CHANNEL.match(after[:LONGEST_CHANNEL]))
    begins = _ROLE
    if _unspaced(beside) and kind is not Kind.WORD:
        begins = _SPEAKS
    elif kind is not Kind.STARTS:
        return False
    short = not last and (not after or (after.isalpha() and len(after) <= LONGEST_ROLE))
    return None if short else bool(begins.match(after))


def _is_apart(
    before: str, kind: Kind | None, after: str, *, free: bool, known: bool, own: bool
) -> bool:
    """What is behind a token goes on with no sentence that it stands in. free: no sentence is
    under way before it."""
    following, word = after[0], after.lstrip()[0]
    begins = not word.islower()
    opens = word in _QUOTES and not after.startswith("'")
    if word in _AFTER and not (opens and (not before or (own and free and word != "|"))):
        return False
    if not before:
        header = kind in (Kind.STARTS, Kind.CHANNEL) or not following.isspace()
        return header or own or (known and (begins or following == "\n"))
    if kind is Kind.ASKS and free and begins:
        return True
    if following == "\n":
        ended = own and after.startswith("\n\n") and before.rstrip()[-1:].isalnum()
        return known and (free or _unspaced(before[-1:]) or ended)
    ended = own and begins and not before.endswith("\n")
    return known and free and (ended or not following.isspace())


def _follows(after: str, *, last: bool) -> str | None:
    """What comes behind this mark and others that follow it at once: a turn, the end, or text."""
    rest, seen = after.lstrip(), 1
    while mark := MARK.match(rest):
        kind = kind_of(mark.group())
        seen += 1
        if kind in (Kind.STARTS, Kind.ASKS) or seen == IN_A_ROW:
            return "turn"
        if kind not in TOKENS and kind is not Kind.STRIKES:
            return "text"
        rest = rest[mark.end() :].lstrip()
    if not rest:
        return "end" if last else None
    if after[: -len(rest)].endswith("\n") and rest.startswith(_TURNS):
        return "turn"
    may = undecided(rest[: LONGEST + 1]) or any(label.startswith(rest) for label in _TURNS)
    return None if may and not last else "text"


def _set_off(before: str, after: str) -> bool:
    beside = before[-1:]
    if beside in _QUOTES:
        return after[:1] == beside or bool(_QUOTES_OPEN.search(before))
    if _unspaced(beside):
        return not after[:1].isupper()
    return beside.isspace() or beside in _OPENS


def _unspaced(beside: str) -> bool:
    """A letter of a script that puts no blanks between words."""
    return beside > _UNSPACED and beside.isalpha()


def _ended(before: str) -> bool:
    return before.rstrip()[-1:] in ENDS
