"""The controls of the leaderboard: which votes and by which method, as components, as a query
and as the parameters of a link. It does not know what is made of the votes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from gradio.blocks import Block

from arena.core.errors import BadInput
from arena.core.standings.board import Query
from arena.core.standings.bradley_terry import Method
from arena.core.standings.covariates import ORDER, STYLE
from arena.core.standings.slices import pseudonym

ALL = {
    "topic": "All topics",
    "study": "All studies",
    "language": "All languages",
    "channel": "All channels",
}
"""Field of `Slice` → what a menu says when it chooses nothing."""

LONGEST = 200
STYLE_CHOICE = ("Style: length, headings, bold, lists", "style")
ORDER_CHOICE = ("Order: seat, and who stayed on", "order")
TIES = [("Half a win for each", "half"), ("Ties left out", "drop")]
BAD = [("Like a tie", "tie"), ("Both bad left out", "drop")]

OWN_RATER = """(on) => {
  if (!on) return "";
  try { return localStorage.getItem("arena-rater") || "nobody"; } catch { return "nobody"; }
}"""
"""The random name under which this browser votes."""

DAY = '<label class="board-day"><span>{label}</span><input type="date" value="${{value}}"></label>'
PICKED = """element.addEventListener("change", (event) => {
  props.value = event.target.value;
  trigger("input");
});"""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """menus: by field of `Slice`. rater: hidden, filled where only own votes are wanted."""

    menus: Mapping[str, gr.Dropdown]
    since: gr.HTML
    until: gr.HTML
    own: gr.Checkbox
    rater: gr.Textbox
    ties: gr.Radio
    bad: gr.Radio
    correct: gr.CheckboxGroup
    clear: gr.Button

    @property
    def inputs(self) -> set[Block]:
        """What a query is read from."""
        return {
            *self.menus.values(),
            self.since,
            self.until,
            self.rater,
            self.ties,
            self.bad,
            self.correct,
        }

    @property
    def all(self) -> set[Block]:
        """What `cleared` sets."""
        return {*self.inputs, self.own}

    @property
    def changes(self) -> list[Any]:
        """The events after which another query holds."""
        chosen: tuple[Any, ...] = (
            *self.menus.values(),
            self.since,
            self.until,
            self.ties,
            self.bad,
            self.correct,
        )
        return [*(part.input for part in chosen), self.rater.change]

    def query(self, values: Mapping[Block, Any]) -> Query:
        """What the components' values ask for. They come from the browser, where anybody may
        forge them; raises BadInput for what cannot be used."""
        labels = {field: _text(values[menu]) for field, menu in self.menus.items()}
        wanted = values[self.correct] or []
        return Query.asked(
            **labels,
            rater=_text(values[self.rater]),
            since=_text(values[self.since]),
            until=_text(values[self.until]),
            ties=values[self.ties],
            bad=values[self.bad],
            style="style" in wanted,
            order="order" in wanted,
        )

    def cleared(self) -> dict[Block, Any]:
        """Every component as it was at first."""
        menus: dict[Block, Any] = dict.fromkeys(self.menus.values(), "")
        return menus | {
            self.since: "",
            self.until: "",
            self.own: False,
            self.rater: "",
            self.ties: "half",
            self.bad: "tie",
            self.correct: [],
        }

    def offered(self, choices: Mapping[str, tuple[str, ...]]) -> dict[Block, Any]:
        """The menus with these values; what is chosen stays so."""
        return {
            menu: gr.update(choices=_menu(field, choices.get(field, ())))
            for field, menu in self.menus.items()
        }


def build() -> Controls:
    """Draw the controls into the Blocks that is open."""
    with gr.Row(elem_classes="board-controls"):
        menus = {
            field: gr.Dropdown(
                _menu(field, ()),
                value="",
                label=field.capitalize(),
                interactive=True,
                allow_custom_value=True,
                min_width=150,
                elem_id=f"board-{field}",
            )
            for field in ALL
        }
    with gr.Row(elem_classes="board-controls"):
        since, until = _day_field("First day (UTC)", "since"), _day_field("Last day (UTC)", "until")
        own = gr.Checkbox(
            label="Only votes from this browser",
            interactive=True,
            min_width=150,
            elem_id="board-own",
        )
        rater = gr.Textbox("", visible="hidden", elem_id="board-rater")
    with gr.Row(elem_classes="board-controls"):
        ties = gr.Radio(
            TIES, value="half", label="A tie counts", interactive=True, elem_id="board-ties"
        )
        bad = gr.Radio(
            BAD, value="tie", label="“Both bad” counts", interactive=True, elem_id="board-bad"
        )
        correct = gr.CheckboxGroup(
            [STYLE_CHOICE, ORDER_CHOICE],
            label="Correct the ratings for",
            interactive=True,
            elem_id="board-correct",
        )
    clear = gr.Button("Clear all of this", size="sm", elem_id="board-clear")
    own.input(None, own, rater, js=OWN_RATER, queue=False, show_progress="hidden")
    return Controls(menus, since, until, own, rater, ties, bad, correct, clear)


def link(query: Query) -> str:
    """The query as the parameters of an address, empty for the default one."""
    chosen = {field: getattr(query.slice, field) for field in ALL}
    # The rater's own word would let whoever reads the address vote.
    chosen["rater"] = pseudonym(query.slice.rater)
    for field in ("since", "until"):
        if (moment := getattr(query.slice, field)) is not None:
            chosen[field] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    usual = Method()
    chosen["ties"] = query.method.ties if query.method.ties != usual.ties else ""
    chosen["bad"] = query.method.bad if query.method.bad != usual.bad else ""
    chosen["style"] = "true" if set(STYLE) <= set(query.covariates) else ""
    chosen["order"] = "true" if set(ORDER) <= set(query.covariates) else ""
    return urlencode({field: value for field, value in chosen.items() if value})


def _day_field(label: str, name: str) -> gr.HTML:
    """A date field of the browser's own, which keyboards, phones and screen readers know."""
    return gr.HTML(
        "",
        html_template=DAY.format(label=label),
        js_on_load=PICKED,
        apply_default_css=False,
        min_width=150,
        elem_id=f"board-{name}",
    )


def _menu(field: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(ALL[field], ""), *((value, value) for value in values)]


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise BadInput("A filter was sent that cannot be used. Choose one from its menu.")
    return value
