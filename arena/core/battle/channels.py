"""Channels of gpt-oss whose marks a server took out get them again: `analysisWe need…` and
`assistantfinalIt is…` are told by their words alone.

It does not know what becomes of a channel.
"""

import re

_FIRST = re.compile(r"\A\s{0,8}(analysis|commentary)(?=[A-Z\"'])")
_NEXT = re.compile(r"assistant(analysis|commentary|final)")
_LONGEST = len("assistantcommentary")


class Channels:
    """Of one reply, as it grows."""

    def __init__(self) -> None:
        self._held = ""
        self.bare: bool | None = None
        """The reply has such words; None while its beginning is too short to tell."""

    def marked(self, text: str, *, last: bool = False) -> str:
        """What is decided of the reply by now, with its marks."""
        self._held += text
        if self.bare is None:
            begun, short = self._held.lstrip()[:10], len(self._held) < _LONGEST
            if short and not last and any(n.startswith(begun) for n in ("analysis", "commentary")):
                return ""
            self.bare = bool(_FIRST.match(self._held))
            self._held = _FIRST.sub(r"<|channel|>\1<|message|>", self._held, count=1)
        whole = self._held
        if self.bare:
            whole = _NEXT.sub(r"<|end|><|start|>assistant<|channel|>\1<|message|>", whole)
        keep = 0 if last or not self.bare else _LONGEST
        whole, self._held = whole[: len(whole) - keep], whole[len(whole) - keep :]
        return whole
