"""The controls of the leaderboard: which votes and by which method, as components, as a query
and as the parameters of a link. It does not know what is made of the votes."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import gradio as gr
from gradio.blocks import Block

from arena.core.errors import BadInput
from arena.core.standings.board import Query
from arena.core.standings.bradley_terry import CHOICES, Method
from arena.core.standings.covariates import ORDER, STYLE
from arena.core.standings.slices import pseudonym
from arena.web.callers import Callers
from arena.web.drawing import shown
from arena.web.words import label

FIELDS = ("topic", "study", "language", "channel")
"""Those of `Slice` that have a menu."""

IN_THE_OPEN = ("topic", "language")

LONGEST = 200
PLAIN = "\u2060"
"""Joins a word to nothing and is not seen: Gradio looks up what a menu offers among its own words,
and `code` or `file` is one of them."""

OWN_SESSION = """(on) => {
  if (!on) return null;
  try { return localStorage.getItem("arena-session") || ""; } catch { return ""; }
}"""
"""What this browser was told of its session, which is nothing where it keeps our cookie."""

DAY = '<label class="board-day"><span>${label}</span><input type="date" value="${value}"></label>'
PICKED = """element.addEventListener("change", (event) => {
  props.value = event.target.value;
  trigger("input");
});"""


KEEP = """(...values) => {
  if (values.some((value) => value?.kept)) return values;
  const kept = Object.fromEntries($names.map((name, at) => [name, values[at]]));
  delete kept[""];
  try { sessionStorage.setItem("arena-board", JSON.stringify(kept)); } catch {}
  return values;
}"""
FORGET = """() => {
  try { sessionStorage.removeItem("arena-board"); } catch {}
  return [];
}"""
"""A page that loses its server loads itself again: what is chosen is kept for this tab of the
browser before it is asked for, so that nobody chooses twice."""


USUAL: Mapping[str, Any] = {"ties": "half", "bad": "tie", "correct": []}
"""What components hold at first; the others nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Controls:
    """asking: the components that a query is read from, by the names of `Query.asked`, and
    `correct`. `rater` is hidden, and filled where only `own` votes are wanted. retired: whether
    those are shown who are no longer in the roster."""

    asking: Mapping[str, Any]
    own: gr.Checkbox
    retired: gr.Checkbox
    clear: gr.Button

    @property
    def changes(self) -> list[Any]:
        """The events after which another query holds."""
        seen = [part.input for name, part in self.asking.items() if name != "rater"]
        return [*seen, self.asking["rater"].change, self.retired.input]

    def query(self, values: Mapping[Block, Any]) -> Query:
        """What the components' values ask for. They come from the browser, where anybody may
        forge them; raises BadInput for what cannot be used."""
        asked: dict[str, Any] = {name: values[part] for name, part in self.asking.items()}
        wanted = asked.pop("correct") or []
        asked |= {name: _text(value) for name, value in asked.items() if name not in USUAL}
        return Query.asked(**asked, style="style" in wanted, order="order" in wanted)

    @property
    def parts(self) -> dict[str, Any]:
        """All that can be chosen, by name."""
        return {**self.asking, "own": self.own, "retired": self.retired}

    def keeping(self, asked: Iterable[Block]) -> str:
        """What the browser does before it asks for the standings with these components."""
        names = {part: name for name, part in self.parts.items()}
        ordered = sorted(asked, key=lambda part: part._id)  # noqa: SLF001 -- as Gradio passes a set
        return KEEP.replace("$names", json.dumps([names.get(part, "") for part in ordered]))

    def again(self, kept: Mapping[str, Any]) -> dict[Block, Any]:
        """The components with what was kept, but for what none of them can hold."""
        parts = self.parts
        return {
            parts[name]: value
            for name, value in kept.items()
            if name in parts and _possible(name, value)
        }

    def cleared(self) -> dict[Block, Any]:
        """Every component as it was at first."""
        parts = {part: USUAL.get(name, "") for name, part in self.asking.items()}
        return {**parts, self.own: False, self.retired: False}

    def offered(self, choices: Mapping[str, tuple[str, ...]]) -> dict[Block, Any]:
        """The menus with these values; what is chosen stays so."""
        return {
            self.asking[field]: gr.update(choices=_menu(field, choices.get(field, ())))
            for field in FIELDS
        }


