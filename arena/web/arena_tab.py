"""The Arena tab: the form, the panes, the verdicts, and the wire between them and the referee.

The battle itself is painted in the browser by `paint.js`, fed by `arena.js` from the server's
events; Gradio carries only moves and their answers. No contender is ever known here.
"""

from __future__ import annotations

import json
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from arena.core.battle.entities import LETTERS, Format
from arena.web.moves import Moves

if TYPE_CHECKING:
    from arena.play.referee import Referee

SCRIPTS = ("blocks.js", "inline.js", "maths.js", "replies.js", "paint.js", "arena.js")

FORMATS = [
    ("Elimination: all answer at once, vote out the weakest", Format.ELIMINATION.value),
    ("Knockout: two at a time, the winner meets the next", Format.KNOCKOUT.value),
]
EXAMPLES = {
    "Reason": "A bat and a ball cost 1.10 together. The bat costs 1.00 more than the ball. "
    "What does the ball cost? Explain your reasoning in three sentences.",
    "Code": "Write a Python function that returns the n-th Fibonacci number without recursion. "
    "Add a short docstring and one example.",
    "Write": "Write four lines about the first morning of autumn. Use no adjectives.",
    "Maths": "Derive the formula for the roots of a quadratic equation. "
    "Write the mathematics in LaTeX.",
    "Explain": "Explain to a ten-year-old why the sky is blue, in at most five sentences.",
}

html = partial(gr.HTML, apply_default_css=False, js_on_load=None)

BANNER = """
<div id="banner" hidden>
<p><b id="banner-headline"></b> <span id="banner-detail"></span></p>
<progress id="banner-progress" max="1" aria-label="Progress" hidden></progress>
</div>
"""
PURPOSE = """
<p id="purpose" hidden></p>
"""
LEAD = """
<h2>Who answers best? Judge blind.</h2>
<p>Every model gets your prompt. You vote out the weakest until one is left, and only then you see
the names.</p>
"""
DEMO_NOTE = """
<p id="demo-note" hidden>These are small demonstration models on the CPU, enough to show how a battle
goes. For models on a GPU, start it with the address of an Ollama host:
<code>OLLAMA_HOST=192.168.1.20 python app.py</code></p>
"""
SEND = """
<button type="button" id="send" class="act primary" disabled>Start the battle <kbd>Enter</kbd></button>
"""
BATTLE_HEAD = """
<figure id="asked"><figcaption>Prompt</figcaption><blockquote id="asked-text" dir="auto"></blockquote></figure>
"""
STATUS = """
<div id="round-line"><span id="round-label"></span>
<p id="status" role="status" aria-live="polite" tabindex="-1"></p></div>
<nav id="seats" aria-label="Replies"></nav>
"""
VERDICTS = """
<div id="verdicts" role="group" aria-label="Verdict on all of them">
<button type="button" id="equal" class="act" disabled><span>They are equal</span> <kbd>E</kbd></button>
<button type="button" id="bad" class="act" disabled><span>All bad</span> <kbd>B</kbd></button>
<button type="button" id="undo" class="act quiet" hidden><span>Take back my last vote</span>
<kbd>U</kbd></button>
</div>
"""
NEXT = """
<div id="next" role="group" aria-label="What next">
<button type="button" id="same-prompt" class="act">Same prompt, new draw <kbd>S</kbd></button>
<button type="button" id="new-battle" class="act"><span>New battle</span> <kbd>N</kbd></button>
</div>
"""
PANE = """
<header class="pane-head"><h3 class="pane-name">Model {letter}</h3>
<span class="chip" data-state="waiting">waiting</span>
<button type="button" class="pane-toggle" aria-expanded="false">Read</button></header>
<p class="pane-note" hidden></p>
<p class="pane-idle" aria-hidden="true"></p>
<div class="reply" role="region" aria-label="Reply of Model {letter}" tabindex="0"></div>
<footer class="pane-foot">
<button type="button" id="vote-out-{lower}" class="act" disabled>Vote out <kbd></kbd></button>
<button type="button" id="better-{lower}" class="act primary" disabled>{letter} is better <kbd></kbd></button>
</footer>
"""


def build(referee: Referee, channel: str) -> None:
    """Draw the tab into the Blocks that is open, and wire it."""
    html(BANNER, elem_id="notices")
    _form()
    html(STATUS, elem_id="line")
    with gr.Column(elem_id="battle"):
        html(BATTLE_HEAD, elem_id="battle-head")
        reveal = html("", elem_id="reveal")
        with gr.Row(elem_id="panes", equal_height=True):
            for letter in LETTERS[: referee.rules.battle_size]:
                _pane(letter)
        html(VERDICTS, elem_id="verdict-row")
        with gr.Row(elem_id="follow-up-row"):
            gr.Textbox(
                elem_id="follow-up",
                label="Or ask all of them a follow-up before you vote (F)",
                placeholder="A question they all answer, each in its own conversation",
                interactive=True,
                lines=1,
                max_lines=6,
            )
            html('<button type="button" id="send-follow-up" class="act" disabled>Ask</button>')
        html(NEXT, elem_id="next-row")
    _wire(Moves(referee, channel), reveal)


def _form() -> None:
    with gr.Column(elem_id="composer"):
        html(LEAD, elem_id="lead")
        html(PURPOSE)
        gr.Textbox(
            elem_id="prompt",
            label="Your prompt",
            placeholder="Ask anything. Several models answer, and you do not know which is which.",
            interactive=True,
            lines=3,
            max_lines=14,
            autofocus=True,
        )
        html(_examples(), elem_id="examples")
        with gr.Row(elem_id="composer-foot"):
            gr.Radio(
                FORMATS,
                value=Format.ELIMINATION.value,
                label="Format",
                elem_id="format",
                interactive=True,
            )
            html(SEND, elem_id="send-box")
        html(DEMO_NOTE)


def _examples() -> str:
    chips = "".join(
        f'<button type="button" class="example" data-prompt="{escape(prompt)}">{name}</button>'
        for name, prompt in EXAMPLES.items()
    )
    return f"<span>Try one:</span> {chips}"


def _pane(letter: str) -> None:
    html(PANE.format(letter=letter, lower=letter.lower()), elem_id=f"pane-{letter.lower()}")


def katex() -> list[str]:
    """Addresses of the script and the style sheet for mathematics, among the files that Gradio
    serves; their names change with its version."""
    assets = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    return [
        f"assets/{file.name}" for kind in ("js", "css") for file in assets.glob(f"katex-*.{kind}")
    ]


def _wire(moves: Moves, reveal: gr.HTML) -> None:
    """`ctl` draws nothing: its script triggers the events, and each answer comes back as its
    value. A move's payload is read from the script by `js`."""
    here = Path(__file__).parent
    sources = [(here / name).read_text(encoding="utf-8") for name in SCRIPTS]
    script = "\n".join([f"const KATEX = {json.dumps(katex())};", *sources])
    ctl = html(None, html_template="<span></span>", js_on_load=script, elem_id="ctl")
    for event, move, outputs in (
        (ctl.open, moves.open, [ctl]),
        (ctl.again, moves.again, [ctl]),
        (ctl.vote, moves.vote, [ctl]),
        (ctl.follow, moves.follow_up, [ctl]),
        (ctl.undo, moves.undo, [ctl]),
        (ctl.abandon, moves.abandon, [ctl]),
        (ctl.unmask, moves.reveal, [ctl, reveal]),
    ):
        event(
            move,
            ctl,
            outputs,
            js="() => arena.payload()",
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )
