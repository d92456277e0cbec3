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
_ASSISTANT = "Assistant:"
"""Dialogues have these for people."""
_ANSWERED = {
    "### Instruction:": ("### Response:", "### Output:"),
    "## Instruction:": ("## Response:",),
    **{
        f"### {name}:": ("### Assistant:", "### Response:")
        for name in ("Human", "User", "Prompter")
    },
    **{f"## {name}:": ("## Assistant:",) for name in ("Human", "User")},
    **{f"### {name}\n": ("### Assistant\n",) for name in ("Human", "User")},
    **{f"## {name}\n": ("## Assistant\n",) for name in ("Human", "User")},
    **dict.fromkeys(("USER:", "HUMAN:"), ("ASSISTANT:", "Assistant:")),
    **dict.fromkeys(_WEAK, ("Assistant:", "assistant:", "AI:", "Bot:")),
    "Instruct:": ("Output:",),
    "user\n": ("model\n", "assistant\n"),
}
"""Theirs → ours that follow it."""
THEIRS = (*_ALONE, *_ANSWERED)
LABELS = (*_DRESSED, _ASSISTANT, *(label for label in THEIRS if label not in _DRESSED))
ENDS = ".!?\u2026\u3002\uff01\uff1f\u0964\u061f"
"""Of sentences."""

MADE_UP = 300
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
    if label in (*_WEAK, _ASSISTANT, "user\n") and before not in ENDS:
        return ""
    said = rest[len(label) :].lstrip(" ")
    if not said:
        return label if last or label.endswith("\n") else None
    return "" if _explains(said, label) and label not in THEIRS else label


def _explains(said: str, label: str) -> bool:
    """A line goes on as one does that says what its first word is."""
    return said[:1].islower() and label[0].isupper()


class Turns:
    """What is decided of a reply, up to where somebody else's turn begins. Where that hangs on
    what follows, the rest is kept back. own: the labels of the model's own template, None where it
    is not known."""

    def __init__(self, own: Collection[str] | None) -> None:
        self._own = own
        self._out: list[Text | Thought] = []
        self._began: list[tuple[str, int, int]] = []
        """Labels that may begin a turn, with the events and the characters that came before."""
        self.label, self.since = "", 0
        """The label of the turn that began last, and how much came in all."""

    @property
    def open(self) -> bool:
        """It is not known yet whether a turn began."""
        return bool(self._recent())

    def _recent(self) -> list[tuple[str, int, int]]:
        return [began for began in self._began if self.since - began[2] <= MADE_UP]

    def add(self, event: Text | Thought) -> None:
        if isinstance(event, Thought) and event.earlier:
            self._began = []
        self._out.append(event)

    def begin(self, rest: str, before: str, *, last: bool) -> bool | None:
        """A line goes on with a turn that is not the reply's; None while it may."""
        self._began = self._recent()
        for label, at, _ in self._began:
            if rest.startswith(_ANSWERED[label]):
                self._out, self._began, self.label = self._out[:at], [], label.strip()
                return True
        answers = {answer for label, _, _ in self._began for answer in _ANSWERED[label]}
        if not last and any(answer.startswith(rest) for answer in answers):
            return None
        found = begins_turn(rest, before, self._own, last=last)
        if not found:
            return None if found is None else False
        self.label = found.strip()
        if found in _ALONE or self._sure(found, rest[len(found) :].lstrip(" ")):
            self._began = []
            return True
        if found in _ANSWERED and found not in (began[0] for began in self._began):
            self._began.append((found, len(self._out), self.since))
        return False

    def _sure(self, label: str, said: str) -> bool:
        """The model's own template has this label."""
        weak = map(self._has, _WEAK) if label == _ASSISTANT else (True,)
        return self._has(label) and any(weak) and not _explains(said, label)

    def _has(self, label: str) -> bool:
        """The model's own template has this label, and no other that has it within."""
        own = self._own or ()
        whole = label in _DRESSED or not any(label in other and label != other for other in own)
        return label in own and label in (*_DRESSED, *_WEAK, _ASSISTANT) and whole

    def ends(self) -> bool:
        """Nothing came after the label of a turn."""
        if not (recent := self._recent()):
            return False
        label, at, _ = recent[-1]
        if ends := "".join(event.text for event in self._out[at:]).strip() == label.strip():
            self._out, self._began = self._out[:at], []
        return ends

    def taken(self, *, last: bool = False) -> list[Text | Thought]:
        """What is decided by now."""
        self._began = [] if last else self._recent()
        upto = self._began[0][1] if self._began else len(self._out)
        out, self._out = merged(self._out[:upto]), self._out[upto:]
        self._began = [(label, at - upto, since) for label, at, since in self._began]
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
