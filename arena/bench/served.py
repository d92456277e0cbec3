"""What a bench serves in a process of its own: `python -m arena.bench.served arena FOLDER`,
or `tokens HOST`, a plain Gradio app in which three models answer and each token is sent as it comes.

It tells its address in one line on standard output and ends with its standard input. The arena
uses the hosts of the settings, but keeps its votes in the folder and shares nothing with replicas.
It does not know what is measured.
"""

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

from arena import settings as config
from arena.bench.launched import MODELS
from arena.server import serving


def arena(folder: str) -> serving.Server:
    from arena.compose import House
    from arena.server.application import build_app

    settings = config.load(DATABASE_URL=f"sqlite:///{folder}/arena.db")
    house = House(replace(settings, redis_url=""))
    house.check()
    return _told(build_app(house), serving.Stopping(house.stores.feed.close, house.drain))


def tokens(host: str) -> serving.Server:
    import gradio as gr
    from fastapi import FastAPI

    @cache
    def client() -> Any:
        # Not before it is asked for: until then the app is a bare one.
        from ollama import AsyncClient

        return AsyncClient(host=host)

    async def answer(model: str, prompt: str) -> AsyncIterator[list[dict[str, str]]]:
        said = {"role": "user", "content": prompt}
        text = ""
        async for part in await client().chat(model=model, messages=[said], stream=True):
            text += part.message.content or ""
            yield [said, {"role": "assistant", "content": text}]

    with gr.Blocks(analytics_enabled=False) as page:
        prompt = gr.Textbox(label="Prompt")
        for model in MODELS:
            prompt.submit(partial(answer, model), prompt, gr.Chatbot(), concurrency_limit=None)
    app = gr.mount_gradio_app(FastAPI(), page, path="", ssr_mode=False)
    return _told(app, serving.Stopping(lambda: None, _nothing_to_drain))


async def _nothing_to_drain() -> None:
    """Whoever stops it has read what there was."""


def _told(app: Any, stopping: serving.Stopping) -> serving.Server:
    sock = serving.listen("127.0.0.1", 0)
    server = serving.Server(app, sock, stopping)
    server.start()
    sys.stdout.write(f"{serving.url_of(sock)}\n")
    sys.stdout.flush()
    return server


if __name__ == "__main__":
    config.quiet_libraries()
    program, folder = sys.argv[1:]
    server = {"arena": arena, "tokens": tokens}[program](folder)
    sys.stdin.read()
    server.stop()
