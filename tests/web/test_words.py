"""The page's texts: every language says the same, nothing is said outside of the files, and who
reads which."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from babel import Locale

import arena.web
from arena.adapters.hosts.faults import REFUSALS
from arena.core import errors
from arena.web.front import in_language
from arena.web.words import WORDS, spoken

WEB = Path(arena.web.__file__).parent
ARENA = WEB.parent
OTHERS = sorted(set(WORDS) - {"en"})
FIELD = re.compile(r"\{\w+\}")
RARE = {"many"}
"""In French and Spanish the form of whole millions only; they may leave it to `other`."""


def texts(language: str) -> dict[str, Any]:
    """Dotted key → text, or its forms."""

    def under(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
        for name, found in table.items():
            if isinstance(found, Mapping) and "other" not in found:
                yield from under(found, f"{path}{name}.")
            else:
                yield f"{path}{name}", found

    return dict(under(WORDS[language]._texts, ""))


def forms(text: Any) -> Mapping[str, str]:
    return text if isinstance(text, Mapping) else {"": text}


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_is_there_in_every_language(language: str) -> None:
    assert list(texts(language)) == list(texts("en")), "the same keys in the same order"
    assert {"ar", "de", "es", "fr", "zh"} == set(OTHERS)


@pytest.mark.parametrize("language", OTHERS)
def test_a_text_has_the_placeholders_and_the_marks_of_the_english_one(language: str) -> None:
    english = texts("en")
    for key, text in texts(language).items():
        wanted = set(FIELD.findall("".join(forms(english[key]).values())))
        for form, said in forms(text).items():
            assert said.strip() == said and said, key
            spelt = form in ("zero", "one", "two")
            assert (
                wanted - ({"{count}"} if spelt else set()) <= set(FIELD.findall(said)) <= wanted
            ), key
            tags = [re.findall(r"</?\w+", other) for other in (said, *forms(english[key]).values())]
            assert sorted(tags[0]) == sorted(tags[1]), key


@pytest.mark.parametrize("language", WORDS)
def test_a_counted_text_has_the_forms_of_its_language(language: str) -> None:
    tags = {*Locale.parse(language).plural_form.tags, "other"}
    for key, text in texts(language).items():
        if isinstance(text, Mapping):
            optional = RARE if language in ("es", "fr") else set()
            assert tags - optional <= set(text) <= tags, key


@pytest.mark.parametrize("language", OTHERS)
def test_no_text_was_left_in_english(language: str) -> None:
    """Names and loan words may be the same; a sentence may not."""
    english = texts("en")
    same = [key for key, text in texts(language).items() if text == english[key]]
    said = {key: FIELD.sub("", next(iter(forms(english[key]).values()))).strip() for key in same}
    assert not [key for key, text in said.items() if " " in text]


# What the rest of the program says --------------------------------------------------------------

SAYING = (
    *(ARENA / "play").glob("*.py"),
    *(ARENA / "core" / "battle").glob("*.py"),
    *(ARENA / "adapters" / name for name in ("battles.py", "redis/battles.py", "redis/feed.py")),
    *(ARENA / "adapters" / "hosts" / name for name in ("fleet.py", "leases.py", "faults.py")),
    ARENA / "compose" / "house.py",
    *(ARENA / "web" / name for name in ("moves.py", "openid.py")),
)
SAYS = {
    "Readiness",
    "SignInFault",
    *(name for name, found in vars(errors).items() if isinstance(found, type)),
}
SENTENCE = re.compile(r"[A-Z].* .*\.", re.DOTALL)
NOT_ON_THE_PAGE = (  # What only operators, programs or the rules themselves hear.
    *(
        "ARENA_ROSTER",
        "There is no such image",
        "The model 2",
        "No host can take",
        "The writer",
        "2 answered",
        "No votes rate",
    ),
    *("A battle takes 2", "There is no format", "A vote is one of", "This Idempotency-Key"),
    *("A study asks each", "Who is who in a study", "A reply that was to", "There is no study"),
    *("A rater's name", "2 replies are not written", "The study 2 was opened", "This is no battle"),
    *("There is no battle for you", "The study does not ask", "Fewer than 2 of its contenders"),
    "It closes at",
    *("Model 2 owes", "There is no Model 2", "Contenders are drawn", "No champion"),
)


def sentence(node: ast.AST) -> str:
    """The text of a literal, with numbers for what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(sentence(part) for part in node.values)
    return "2" if isinstance(node, ast.FormattedValue) else ""


