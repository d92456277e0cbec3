"""What one reply took, and where its budgets end: the same account for every kind of host.

Tokens are counted as the host's frames, which carry one each, until the host tells their number.
It does not know how frames are read.
"""

import time
from collections.abc import Sequence

from arena.adapters.hosts.host import LENGTH, Ended, HostTimeouts, Request
from arena.core.battle.entities import Finished, Text, Thought
from arena.core.errors import HostFault


class Account:
    """Of one reply, from the moment that it is asked for."""

    def __init__(self, url: str, request: Request, timeouts: HostTimeouts) -> None:
        self._url = url
        self._request = request
        self._timeouts = timeouts
        self._started = time.monotonic()
        self._begun: float | None = None
        self._thought_at: float | None = None
        self._first_text: float | None = None
        self._thoughts = 0
        self._texts = 0
        self._undecided = 0
        self._written = False

    def entered(self, parts: Sequence[Text | Thought], frames: int) -> Sequence[Text | Thought]:
        """The parts, which so many frames were; those of what is still undecided count with what
        comes next. Raises HostFault where a budget was used up by them: one of time, or that of
        thought before a word was said."""
        now = time.monotonic()
        self._begun = self._begun or now
        if now - self._begun > self._timeouts.total:
            raise self._fault("too slow", f"wrote for more than {self._timeouts.total:.0f} s")
        self._undecided += frames
        length = sum(len(part.text) for part in parts)
        for part in parts:
            tokens = -(-self._undecided * len(part.text) // length) if length else 0
            self._undecided -= tokens
            length -= len(part.text)
            self._enter(part, tokens, now)
        return parts

    def _enter(self, part: Text | Thought, tokens: int, now: float) -> None:
        if isinstance(part, Thought):
            self._thought_at = self._thought_at or now
            self._thoughts += tokens
            if not self._written and 0 < self._request.thought_tokens < self._thoughts:
                raise self._overthought()
            if part.earlier:
                self._thoughts, self._texts = self._thoughts + self._texts, 0
                self._first_text, self._written = None, False
        else:
            self._texts += tokens
            if part.text.strip():
                self._first_text = self._first_text or now
                self._written = True

    @property
    def begun(self) -> bool:
        """Something of the reply has come."""
        return self._begun is not None

    @property
    def room(self) -> int | None:
        """Frames of text until the reply has its length, where what is left of the thought's
        would let it go on."""
        limit = self._request.reply_tokens
        return max(0, limit - self._texts) if self._request.thought_tokens and limit else None

    @property
    def full(self) -> bool:
        return self.room == 0

    def finished(self, ended: Ended, token: str = "") -> Finished:
        """The facts of a complete reply. token: of a template, at which it ended. Raises
        HostFault for one that says nothing."""
        now = time.monotonic()
        if not self._written:
            if self._thoughts and ended.done_reason == LENGTH:
                raise self._overthought()
            if token:
                raise self._fault("template", f"said nothing but {token}")
            raise self._fault("empty", "said nothing")
        thought = self._thought_at
        return Finished(
            host=self._url,
            done_reason="stop" if token else ended.done_reason,
            ttft_ms=1000 * ((self._first_text or now) - self._started),
            total_ms=1000 * (now - self._started),
            load_ms=ended.load_ms,
            prompt_tokens=ended.prompt_tokens,
            output_tokens=self._written_tokens(ended.output_tokens),
            tokens_per_s=ended.tokens_per_s,
            think=self._request.think,
            thinking_tokens=self._thoughts or None,
            thinking_ms=1000 * ((self._first_text or now) - thought) if thought else None,
            options=dict(self._request.options),
        )

    def _written_tokens(self, told: int | None) -> int:
        """Of the reply alone. told: by the host, which counts what was thought as well."""
        return self._texts if told is None else max(0, told - self._thoughts)

    def _overthought(self) -> HostFault:
        if not self._request.thought_tokens:
            return self._fault("thinks", "thinks though it was told not to")
        return self._fault(
            "overthought",
            f"used up its {self._request.thought_tokens} tokens of thought without a reply; raise "
            "ARENA_THINK_TOKENS, or let the contender think less",
        )

    def _fault(self, kind: str, what: str) -> HostFault:
        return HostFault(f"{self._request.model} on {self._url} {what}.", kind=kind, host=self._url)
