"""What a bench serves in a process of its own: `python -m arena.bench.served arena FOLDER`,
or `tokens HOST`, a plain Gradio app in which three models answer and each token is sent as it comes.

It tells its address in one line on standard output and ends with its standard input. The arena
uses the hosts of the settings, but keeps its votes in the folder and shares nothing with replicas.
The plain app imports nothing that an app without the arena would not. It does not know what is
measured.
"""

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from functools import cache, partial
from socket import create_server
from threading import Thread
from typing import Any

from arena import settings as config
from arena.bench.launched import MODELS

Stop = Callable[[], object]


def arena(folder: str) -> Stop:
    from arena.compose import House
    from arena.server import serving
    from arena.server.application import build_app

    settings = config.load(DATABASE_URL=f"sqlite:///{folder}/arena.db")
    house = House(replace(settings, redis_url=""))
    house.check()
    sock = serving.listen("127.0.0.1", 0)
    stopping = serving.Stopping(house.stores.feed.close, house.drain)
    server = serving.Server(build_app(house), sock, stopping)
    server.start()
    _tell(serving.url_of(sock))
    return server.stop


def tokens(host: str) -> Stop:
    import gradio as gr
    import uvicorn
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
    sock = create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    Thread(target=server.run, args=([sock],), daemon=True).start()
    _tell(f"http://127.0.0.1:{sock.getsockname()[1]}")
    return sock.close


def _tell(url: str) -> None:
    sys.stdout.write(f"{url}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    config.quiet_libraries()
    program, folder = sys.argv[1:]
    stop = {"arena": arena, "tokens": tokens}[program](folder)
    sys.stdin.read()
    stop()
