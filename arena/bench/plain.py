"""A tab on the plain Gradio app whose three models send each token (`arena.bench.served`): it
asks and reads as Gradio's own client does.

It does not know how many tabs there are.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

from arena.bench.browser import LONGEST_S, Connection, Plan, Watched
from arena.bench.launched import MODELS

API = "/gradio_api/queue"


class PlainTab:
    def __init__(self, url: str, plan: Plan) -> None:
        self._plan = plan
        self._asking, self._stream = Connection(url), Connection(url)
        self._session = secrets.token_hex(6)

    async def open(self) -> None:
        await self._asking.ask("GET", "/")

    def close(self) -> None:
        self._asking.close()
        self._stream.close()

    async def play(self, mark: str) -> Watched:
        """Gaps are those of the pane that came last, as no pane may stand still. Raises Broken
        where a reply did not arrive whole."""
        watched = Watched(time.monotonic(), self._plan.length_s)
        panes: dict[str, list[float]] = {}
        whole: list[str] = []

        def told(message: Mapping[str, Any]) -> None:
            if message["msg"] == "process_generating":
                panes.setdefault(message["event_id"], []).append(time.monotonic())
            elif message["msg"] == "process_completed":
                whole.append(message["output"]["data"][0][-1]["content"][0]["text"])

        for number in range(len(MODELS)):
            asked = {"data": [f"Tell me of {mark}"], "event_data": None, "fn_index": number}
            body = {**asked, "trigger_id": 1, "session_hash": self._session}
            await self._asking.ask("POST", f"{API}/join", body)
        watched.opened = time.monotonic()
        async with asyncio.timeout(LONGEST_S):
            await self._stream.events(f"{API}/data?session_hash={self._session}", told)
        self._plan.check(mark, whole)
        # A pane by itself is what a person looks at; all three are as good as one of ours.
        watched.updates = max(panes.values(), key=lambda times: times[-1])
        return watched
