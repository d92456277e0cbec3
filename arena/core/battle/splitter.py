"""What a model writes, parted into thinking and reply, up to where its reply ends.

Models think between tags, in channels, or up to a closing tag that nothing opened; a broken
template lets control tokens through, and with them what is made up beyond the reply. What comes
out adds up to the same however the text came in pieces. It does not know what is shown, or when.
"""

import re
from collections.abc import Collection, Iterable
from enum import Enum

from arena.core.battle.channels import OTHERS, OURS, Words, named
from arena.core.battle.entities import Text, Thought
from arena.core.battle.marks import LONGEST, MARK, THINKING, TOKENS, Kind, kind_of, meant, undecided
from arena.core.battle.places import LOOK, Place, begins_channel
from arena.core.battle.turns import Turns, begins_turn, merged, ours

_SIGN = re.compile(r"[<\[◁\n`~]")
_HALF = re.compile(r"<[|｜] ?/?\w\w|</(?!\d)|\[[/|]")
_RUN = re.compile(r"`+|~+")


class _Mode(Enum):
    REPLY, THOUGHT, CHANNEL, HEADER, OVER = range(5)


class Splitter:
    """For one reply. prompts: what the person asked so far; marks that these are about are
    ordinary text. thinks: the model is known to close what it never opened, so its text is kept
    back until it does. weighs: it is known to think, maybe under headings of words. own: the marks
    and labels of its template, None where it is not known. `token` is the first control token that
    was left out, empty for none; `unopened`: this reply closed what it never opened."""

    def __init__(
        self,
        prompts: Iterable[str] = (),
        *,
        thinks: bool = False,
        weighs: bool = False,
        own: Collection[str] | None = None,
    ) -> None:
        self._text = meant(prompts, own or ())
        self._labels = Kind.LABEL not in self._text
        about = self._text & {Kind.OPENS, Kind.WEIGHS, Kind.LABEL}
        self._words = Words(
            channels=self._text.isdisjoint(TOKENS), headings=weighs and not (thinks or about)
        )
        self._own = own
        self.token, self.unopened = "", False
        self._turns = Turns(own)
        self._held = ""
        self._mode = _Mode.THOUGHT if thinks else _Mode.REPLY
        self._pending: list[str] | None = [] if thinks else None
        self._opened_by, self._assumed = "", thinks
        self._aside: tuple[str, str] | None = None
        self._thought, self._struck = False, 0
        self._wrapped: set[str] = set()
        self._header, self._is_channel = "", False
        self._begun, self._lead, self._trim = False, "", False
        self._place = Place()

    @property
    def over(self) -> bool:
        """A control token has ended the reply; what comes after it is dropped."""
        return self._mode is _Mode.OVER and not self._turns.open

    def feed(self, text: str) -> list[Text | Thought]:
        """What is decided by now, in order."""
        text = self._words.marked(text)
        within = (
            self._mode is _Mode.REPLY and self._begun and not (self._place.ends or self._turns.open)
        )
        if within and not (self._held or _SIGN.search(text)):
            self._place.say(text)
            return [Text(text)] if text else []
        self._held += text
        return self._read()

    def finish(self, *, cut: bool = False) -> list[Text | Thought]:
        """The rest. cut: the reply was ended by its length."""
        self._held += self._words.marked("", last=True)
        out = self._read(last=True)
        if self._mode is _Mode.HEADER:
            self._close_header()
        if self._pending is not None and self._assumed and cut:
            self._turns.add(Thought("".join(self._pending)))
            self._pending, self.unopened = None, True
        while self._pending is not None or (self._aside and not self._begun):
            out += self._release()
        if not (self._begun or self._trim) and self._lead:
            self._turns.add(Text(self._lead))
        if not cut and self._turns.ends():
            self.token = self.token or self._turns.label
        return merged(out + self._turns.taken(last=True))

    # Reading ------------------------------------------------------------------------------------

    def _read(self, *, last: bool = False) -> list[Text | Thought]:
        text, at = self._held, 0
        while at < len(text):
            if self._place.ends and self._may_turn():
                label = self._label(text[at : at + LONGEST], last=last)
                if label is None:
                    break
                at += label
                if label:
                    continue
            sign = _SIGN.search(text, at)
            end = sign.start() if sign else len(text)
            if end > at:
                self._say(text[at:end])
            if not sign:
                at = end
                break
            at = end
            if text[at] == "\n":
                self._say("\n")
                at += 1
            elif run := _RUN.match(text, at):
                if run.end() == len(text) and not last:
                    break
                if self._mode is _Mode.REPLY:
                    self._place.code(run.group())
                self._say(run.group())
                at = run.end()
            elif mark := MARK.match(text, at):
                after = text[mark.end() : mark.end() + LOOK]
                if (read := self._mark(mark.group(), after, last=last)) is None:
                    break
                at += read
            elif undecided(rest := text[at : at + LONGEST + 1]) and not last:
                break
            else:
                half = last and len(rest) > 2 and rest[1] != " " and self._drops(rest)
                at += len(rest) if half else self._said(text[at])
        self._held = text[at:]
        return self._turns.taken()

    def _may_turn(self) -> bool:
        """A turn may begin, or be answered behind a token that ended the reply."""
        ended = self._mode is _Mode.OVER and self._turns.open
        return self._labels and not self._place.fence and (ended or self._mode is _Mode.REPLY)

    def _label(self, rest: str, *, last: bool) -> int | None:
        """Characters that a line begins with and that are left out: a label of a turn. None while
        they may become one."""
        if self._begun:
            over = self._turns.begin(rest, self._place.before, last=last)
            if over:
                self.token, self._mode = self.token or self._turns.label, _Mode.OVER
            return None if over is None else over * len(rest)
        begun = rest.rstrip()
        for label in ours(self._own):
            if rest.startswith(label) and len(begun) > len(label):
                self.token, self._trim = self.token or label.strip(), True
                return len(label)
        if not last and any(label.startswith(begun) for label in ours(self._own)):
            return None
        theirs = begins_turn(rest, ".", None, last=last)
        self._labels = not theirs
        return None if theirs is None else 0

    def _say(self, text: str) -> None:
        """Text of which it is known that it is no mark, to where text goes now."""
        room = LONGEST + 1 - len(self._header)
        if self._mode is _Mode.HEADER and len(text) > room:
            self._say(text[:room])
            text = text[room:]
        if self._mode is _Mode.HEADER:
            self._header += text
            if len(self._header) > LONGEST or ("\n" in text and self._header.strip()):
                self._close_header(whole=False)
        elif self._mode is _Mode.REPLY:
            self._reply(text)
        elif self._pending is not None:
            self._pending.append(text)
        elif self._mode is not _Mode.OVER:
            self._turns.add(Thought(text))
        self._turns.since += len(text)
        self._place.say(text)

    def _said(self, text: str) -> int:
        self._say(text)
        return len(text)

    def _reply(self, text: str) -> None:
        if not self._begun:
            body = text.lstrip()
            self._lead += text[: len(text) - len(body)]
            if not body:
                return
            if self._aside:
                self._turns.add(Thought(self._aside[1]))
                self._aside = None
            text = body if self._trim else self._lead + body
            self._begun, self._lead = True, ""
        self._turns.add(Text(text))

    # Marks --------------------------------------------------------------------------------------

    def _mark(self, raw: str, after: str, *, last: bool) -> int | None:
        """So much of a mark is left out, or a character said; None where that is to be decided."""
        kind, own = kind_of(raw, self._text), self._own or ()
        closes = self._mode is _Mode.THOUGHT and kind is Kind.CLOSES
        if closes and (quoted := self._place.is_quoted(after, last=last)) is not False:
            return quoted and self._said(raw[0])
        about = kind in self._text and not self._begun
        if (channel := about and begins_channel(raw, after, own, last=last)) is None:
            return None
        code = self._place.in_code or self._mode is not _Mode.REPLY
        struck = kind is Kind.STRIKES and (self._struck or (self._begun and "/" not in raw))
        if not (code or struck or kind in self._text):
            itself = self._place.is_itself(raw, after, begun=self._begun, own=own, last=last)
            if not itself:
                return None if itself is None else self._said(raw[0])
        return len(raw) if self._takes(raw, channel=channel) else self._said(raw[0])

    def _takes(self, raw: str, *, channel: bool = False) -> bool:
        """False where this is no mark, but text. channel: it begins one, whatever is text here."""
        kind = kind_of(raw, self._text if self._mode is _Mode.REPLY else ())
        if not kind:
            return False
        match self._mode:
            case _Mode.OVER:
                return True
            case _Mode.THOUGHT:
                return self._within_thought(raw, kind)
            case _Mode.CHANNEL:
                return self._within_channel(raw, kind)
            case _Mode.HEADER:
                return self._within_header(raw, kind)
        if (self._place.in_code or kind in self._text) and not channel:
            return kind is Kind.OPENS and not (self._begun or self._thought) and self._try(raw)
        match kind:
            case Kind.WEIGHS | Kind.WEIGHED:
                return kind is Kind.WEIGHS and not (self._begun or self._thought) and self._try(raw)
            case Kind.OPENS if self._begun and not self._place.fresh:
                return self._try(raw)
            case Kind.OPENS:
                self._mode = _Mode.THOUGHT
            case Kind.CLOSES:
                self._close_unopened()
            case Kind.WRAPS:
                return "|" in raw or self._wraps(raw)
            case Kind.STRIKES if self._struck or (self._begun and "/" not in raw):
                self._struck += -1 if "/" in raw else 1
                return False
            case _:
                self._control(raw, kind)
        return True

    def _wraps(self, raw: str) -> bool:
        """Around the whole of a reply, once it was thought."""
        name = raw.replace("/", "").lower()
        if "/" not in raw and self._thought and not self._begun:
            self._wrapped.add(name)
        elif "/" not in raw or name not in self._wrapped:
            return False
        else:
            self._wrapped.remove(name)
        return True

    def _within_thought(self, raw: str, kind: Kind) -> bool:
        if kind is Kind.OPENS and self._assumed and not "".join(self._pending or ()).strip():
            self._pending, self._assumed = None, False
            return True
        weighs = kind_of(self._opened_by) is Kind.WEIGHS if self._opened_by else False
        if kind is not (Kind.WEIGHED if weighs else Kind.CLOSES):
            return False
        if self._pending is not None:
            body, self._pending = "".join(self._pending), None
            if (weighs or Kind.OPENS in self._text) and not self._assumed:
                self._aside = f"{self._opened_by}{body}{raw}", body
            else:
                self._turns.add(Thought(body))
        self.unopened, self._assumed = self._assumed, False
        self._end_thought()
        return True

    def _within_channel(self, raw: str, kind: Kind) -> bool:
        if kind in THINKING or kind is Kind.WRAPS:
            return False
        self._mode, self._trim = _Mode.REPLY, not self._begun
        return kind not in (Kind.STARTS, Kind.CHANNEL) or self._takes(raw, channel=True)

    def _within_header(self, raw: str, kind: Kind) -> bool:
        if kind in (Kind.STARTS, Kind.CHANNEL):
            self._open_header(kind)
        elif "constrain" not in raw:
            self._close_header()
        return kind not in THINKING or self._takes(raw)

    def _try(self, raw: str) -> bool:
        """Thinking, if it is closed; kept back until then."""
        self._mode, self._pending, self._opened_by = _Mode.THOUGHT, [], raw
        return True

    def _end_thought(self) -> None:
        self._mode, self._thought = _Mode.REPLY, True
        if not self._begun:
            self._lead, self._trim, self._place.fresh = "", True, True

    def _close_unopened(self) -> None:
        if not self._thought and self._begun:
            self._turns.add(Thought("", earlier=True))
            self.unopened, self._begun = True, False
        self._end_thought()

    def _control(self, raw: str, kind: Kind) -> None:
        self.token = self.token or raw
        if kind is Kind.CHANNEL or (kind is Kind.STARTS and not self._begun):
            self._open_header(kind)
        elif self._begun or kind is Kind.ASKS:
            self._mode, self._place.ends = _Mode.OVER, True
        self._trim = self._trim or not self._begun

    def _open_header(self, kind: Kind) -> None:
        self._mode, self._header, self._is_channel = _Mode.HEADER, "", kind is Kind.CHANNEL

    def _close_header(self, *, whole: bool = True) -> None:
        """whole: all that was read since the header's mark belongs to it, not only a word."""
        name, rest = named(self._header)
        if self._is_channel:
            self._mode = _Mode.REPLY if name == "final" else _Mode.CHANNEL
        else:
            self._mode = _Mode.OVER if name in OTHERS else _Mode.REPLY
        known = self._is_channel or name in OURS
        if not (known and whole):
            self._say(rest if known else self._header.lstrip())

    def _drops(self, rest: str) -> bool:
        """Half a mark at the very end is left out, where a whole one would be."""
        elsewhere = self._mode is not _Mode.REPLY or self._place.in_code or not self._begun
        if elsewhere or self._text & (THINKING | TOKENS) or not _HALF.match(rest):
            return False
        self.token = self.token or rest
        return True

    def _release(self) -> list[Text | Thought]:
        """What was kept apart as thinking in case it is closed is the reply."""
        body = self._opened_by + "".join(self._pending or ())
        self._held = self._aside[0] if self._aside else body
        if not self._assumed:
            self._text, self._thought = self._text | THINKING | {Kind.WEIGHS}, True
        self._pending, self._aside, self._assumed = None, None, False
        self._mode, self._opened_by = _Mode.REPLY, ""
        return self._read(last=True)
