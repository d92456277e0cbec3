"""`python -m tests.fake_ollama`: a fake host to play with by hand, with its control port. Ends with Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys

from . import (
    FAULTS,
    LLAMA,
    MISTRAL,
    NEW,
    PHI,
    VARIANTS,
    ControlPort,
    FakeModel,
    FakeOllama,
    Fault,
    parse_fault,
)
from .faults import NOT_A_SERVERS


def _fault(spec: str) -> Fault:
    try:
        return parse_fault(spec)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None


def _arguments() -> argparse.Namespace:
    rows = "\n".join(
        f"  {row:2} {name:18} {', '.join(VARIANTS[name]) if name in VARIANTS else ''}".rstrip()
        for row, name in FAULTS.items()
        if name not in NOT_A_SERVERS
    )
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_ollama",
        description="A loopback server that behaves like Ollama, and misbehaves when told to.",
        epilog=f"faults, by number or name, with their variants:\n{rows}\n"
        "a fault is written as KIND[,model=..][,call=N][,frame=N][,times=N|all][,variant=..][,on=preload|/api/..]"
        "[,seconds=S][,rate=R][,to=..]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=11500)
    parser.add_argument("--control-port", type=int, default=0, help="default: any free one")
    parser.add_argument(
        "--models", default="llama3.1:8b,mistral:7b,phi3:mini", help="comma-separated"
    )
    parser.add_argument("--version", default=NEW, help="before 0.12 behaves as the old server does")
    parser.add_argument("--vram", type=float, default=21.7, help="GiB")
    parser.add_argument("--parallel", type=int, default=1, help="as OLLAMA_NUM_PARALLEL")
    parser.add_argument("--max-loaded", type=int, default=3, help="as OLLAMA_MAX_LOADED_MODELS")
    parser.add_argument("--keep-alive", default="5m", help="as OLLAMA_KEEP_ALIVE")
    parser.add_argument("--speed", type=float, default=1.0, help="how many times faster than life")
    parser.add_argument(
        "--share-gpu", action="store_true", help="models that decode together slow one another down"
    )
    parser.add_argument(
        "--warm", action="store_true", help="all models are resident from the start"
    )
    parser.add_argument("--token", help="require this bearer token")
    parser.add_argument(
        "--fault", action="append", default=[], type=_fault, help="may be given many times"
    )
    return parser.parse_args()


async def _serve(given: argparse.Namespace) -> None:
    known = {model.name: model for model in (LLAMA, MISTRAL, PHI)}
    host = FakeOllama(
        [known.get(name) or FakeModel(name) for name in given.models.split(",")],
        version=given.version,
        port=given.port,
        vram_gib=given.vram,
        num_parallel=given.parallel,
        max_loaded=given.max_loaded,
        keep_alive=given.keep_alive,
        speed=given.speed,
        share_gpu=given.share_gpu,
        warm=given.warm,
        token=given.token,
    )
    async with host, ControlPort(host, given.control_port) as control:
        for rule in given.fault:
            host.add_fault(rule)
        sys.stdout.write(f"fake Ollama {given.version} at {host.url}, control at {control.url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    given = _arguments()
    try:
        asyncio.run(_serve(given))
    except KeyboardInterrupt:
        pass
    except OSError as taken:
        sys.exit(
            f"The fake cannot serve on port {given.port}: {taken.strerror}. Choose another with --port."
        )


if __name__ == "__main__":
    main()
