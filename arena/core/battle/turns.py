"""Words with which templates begin a turn, such as `### Instruction:` or `User:`.

Ordinary replies have them as headings. So they count only where the model's own template has them,
or where ours follow theirs, as when a model plays both. It does not know what was asked.
"""

from collections.abc import Collection, Iterable

from arena.core.battle.entities import Text, Thought

_OURS = ("### Response:", "### Assistant:", "ASSISTANT:", "Assistant:", "<bot>:")
_NAMES = "Instruction Human User System Prompter Question Input Response Assistant".split()
_DRESSED = (
    *(f"{marks} {name}:" for marks in ("###", "##") for name in _NAMES),
    *("USER:", "HUMAN:", "SYSTEM:", "INSTRUCTION:", "ASSISTANT:", "Instruct:"),
)
_ALONE = ("<human>:", "GPT4 Correct User:")
"""Nobody else writes so."""
_WEAK = ("User:", "Human:", "user:")
_ANSWERED = {
    "### Instruction:": ("### Response:",),
    "## Instruction:": ("## Response:",),
    **{f"### {name}:": ("### Assistant:",) for name in ("Human", "User", "Prompter")},
    **{f"## {name}:": ("## Assistant:",) for name in ("Human", "User")},
    **{f"### {name}\n": ("### Assistant\n",) for name in ("Human", "User")},
    **{f"## {name}\n": ("## Assistant\n",) for name in ("Human", "User")},
    **dict.fromkeys(("USER:", "HUMAN:"), ("ASSISTANT:",)),
    **dict.fromkeys(_WEAK, ("Assistant:", "assistant:")),
    "Instruct:": ("Output:",),
    "user\n": ("model\n", "assistant\n"),
}
"""Theirs → ours that follow it."""
THEIRS = (*_ALONE, *_ANSWERED)
LABELS = (*_DRESSED, *(label for label in THEIRS if label not in _DRESSED))
ENDS = ".!?\u2026\u3002\uff01\uff1f\u0964\u061f"
"""Of sentences."""

MADE_UP = 600
"""Characters of a turn that a model makes up, at most; so many are kept back until ours follows."""


def ours(own: Collection[str] | None) -> tuple[str, ...]:
    """So templates begin what the model writes; headings only where its own may."""
    return tuple(o for o in _OURS if own is None or o in own or not o.startswith("#"))


def begins_turn(rest: str, before: str, own: Collection[str] | None, *, last: bool) -> str | None:
    """The label with which somebody else's turn may begin, if a line of a reply begins so; None
    while it may become one. before: the last character above it. own: those of the model's own
    template, None where that is not known."""
    label = next(filter(rest.startswith, LABELS), "")
    if not label:
        return None if not last and any(label.startswith(rest) for label in LABELS) else ""
    if label not in THEIRS and label not in (own or ()):
        return ""
    if label in _WEAK and own is not None and label not in own:
        return ""
    if label in (*_WEAK, "user\n") and before not in ENDS:
        return ""
    said = rest[len(label) :].lstrip(" ")
    if not said:
        return label if last or label.endswith("\n") else None
    return "" if said[0].islower() and label[0].isupper() and label not in _ALONE else label


class Turns:
    """What is decided of a reply, up to where somebody else's turn begins. Where that hangs on
    what follows, the rest is kept back. own: the labels of the model's own template, None where it
    is not known."""

    def __init__(self, own: Collection[str] | None) -> None:
        self._own = own
        self._ready: list[Text | Thought] = []
        self._out: list[Text | Thought] = []
        self._answers: tuple[str, ...] = ()
        self.label, self.since = "", 0
        """The label of the turn that began last, and how much came since."""

    @property
    def open(self) -> bool:
        """It is not known yet whether a turn began."""
        return bool(self._answers) and self.since <= MADE_UP

    def add(self, event: Text | Thought) -> None:
        if isinstance(event, Thought) and event.earlier:
            self._answers = ()
        self._out.append(event)

    def begin(self, rest: str, before: str, *, last: bool) -> bool | None:
        """A line goes on with a turn that is not the reply's; None while it may."""
        if self.open:
            if rest.startswith(self._answers):
                self._out, self._answers = [], ()
                return True
            return None if not last and any(a.startswith(rest) for a in self._answers) else False
        label = begins_turn(rest, before, self._own, last=last)
        if label:
            self._ready = self.taken()
            self.label, self.since = label.strip(), 0
            if label in _ALONE or (label in _DRESSED and label in (self._own or ())):
                return True
            self._answers = _ANSWERED.get(label, ())
        return None if label is None else False

    def ends(self) -> bool:
        """Nothing came after the label of a turn."""
        kept = "".join(event.text for event in self._out)
        if ends := self.open and kept.strip() == self.label:
            self._out, self._answers = [], ()
        return ends

    def taken(self, *, last: bool = False) -> list[Text | Thought]:
        """What is decided by now."""
        if not self.open or last:
            self._ready, self._out, self._answers = self._ready + self._out, [], ()
        out, self._ready = merged(self._ready), []
        return out


def merged(events: Iterable[Text | Thought]) -> list[Text | Thought]:
    """What follows in one kind is one event."""
    found: list[Text | Thought] = []
    for event in events:
        before = found[-1] if found else None
        if isinstance(event, Text) and isinstance(before, Text):
            found[-1] = Text(before.text + event.text)
        elif isinstance(event, Thought) and isinstance(before, Thought) and not event.earlier:
            found[-1] = Thought(before.text + event.text, before.earlier)
        else:
            found.append(event)
    return found
