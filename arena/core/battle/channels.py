"""Thinking and channels that are told by their words alone get marks: `analysisWe need…` and
`assistantfinalIt is…` of gpt-oss whose marks a server took out, and headings such as
`**Thinking:**` and `**Answer:**`.

It does not know what becomes of them.
"""

import re
from itertools import takewhile

_FIRST = re.compile(r"\A\s{0,8}(analysis|commentary)(?=[A-Z\"'])")
_NEXT = re.compile(r"assistant(analysis|commentary|final)")
_LONGEST = len("assistantcommentary")


class Channels:
    """Of one reply, as it grows."""

    def __init__(self) -> None:
        self._held, self._begun = "", False
        self.over = False
        """The reply has no such words."""

    def marked(self, text: str, *, last: bool = False) -> str:
        """What is decided of the reply by now, with its marks."""
        self._held += text
        if not self._begun:
            begun, short = self._held.lstrip()[:10], len(self._held) < _LONGEST
            if short and not last and any(n.startswith(begun) for n in ("analysis", "commentary")):
                return ""
            self._begun = True
            whole, found = _FIRST.subn(r"<|channel|>\1<|message|>", self._held, count=1)
            self._held, self.over = whole, not found
        whole = self._held
        if not self.over:
            whole = _NEXT.sub(r"<|end|><|start|>assistant<|channel|>\1<|message|>", whole)
        keep = 0 if last or self.over else _LONGEST
        whole, self._held = whole[: len(whole) - keep], whole[len(whole) - keep :]
        return whole


OURS = ("assistant", "model", "bot", "chatbot", "ai", "gpt")
OTHERS = ("user", "human", "system", "developer", "tool", "ipython", "observation")
"""Who speaks, by what a template names them."""


def named(header: str) -> tuple[str, str]:
    """The word that a header begins with, and what is behind it."""
    name = "".join(takewhile(str.isalpha, header.lstrip()))
    return name.lower(), header.lstrip().removeprefix(name).lstrip()


_WORDS = (
    *("thinking", "thoughts", "thought process", "thinking process"),
    *("chain of thought", "reasoning"),
)
_THINKING = "(?:thinking|thought process|thinking process|chain of thought)"
_HIDDEN = f"(?:{_THINKING}|thoughts?|reasoning(?: process)?)"
"""What a reply explains in stands under headings of these; nobody hides it so."""
_ANSWER = "(?:(?:my |the )?(?:final )?(?:answer|response|reply)|output)"
_PAIRS = tuple(
    (re.compile(rf"\s*(?i:{opens})"), re.compile(f"(?i:{closes})"))
    for opens, closes in (
        (r"thinking\.\.\.\n", r"\n\.\.\. ?done thinking\.?"),
        (rf"\*{_THINKING}:", r"\*[ \t]*\n"),
        (rf"\({_THINKING}:", r"\)[ \t]*\n"),
        (rf"<!-- *{_HIDDEN}:?", "-->"),
        (rf"> ?(?:\*\*)?{_THINKING}(?=\*\*|[:.\u2026]|\s*\n)", r"\n(?=[^>])"),
        (rf"```{_HIDDEN}\n", r"\n```[ \t]*\n"),
        (rf"<details>\s*<summary>{_HIDDEN}[^<\n]*</summary>", "</details>"),
        (
            rf"(?:(?:\*\*|__)?{_THINKING}(?::(?:\*\*|__)?|(?:\*\*|__):?)|#+ {_THINKING}:?(?=\n))",
            rf"\n(?:(?:\*\*|__)?{_ANSWER}(?::(?:\*\*|__)?|(?:\*\*|__):?)|#+ {_ANSWER}:?(?=\n))",
        ),
    )
)
_DRESS = re.compile(r"\s*(?:#+ ?|> ?\*{0,2}|\*+|_+|`+|\(|<!-- *|<details>\s*<summary>)?")
_HEADING, _LONGEST_THOUGHT = 48, 20_000


class Worded:
    """Of one reply that thinks first, under headings of words; kept back until it is decided."""

    def __init__(self) -> None:
        self._held, self._read = "", 0
        self.over = False

    def marked(self, text: str, *, last: bool = False) -> str:
        """What is decided by now, with marks around the thinking."""
        self._held += text
        begun = _DRESS.sub("", self._held, count=1).lower()
        if not last and self._may_open(begun):
            return ""
        for opens, closes in _PAIRS:
            if opening := opens.match(self._held):
                closing = closes.search(self._held, max(opening.end(), self._read - _HEADING))
                self._read = len(self._held)
                if closing and (last or closing.end() + 2 <= self._read):
                    self.over = True
                    thought = self._held[opening.end() : closing.start()]
                    return f"<think>{thought}</think>{self._held[closing.end() :]}"
                if not (last or self._read > _LONGEST_THOUGHT):
                    return ""
        self.over = True
        return self._held

    def _may_open(self, begun: str) -> bool:
        """So little is read that it may become a heading."""
        if len(self._held) > _HEADING:
            return False
        if begun.startswith("<details>") or any(t.startswith(begun) for t in ("<details>", "<!--")):
            return True
        return any(
            word.startswith(begun) or (begun.startswith(word) and len(begun) < len(word) + 12)
            for word in _WORDS
        )


class Words:
    """All of these of one reply. headings: it may think under headings."""

    def __init__(self, *, channels: bool, headings: bool) -> None:
        kinds = (Worded, headings), (Channels, channels)
        self._open: list[Worded | Channels] = [kind() for kind, may_be in kinds if may_be]

    def marked(self, text: str, *, last: bool = False) -> str:
        """What is decided by now, with its marks."""
        for each in self._open:
            text = each.marked(text, last=last)
        self._open = [each for each in self._open if not each.over]
        return text