def build_open() -> dict[str, Any]:
    """Draw those that need no opening: a search among the names, categories, who is retired."""
    with gr.Row(elem_id="board-open", elem_classes="board-controls"):
        gr.HTML(
            shown("board_find"), apply_default_css=False, min_width=150, elem_id="board-find-box"
        )
        menus = {field: _labels(field) for field in IN_THE_OPEN}
        retired = gr.Checkbox(
            label=label("board.retired"), interactive=True, min_width=150, elem_id="board-retired"
        )
    return {**menus, "retired": retired}


def build(callers: Callers, there: Mapping[str, Any]) -> Controls:
    """Draw the other controls into the Blocks that is open. callers: know whose browser it is.
    there: what `build_open` drew."""

    async def own_rater(session: str | None, request: gr.Request) -> str:
        if session is None:
            return ""
        return pseudonym((await callers.of(request, session)).rater) or "nobody"

    with gr.Row(elem_classes="board-controls"):
        asking = {field: there.get(field) or _labels(field) for field in FIELDS}
    with gr.Row(elem_classes="board-controls"):
        asking["since"] = _day_field("first_day", "since")
        asking["until"] = _day_field("last_day", "until")
        own = gr.Checkbox(
            label=label("board.own"), interactive=True, min_width=150, elem_id="board-own"
        )
        asking["rater"] = gr.Textbox("", visible="hidden", elem_id="board-rater")
    with gr.Row(elem_classes="board-controls"):
        for field in ("ties", "bad"):
            asking[field] = gr.Radio(
                [(label(f"board.{field}_{choice}"), choice) for choice in CHOICES[field]],
                value=USUAL[field],
                label=label(f"board.{field}_counts"),
                interactive=True,
                elem_id=f"board-{field}",
            )
        asking["correct"] = gr.CheckboxGroup(
            [(label(f"board.correct_{choice}"), choice) for choice in ("style", "order")],
            label=label("board.correct"),
            interactive=True,
            elem_id="board-correct",
        )
    clear = gr.Button(label("board.clear"), size="sm", elem_id="board-clear")
    own.input(
        own_rater,
        own,
        asking["rater"],
        js=OWN_SESSION,
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return Controls(asking, own, there["retired"], clear)


def link(query: Query) -> str:
    """The query as the parameters of an address, empty for the default one."""
    chosen = {field: getattr(query.slice, field) for field in FIELDS}
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


def _labels(field: str) -> gr.Dropdown:
    return gr.Dropdown(
        _menu(field, ()),
        value="",
        label=label(f"board.field.{field}"),
        interactive=True,
        allow_custom_value=True,
        min_width=150,
        elem_id=f"board-{field}",
    )


def _day_field(key: str, name: str) -> gr.HTML:
    """A date field of the browser's own, which keyboards, phones and screen readers know."""
    return gr.HTML(
        "",
        html_template=DAY,
        label=label(f"board.{key}"),
        js_on_load=PICKED,
        apply_default_css=False,
        min_width=150,
        elem_id=f"board-{name}",
    )


def _menu(field: str, values: tuple[str, ...]) -> list[tuple[str, str]]:
    everything = label(f"board.all.{field}")
    return [(everything, ""), *((f"{PLAIN}{value}", value) for value in values)]


def _possible(name: str, value: object) -> bool:
    if name in ("own", "retired"):
        return isinstance(value, bool)
    if name == "correct":
        return isinstance(value, list) and set(map(str, value)) <= {"style", "order"}
    if name in CHOICES:
        return value in CHOICES[name]
    return isinstance(value, str) and len(value) <= LONGEST


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST:
        raise BadInput("A filter was sent that cannot be used. Choose one from its menu.")
    return value