def test_a_sentence_that_reaches_the_page_is_known_in_every_language() -> None:
    """What is raised towards a visitor, why battles end without a result, how far the house is."""
    said = set()
    for file in SAYING:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in SAYS:
                said |= {*map(sentence, node.args)}
            elif isinstance(node, ast.Assign | ast.Return) and node.value:
                said.add(sentence(node.value))
    told = [t for t in said if SENTENCE.fullmatch(t) and not t.startswith(NOT_ON_THE_PAGE)]
    assert len(told) > 40
    assert [text for text in told if WORDS["de"].said(text) == text] == []


HOSTS = ARENA / "adapters" / "hosts"
MODULES = "problems fleet faults account openai ollama preloads pool state reports".split()
TOLD_TO_OPERATORS = (
    *(HOSTS / f"{name}.py" for name in MODULES),
    ARENA / "core" / "battle" / "naming.py",
)
FRAMES = ("{}", "2 {}.", "2 on 2 {}.", "2 {} (2).", "2 on 2: {}")
"""Around what is said of a host or a model."""
NOT_OF_HOSTS = re.compile(
    r"context |input length|maximum context|too many tokens|https server|Bearer|2 GB|2 2|"
    r"2 on 2(: 2| 2\.)$|2 cannot be told to unload|No host can take|"
    r"a reply failed at|2 has no chat template|2 was made for|2 is served by 2, as|"
    r"2 writes one reply at a time on"
)
"""What never gets to the tab of hosts, or is nothing but a frame."""


def test_what_operators_are_told_of_hosts_is_known_in_every_language() -> None:
    said, kinds = set(), set(REFUSALS.values())
    for file in TOLD_TO_OPERATORS:
        nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
        inner = {part for n in nodes if isinstance(n, ast.JoinedStr) for part in n.values}
        inner |= {n.value for n in nodes if isinstance(n, ast.Expr)}
        said |= {sentence(n) for n in nodes if n not in inner}
        for call in (n for n in nodes if isinstance(n, ast.Call)):
            kinds |= {sentence(k.value) for k in call.keywords if k.arg == "kind"}
            if getattr(call.func, "attr", "") == "_fault":
                kinds.add(sentence(call.args[0]))
    told = [t for t in said if re.search(r"[a-z] [a-z2]", t) and not NOT_OF_HOSTS.match(t)]
    assert len(told) > 50 and len(kinds - {""}) > 15
    for words in (WORDS[language] for language in OTHERS):
        framed = {text: [frame.format(text) for frame in FRAMES] for text in told}
        unknown = [t for t, ways in framed.items() if all(words.said(way) == way for way in ways)]
        assert unknown == []
        assert not [kind for kind in kinds - {""} if words.said(kind) == kind]


def test_a_note_keeps_its_names_and_numbers_in_every_language() -> None:
    url, german = "http://10.0.0.5:11434", WORDS["de"]
    half = f"phi3:mini on {url}: only 3.2 of 8.0 GB are on the GPU, so it takes no replies there."
    half += " Give the host fewer models or a smaller ARENA_CONTEXT."
    assert german.said(half).startswith(f"phi3:mini auf {url}: Nur 3,2 von 8,0 GB liegen")
    why = f"{url} does not answer (ConnectError: refused). Nothing listens at that port: start the "
    why += "server there, or correct the port in its address or in OLLAMA_PORT."
    rests = f"{url} failed several times in a row and is left alone for 30 s. {why}"
    assert "An diesem Port lauscht nichts" in german.said(rests) and "30 s Ruhe" in german.said(
        rests
    )
    cpu = (
        f"{url} runs its models on its CPU, where several at once fight for the cores. `options = "
    )
    cpu += "{ num_thread = 1 }` for each contender may make them several times faster."
    assert "{ num_thread = 1 }" in german.said(cpu) and "Kerne" in german.said(cpu)
    listed = f"{url} lists phi3:mini but says that it does not have it. Run `ollama pull phi3:mini` there."
    assert "`ollama pull phi3:mini`" in WORDS["ar"].said(listed)


