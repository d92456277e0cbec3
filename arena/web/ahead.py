"""What Gradio's page asks for, told at its head: its scripts, which it would find one after the
other, and its styles, which come as one sheet together with ours; and our own script, which browsers
keep as they keep that sheet.

Which files these are stands in Gradio's own. Where it stands there in another way than is known
here, less is told ahead, and the page asks for the rest by itself, as Gradio's pages do. It does
not know what the page shows.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import Response

FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
ASSETS = FRONTEND / "assets"
SHEET, SCRIPT = "/style.css", "/arena.js"

FIRST = re.compile(r'src="\./assets/([^"]+\.js)"')
FILES = re.compile(r"\bm\.f=(\[[^\]]*\])")
NEEDED = r".{0,100}?__vite__mapDeps\(\[([\d,]+)\]"
"""Behind an import: which of the files the module needs, itself among them."""


@dataclass(frozen=True)
class Ahead:
    """scripts: Gradio's modules, in the order in which it asks for them; styles: those sheets of
    its that are in `sheet`. Both are names of files in its `assets`. own: our script, if any."""

    scripts: tuple[str, ...]
    styles: tuple[str, ...]
    sheet: str
    own: str = ""

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """Of what we serve, by address; each page names them."""
        served = {SHEET: self.sheet, SCRIPT: self.own}
        return {address: sha256(text.encode()).hexdigest()[:16] for address, text in served.items()}


def of_page(page: gr.Blocks, style: str, own: str = "") -> Ahead:
    """style: our sheet. Its place is where Gradio puts a page's own: after the frame's styles and
    before those of the components. own: our script, which runs before Gradio's."""
    first = FIRST.search((FRONTEND / "index.html").read_text("utf-8"))
    script = first[1] if first else ""
    frame = _needed(script, r"import\(`\./Index-")
    shell, core = _script(frame, "Index-"), _script(frame, "core-")
    rest = _needed(shell, r"import\(`\./Blocks-")
    for kind in _kinds(page.config):
        rest += _needed(core, rf"\b{kind}:\{{[^}}]*?component:")
    files = [name for name in dict.fromkeys([*frame, *rest]) if not name.startswith("index-")]
    styles = [name for name in files if name.endswith(".css")]
    place = len([name for name in styles if name in frame])
    sheets = [_read(name) for name in styles]
    return Ahead(
        scripts=tuple(name for name in [script, *files] if name.endswith(".js")),
        styles=tuple(styles),
        sheet="\n".join([*sheets[:place], style, *sheets[place:]]),
        own=own,
    )


def install(app: FastAPI, ahead: Ahead) -> None:
    """Add the sheet and the script. A page of another version gets ours too, which is better than
    none."""

    @app.get(SHEET, include_in_schema=False)
    async def sheet() -> Response:
        return Response(ahead.sheet, media_type="text/css")

    @app.get(SCRIPT, include_in_schema=False)
    async def script() -> Response:
        return Response(ahead.own, media_type="text/javascript")


def _kinds(config: Mapping[str, Any]) -> Iterable[str]:
    """The kinds of components that the page shows or may show, in its order."""
    components = {each["id"]: each for each in config["components"]}

    def below(node: Mapping[str, Any]) -> Iterator[str]:
        for child in node.get("children") or ():
            component = components[child["id"]]
            if component["props"].get("visible") is not False:
                yield component["type"]
            yield from below(child)

    # What holds all of them is a column to Gradio.
    return dict.fromkeys(["column", *below(config["layout"])])


def _needed(script: str, imported: str) -> list[str]:
    """The files that come with what is imported there."""
    told = _read(script)
    files, numbers = FILES.search(told), re.search(imported + NEEDED, told)
    if not (files and numbers):
        return []
    names = json.loads(files[1])
    return [names[int(number)].removeprefix("./") for number in numbers[1].split(",")]


def _script(names: Iterable[str], beginning: str) -> str:
    return next((name for name in names if re.fullmatch(rf"{beginning}.*\.js", name)), "")


def _read(name: str) -> str:
    file = ASSETS / name
    return file.read_text("utf-8") if file.is_file() else ""
