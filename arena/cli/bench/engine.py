"""`arena bench engine`: the engine beside the server within it, and beside an Ollama.

It does not know how that is measured.
"""

from argparse import ArgumentParser, Namespace

from arena import settings as config
from arena.addresses import host_url
from arena.bench import Figure, Told
from arena.cli.arguments import number, to_json


def arguments(parser: ArgumentParser) -> None:
    parser.epilog = (
        "Runs an engine of its own with ARENA_ENGINE_MODELS or the small model. Run it while the "
        "machine does nothing else."
    )
    number(parser, "--tokens", 8, 4096, 128, "of each reply")
    number(parser, "--repeat", 1, 100, 7, "turns, in which each is asked once")
    other = "an Ollama on this machine with three models of the same weights"
    parser.add_argument("--ollama", default="", metavar="URL", help=other)
    to_json(parser)


def run(options: Namespace) -> int:
    from arena.cli.bench.figures import draw

    async def measure(told: Told) -> list[Figure]:
        from arena.bench.engine import Server, measured, offered, warm
        from arena.compose.supply import engine_of

        engine = await engine_of(config.load(), lambda done, whole: told("Weights", 0.0))
        try:
            own = await offered(await engine.start())
            other = await offered(host_url(options.ollama)) if options.ollama else None
            for each in filter(None, (own, other)):
                told(f"Loading models of {each.url}", 0.0)
                await warm(each)
            port, key = engine.servers()[own.models[0]]
            bare = Server(f"http://127.0.0.1:{port}", own.models[:1], key)
            return await measured(own, bare, other, options.tokens, options.repeat, told)
        finally:
            await engine.stop()

    words = "Tokens/s of whole replies, prompts included, which are read once before."
    return draw(options, f"Replies of {options.tokens} tokens", words, measure)
