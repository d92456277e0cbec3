"""What the page says, in every language that has a file in `locales/`, and which a visitor reads.

What is the same for everybody goes through Gradio's i18n, which picks in the browser; what is
drawn on request asks `spoken`. It does not know what is said where.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import gradio as gr
import orjson
import pandas as pd
from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.lists import format_list
from babel.numbers import format_decimal
from markupsafe import Markup

LOCALES = Path(__file__).with_name("locales")
USUAL = "en"
OURS = {"en": "en_GB"}
"""The country whose habits a language follows here, where it has several."""
DASH = "–"
SCRIPTS_SAY = ("arena", "units")
"""Sections that the page's scripts read."""
PLACE = re.compile(r"\\{(\w+)\\}")

Texts = Mapping[str, Any]


class Words:
    """The texts of one language, by dotted keys, and how numbers are written in it."""

    def __init__(self, file: Path) -> None:
        self.language = file.stem
        self._locale = Locale.parse(OURS.get(self.language, self.language))
        self._texts: Texts = tomllib.loads(file.read_text("utf-8"))

    @property
    def direction(self) -> str:
        return self._locale.text_direction

    def __call__(self, key: str, **values: Any) -> str:
        """The text with these values. `count` decides the form where there are several."""
        return self._form(key, values).format(**self._written(values))

    def html(self, key: str, **values: Any) -> Markup:
        """The same as HTML, in which only the values are escaped."""
        form = Markup(self._form(key, values))  # noqa: S704 -- ours
        return form.format(**self._written(values)) if "{" in form else form

    def said(self, text: str) -> str:
        """What the rest of the program says in English; as it is where nobody foresaw it."""
        for key, pattern in _SAID:
            if found := pattern.fullmatch(text):
                values = {name: self._read(value) for name, value in found.groupdict().items()}
                return self(key, **values)
        return text

    def table(self, key: str) -> Texts:
        """All that is under this key."""
        found: Any = self._texts
        for part in key.split("."):
            found = found[part]
        table: Texts = found
        return table

    def number(self, value: float | None, decimals: int = 0, *, up_to: bool = False) -> str:
        """With so many decimals, or with at most so many."""
        if pd.isna(value):
            return DASH
        pattern = f"#,##0.{('#' if up_to else '0') * decimals}".rstrip(".")
        return format_decimal(value, pattern, locale=self._locale)

    def rating(self, value: float | None, *, signed: bool = False) -> str:
        """Ratings and what they gain are known by their four digits, which nothing parts."""
        if pd.isna(value):
            return DASH
        number = round(value)
        return f"−{-number}" if number < 0 else f"+{number}" if signed and number else str(number)

    def percent(self, share: float | None) -> str:
        return self._unit("percent", None if pd.isna(share) else 100 * share, 0)

    def seconds(self, ms: float | None) -> str:
        """The one way in which the page writes how long something took."""
        return self._unit("seconds", None if pd.isna(ms) else ms / 1000, 1)

    def gigabytes(self, size: int) -> str:
        return self._unit("gigabytes", size / 1e9, 1)

    def speed(self, tokens_per_s: float | None) -> str:
        return self._unit("tokens_per_s", tokens_per_s, 1)

    def day(self, day: date) -> str:
        return str(format_date(day, "long", locale=self._locale))

    def short_day(self, day: date) -> str:
        return str(format_skeleton("MMMd", day, locale=self._locale))

    @property
    def separators(self) -> str:
        """What stands before decimals and between thousands."""
        symbols = self._locale.number_symbols["latn"]
        return f"{symbols['decimal']}{symbols['group']}"

    def listed(self, items: Sequence[str]) -> str:
        """“a, b and c”."""
        return str(format_list(items, locale=self._locale))

    @property
    def for_scripts(self) -> str:
        """The texts of the page's scripts as JSON that can stand in HTML."""
        told: dict[str, Any] = {section: self._texts[section] for section in SCRIPTS_SAY}
        here, english = self.table("said"), ENGLISH.table("said")
        told["said"] = [[english[key], here[key]] for key in english]
        told |= {"language": self.language, "direction": self.direction}
        return json.dumps(told, ensure_ascii=False).replace("<", "\\u003c")

    def _form(self, key: str, values: Mapping[str, Any]) -> str:
        form: Any = self.table(key)
        if isinstance(form, Mapping):
            form = form.get(self._locale.plural_form(values["count"]), form["other"])
        return str(form)

    def _written(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: self.number(value) if isinstance(value, int | float) else value
            for name, value in values.items()
        }

    def _read(self, value: str) -> int | str:
        if re.fullmatch(r"[\d,]+", value):
            return int(value.replace(",", ""))
        if re.fullmatch(r"\d+\.\d", value):
            return self.number(float(value), 1)
        return self.said(value)

    def _unit(self, unit: str, number: float | None, decimals: int) -> str:
        written = self.number(number, decimals)
        return written if written == DASH else self(f"units.{unit}", number=written)


WORDS = {file.stem: Words(file) for file in sorted(LOCALES.glob("*.toml"))}
ENGLISH = WORDS[USUAL]


def _pattern(english: str) -> re.Pattern[str]:
    """A place that comes twice holds the same in both."""
    named: set[str] = set()

    def place(found: re.Match[str]) -> str:
        again = found[1] in named
        named.add(found[1])
        return f"(?P={found[1]})" if again else f"(?P<{found[1]}>.+?)"

    escaped = re.escape(english).replace(r"\{\{", r"\{").replace(r"\}\}", r"\}")
    return re.compile(PLACE.sub(place, escaped), re.DOTALL)


_SAID = [
    (f"{section}.{key}", _pattern(english))
    for section in ("said", "noted")
    for key, english in ENGLISH.table(section).items()
]

I18N = gr.I18n(**{language: {} for language in WORDS})
NO_WORDS = b'"i18n_translations":{}'
"""In Gradio's page, in the place of its words, which `for_gradio` puts there."""


def everywhere(key: str, draw: Callable[[Words], str]) -> str:
    """For a component: what `draw` makes in each language, of which the browser shows its own."""
    for language, words in WORDS.items():
        I18N.translations[language][key] = draw(words)
    return str(I18N(key))


def label(key: str) -> str:
    return everywhere(key, lambda words: words(key))


def for_gradio(words: Words) -> bytes:
    """What was drawn for everybody, in the one language that is read, as Gradio's page has it."""
    told = orjson.dumps({words.language: I18N.translations[words.language]})
    for mark in b"<>&'":
        told = told.replace(bytes((mark,)), b"\\u%04x" % mark)
    return NO_WORDS[:-2] + told


def spoken(headers: Mapping[str, str]) -> Words:
    """The words for whoever sent these headers: of all languages that are accepted, the most
    wanted one that there is."""
    wanted = []
    for asked in headers.get("accept-language", "").split(","):
        tag, _, quality = asked.partition(";q=")
        with suppress(ValueError):
            wanted.append((float(quality or 1), tag.strip().split("-")[0].lower()))
    wanted.sort(key=lambda one: -one[0])
    return WORDS[next((tag for _, tag in wanted if tag in WORDS), USUAL)]
