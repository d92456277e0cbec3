"""The Arena tab: the form, the panes, the verdicts, and the wire between them and the referee.

The battle itself is painted in the browser by `paint.js`, fed by `arena.js` from the server's
events; Gradio carries only moves and their answers. No contender is ever known here.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from arena.core.battle.entities import LETTERS, Format
from arena.web.ahead import ASSETS
from arena.web.drawing import shown
from arena.web.moves import Moves
from arena.web.words import label

if TYPE_CHECKING:
    from arena.play.referee import Referee

SCRIPTS = (
    "words.js blocks.js inline.js maths.js replies.js paint.js mine.js share.js study.js images.js "
    "arena.js"
).split()

LENT = "trigger, watch, props"
"""What Gradio gives to the script of a component, as far as ours want it."""


FEW = 4
"""Contenders that a battle may be opened with in any case."""

html = partial(gr.HTML, apply_default_css=False, js_on_load=None)


def build(referee: Referee, channel: str) -> None:
    """Draw the tab into the Blocks that is open, and wire it."""
    html(shown("words"))
    html(shown("banner"), elem_id="notices")
    html(shown("study"), elem_id="study-box")
    size = referee.rules.battle_size
    html(shown("status"), elem_id="line")
    _form(size, max(size, FEW))
    with gr.Column(elem_id="battle"):
        html(shown("asked"), elem_id="battle-head")
        reveal = html("", elem_id="reveal")
        with gr.Row(elem_id="panes", equal_height=True):
            html(shown("pane", letter=LETTERS[0]), elem_id="pane-a")
        html(shown("verdicts"), elem_id="verdict-row")
        with gr.Row(elem_id="follow-up-row"):
            _text("follow_up", lines=1, max_lines=6)
            html(shown("ask"))
        html(shown("next"), elem_id="next-row")
    _wire(Moves(referee, channel), reveal)


def _form(size: int, most: int) -> None:
    with gr.Column(elem_id="composer"):
        html(shown("lead"), elem_id="lead")
        html(shown("purpose"))
        _text("prompt", lines=3, max_lines=14, autofocus=True)
        html(shown("examples"), elem_id="examples")
        with gr.Row(elem_id="composer-foot"):
            gr.Radio(
                [(label(f"arena.{format.value}_how"), format.value) for format in Format],
                value=Format.ELIMINATION.value,
                label=label("arena.format"),
                elem_id="format",
                interactive=True,
            )
            html(shown("send"), elem_id="send-box")
        html(shown("options", size=str(size), most=str(most)), elem_id="options-box")
        html(shown("demo_note"))
        html(shown("mine"))


def _text(name: str, **how: Any) -> None:
    """A field for texts, known by the name of its own."""
    said, hint = label(f"arena.{name}"), label(f"arena.{name}_hint")
    own = name.replace("_", "-")
    gr.Textbox(elem_id=own, label=said, placeholder=hint, interactive=True, **how)


def katex() -> list[str]:
    """Addresses of the script and the style sheet for mathematics, among the files that Gradio
    serves; their names change with its version."""
    return [
        f"assets/{file.name}" for kind in ("js", "css") for file in ASSETS.glob(f"katex-*.{kind}")
    ]


def script() -> str:
    """What the page's scripts are as one file, which only defines how they are run: in the page's
    own text they would travel, and be compiled, each time that it is loaded."""
    here = Path(__file__).parent
    sources = [(here / name).read_text(encoding="utf-8") for name in SCRIPTS]
    run = f"function arenaTab({LENT}) {{"
    return "\n".join([run, f"const KATEX = {json.dumps(katex())};", *sources, "}"])


def _wire(moves: Moves, reveal: gr.HTML) -> None:
    """`ctl` draws nothing: its script triggers the events, and each answer comes back as its
    value. A move's payload is read from the script by `js`. Payloads and answers are taken as they
    are: Gradio would ask each component in a thread, and an HTML component changes neither. What is
    asked again is sent again, whatever is still without an answer: the script waits for one at a
    time."""
    made = {
        "open": moves.open,
        "again": moves.again,
        "vote": moves.vote,
        "follow": moves.follow_up,
        "undo": moves.undo,
        "abandon": moves.abandon,
        "stop": moves.stop,
        "unmask": moves.reveal,
        "publish": moves.share,
        "withdraw": moves.withdraw,
    }
    # A component has those events that stand in quotes in its script.
    run = f"arenaTab({LENT}); // {json.dumps([*made])}"
    ctl = html(None, html_template="<span></span>", js_on_load=run, elem_id="ctl")
    for name, move in made.items():
        getattr(ctl, name)(
            move,
            ctl,
            [ctl, reveal] if name == "unmask" else [ctl],
            js="() => arena.payload()",
            preprocess=False,
            postprocess=False,
            queue=False,
            trigger_mode="multiple",
            show_progress="hidden",
            api_visibility="private",
        )