def test_a_sentence_is_read_with_its_numbers_and_with_sentences_in_it() -> None:
    german = WORDS["de"]
    long = "The prompt has 6,001 characters; at most 6,000 fit. Please shorten it."
    assert german.said(long).startswith("Der Prompt hat 6.001 Zeichen; höchstens 6.000 passen.")
    hint = "Check that it runs and that OLLAMA_HOST or OPENAI_HOSTS points to it."
    away = f"The host of the models does not answer. {hint} Battles open by themselves as soon as it is there."
    assert "OPENAI_HOSTS auf ihn" in german.said(away) and "Check" not in german.said(away)
    assert german.said("Nobody foresaw this.") == "Nobody foresaw this."
    assert WORDS["en"].said(long) == long


# Nothing is said elsewhere ----------------------------------------------------------------------

LETTERS_ONLY = re.compile(r"[A-Za-z]{2,}")
TEMPLATE = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<script.*?</script>", re.DOTALL)
READ_ALOUD = re.compile(r"(?:title|aria-label|placeholder|alt)=\"([^\"]*)\"")
NAMES = {"Enter", "GB", "Ollama"}
"""Words that are the same everywhere."""


@pytest.mark.parametrize("file", sorted((WEB / "templates").glob("*.html")), ids=lambda f: f.stem)
def test_no_template_says_anything_itself(file: Path) -> None:
    html = TEMPLATE.sub("", file.read_text("utf-8"))
    said = [*re.sub(r"<[^>]*>", " ", html).split(), *READ_ALOUD.findall(html)]
    assert not [word for word in said if LETTERS_ONLY.search(word) and word not in NAMES]


SHOWN = {"label", "placeholder", "info", "title", "value"}
COMPONENTS = {
    "Tab",
    "Textbox",
    "Radio",
    "Dropdown",
    "Checkbox",
    "CheckboxGroup",
    "Button",
    "Accordion",
}


@pytest.mark.parametrize("file", sorted(WEB.rglob("*.py")), ids=lambda f: f.stem)
def test_no_component_says_anything_itself(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if getattr(node.func.value, "id", "") != "gr" or node.func.attr not in COMPONENTS:
                continue
            words = [k.value for k in node.keywords if k.arg in SHOWN] + node.args[:1]
            said = [sentence(word) for word in words]
            assert not [text for text in said if LETTERS_ONLY.search(text)], said


LITERAL = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'|`([^`]*)`")


@pytest.mark.parametrize("file", sorted(WEB.glob("*.js")), ids=lambda f: f.stem)
def test_no_script_says_anything_itself(file: Path) -> None:
    """A sentence, or a word that begins with a capital."""
    code = re.sub(r"^\s*//.*$|\s// .*$", "", file.read_text("utf-8"), flags=re.MULTILINE)
    code = re.sub(r"^\s*throw .*$", "", code, flags=re.MULTILINE)
    found = ["".join(groups) for groups in LITERAL.findall(code)]
    said = [text for text in found if re.match(r"[A-Z][a-z]+( |$)", text)]
    keys = {"Enter", "Escape", "Tab"}
    assert not [text for text in said if text not in keys]


def test_a_script_asks_only_for_texts_that_there_are() -> None:
    code = "\n".join(file.read_text("utf-8") for file in WEB.glob("*.js"))
    asked = set(re.findall(r"\"((?:arena|units)\.[\w.]+)\"", code))
    assert asked <= set(texts("en")) and len(asked) > 20


# Who reads what ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("ja", "en"),
        ("ja,de;q=0.5", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("en;q=0.2, fr-CA;q=0.7", "fr"),
        ("zh-Hant-TW", "zh"),
        ("AR-eg", "ar"),
        ("es;q=x, fr;q=0.1", "fr"),
        ("x" * 5000, "en"),
    ],
)
def test_a_visitor_reads_the_most_wanted_language_that_there_is(
    accepted: str, language: str
) -> None:
    assert spoken({"accept-language": accepted}).language == language


def test_the_page_says_from_its_first_byte_which_language_it_is_in() -> None:
    page = b'<!doctype html>\n<html\n\tlang="en"\n\tstyle=""><head><title>x</title>'
    page += b"<script>window.gradio_config = {};</script>"
    arabic = in_language(page, WORDS["ar"], "Arena")
    assert b'<html lang="ar" dir="rtl"' in arabic
    assert b'"language", { value: "zh-CN" }' in in_language(page, WORDS["zh"], "Arena")
    assert in_language(b"<html>docs</html>", WORDS["ar"], "Arena") == b"<html>docs</html>"
