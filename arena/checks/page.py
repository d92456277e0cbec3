"""The page as a browser uses it: what its HTML says of where its calls go, and calls to there.

A browser learns that by Gradio's client and by `arena.js`. It does not know how battles go.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import httpx

from arena.checks.visitor import Elsewhere, Refused, Visitor, detail, events

CONFIG = re.compile(r"window\.gradio_config = (\{.+?\});</script>", re.DOTALL)


class Page:
    """`answer`: what the page came with. `moves`: where it sends its moves. Whatever does not
    reach the arena raises Elsewhere, what the arena refuses Refused."""

    def __init__(self, browser: Visitor, answer: httpx.Response, config: Mapping[str, Any]) -> None:
        root = answer.url.join(config["root"])
        self._strange = root.host != answer.url.host
        if not self._strange:
            # A browser stays with the scheme and the port by which it has reached the page.
            root = root.copy_with(scheme=answer.url.scheme, port=answer.url.port)
        self.answer = answer
        self._config = config
        self.moves = f"{str(root).rstrip('/')}{config['api_prefix']}/run/predict"
        self._browser = browser
        self._functions = {
            event: (function["id"], part)
            for function in config["dependencies"]
            for part, event in function["targets"]
        }
        self._me = {"session": ""}
        self._session = secrets.token_hex(6)
        self._asked = 0

    @classmethod
    async def opened(cls, browser: Visitor) -> Page:
        accepted = {"Accept": "text/html"}
        answer = await browser.ask("GET", browser.url, headers=accepted, follow_redirects=True)
        found = CONFIG.search(answer.text)
        if answer.is_error or not found:
            said = f"answers {answer.status_code}, but not with the arena's page"
            raise Elsewhere(f"{browser.url} {said}")
        return cls(browser, answer, json.loads(found[1]))

    def again(self) -> Page:
        """The same page in another tab, of somebody else."""
        return Page(self._browser, self.answer, self._config)

    def body(self, name: str, **fields: object) -> dict[str, Any]:
        """What one of `arena.js`'s moves sends."""
        self._asked += 1
        number, part = self._functions[name]
        return {
            "data": [{**fields, **self._me, "re": self._asked}],
            "event_data": {},
            "fn_index": number,
            "trigger_id": part,
            "session_hash": self._session,
        }

    async def move(self, name: str, **fields: object) -> dict[str, Any]:
        """One of `arena.js`'s moves; what is answered to it."""
        where = f"the page sends its moves to {self.moves}, "
        if self._strange:
            raise Elsewhere(f"{where}which is another site, and browsers may not ask one")
        body = self.body(name, **fields)
        response = await self._browser.ask("POST", self.moves, json=body)
        try:
            answer: dict[str, Any] = response.json()["data"][0]
            if answer["re"] != self._asked:
                raise ValueError
        except (ValueError, LookupError, TypeError):
            said = f"where no arena answers ({detail(response)})"
            raise Elsewhere(f"{where}{said}") from None
        if "error" in answer:
            raise Refused(answer["error"])
        if "session" in answer:
            self._me["session"] = answer["session"]
        return answer

    @asynccontextmanager
    async def following(self, battle: str) -> AsyncIterator[AsyncGenerator[dict[str, Any], None]]:
        """The bodies of a battle's events from its start: {"state": …}, {"pieces": […]}."""
        address = str(self.answer.url.join(f"api/arena/battles/{battle}/events"))
        async with self._browser.streamed(address) as response:
            if response.is_error:
                await response.aread()
                said = f"where no arena answers ({detail(response)})"
                raise Elsewhere(f"the page follows its battle at {address}, {said}")
            async with aclosing(events(response)) as told:
                yield told

    async def rows(self, battle: str) -> int:
        """How many votes of a battle that is over are kept."""
        revealed = await self._browser.call(f"/api/arena/battles/{battle}/reveal")
        return int(revealed["votes"])
