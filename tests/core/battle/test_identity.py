"""A reply that says who wrote it is caught; one that only uses such words is not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.battle.identity import Telltale, names_itself
from arena.core.battle.names import families_of

HERE = Path(__file__).parent


def lines(file: str) -> list[tuple[str, str]]:
    r"""The two columns of a file; \n stands for the end of a line."""
    rows = (HERE / file).read_text(encoding="utf-8").splitlines()
    return [(first, text.replace("\\n", "\n")) for first, text in (r.split("\t") for r in rows)]


INTRODUCTIONS = lines("introductions.tsv")
"""(language, a reply that says who wrote it)"""
INNOCENTS = lines("innocents.tsv")
"""(prompt, a reply that does not)"""
CONFESSIONS = lines("confessions.tsv")
"""(prompt, a reply to it that says who wrote it)"""

GIVES_ITSELF_AWAY = (
    "I am Llama, a model by Meta.",
    "I'm Llama 3.1, how can I help?",
    "I’m Gemini.",
    "Hello! I'm **Claude**, nice to meet you.",
    "My name is Phi and I like numbers.",
    "You can call me Zephyr.",
    "I am an AI assistant named Gemini.",
    "I am a large language model, trained by Google.",
    "As a large language model developed by Meta, I cannot do that.",
    "As an AI language model created by OpenAI, I have no opinion.",
    "I'm an AI model from Hugging Face.",
    "I was trained by a team at Microsoft.",
    "I was created and trained by Mistral AI.",
    "I have been developed by the Allen Institute for AI.",
    "i was made by google",
    "My creators at OpenAI taught me manners.",
    "Anthropic trained me to be careful.",
    "SmolLM here, ready to answer.",
    "The weights of Mistral-7B-Instruct were fine-tuned for this.",
    "As Mixtral, I would say yes.",
    "This answer was written by GPT-4o.",
    "Qwen2.5 at your service.",
    "In DeepSeek style, let me think.",
    "Sure.\n\nI am\nLlama.",
    "Phi-3 was made for this.",
    "Gemma 2 says hello.",
)

ORDINARY = (
    "",
    "The llama is a domesticated South American camelid.",
    "A llama 3 years old weighs 130 kilos; a vicuna weighs 50.",
    "I am a llama and I live in the Andes.",
    "I'm an orca, and I hunt in a pod.",
    "As a large language model, I have no feelings.",
    "As an AI, I cannot browse Google.",
    "I am not sure what Apple will announce.",
    "I'm a big fan of apple pie.",
    "Apple pie wants cold butter. I always use my grandmother's tin.",
    "Companies such as Apple, Google and Microsoft publish reports.",
    "I think Android was developed by Google.",
    "I am sure that Windows was made by Microsoft.",
    "A meta-analysis pools studies; I would begin with one.",
    "I am doing a meta-analysis of twelve trials.",
    "I am writing a Meta-Analysis section.",
    "The golden ratio phi is about 1.618.",
    "phi3 = (1 + 5 ** 0.5) / 2  # my constant",
    "Claude Monet painted the water lilies; I like them.",
    "Gemma and Claude went to Granada.",
    "The mistral blows down the Rhône valley.",
    "Press Command-R to reload the page.",
    "A granite worktop lasts. A falcon stoops at 300 km/h.",
    "The bard sang of Zephyr, the west wind.",
    "Google it, or ask me again.",
    "My name is a mystery.",
    "It was built by hand, and I love it.",
)


@pytest.mark.parametrize("text", GIVES_ITSELF_AWAY)
def test_a_reply_that_says_who_wrote_it_is_caught(text: str) -> None:
    assert names_itself(text, ("Who are you?",))


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_reply_is_left_alone(text: str) -> None:
    assert not names_itself(text, ("Tell me something.",))


@pytest.mark.parametrize("language", sorted({language for language, _ in INTRODUCTIONS}))
def test_introductions_are_caught_in_the_languages_most_people_speak(language: str) -> None:
    said = [text for its, text in INTRODUCTIONS if its == language]
    assert len(said) >= 10
    assert not [text for text in said if not names_itself(text, ("Why is it dark at night?",))]


def test_what_a_prompt_asks_for_does_not_hide_who_wrote_the_reply() -> None:
    assert not [(p, text) for p, text in CONFESSIONS if not names_itself(text, (p,))]


def test_innocent_replies_are_left_alone() -> None:
    assert not [(p, text) for p, text in INNOCENTS if names_itself(text, (p,))]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Compare ChatGPT and Qwen.", "ChatGPT is closed, Qwen is open."),
        ("What is llama-3?", "Llama-3 is a family of models."),
        ("tell me about smollm", "SmolLM published its weights."),
    ],
)
def test_a_family_that_the_person_named_first_does_not_count(prompt: str, text: str) -> None:
    assert not names_itself(text, (prompt,))
    assert names_itself(text, ("Tell me something.",))


def test_every_prompt_so_far_is_remembered() -> None:
    assert not names_itself("As said, ChatGPT.", ("What is ChatGPT?", "And again?"))


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Are you Llama 3?", "Yes, I am Llama 3."),
        ("Were you made by Meta?", "Yes, I was made by Meta."),
    ],
)
def test_a_reply_cannot_be_made_to_confess_without_being_caught(prompt: str, text: str) -> None:
    assert names_itself(text, (prompt,))


@pytest.mark.untraced
def test_a_hostile_reply_of_100_000_characters_is_judged_at_once() -> None:
    """Nested repeats must not make the search explode: a reply is text from a stranger."""
    pieces = ("I am a ", "as an ai ", "made by the ", '**__"“', "Claude, ", "as Claude ", "I am ")
    for piece in (*pieces, 'my prompt: "you are a ', 'x: "Claude ', "GPT, one of ", "from your "):
        assert not names_itself(piece * (100_000 // len(piece)))


@pytest.mark.parametrize(
    "text",
    [
        "I am Nimbus.",
        "Made by Skyforge, I know it all.",
        "I'm **N1mb\u200bus** 7B, hello.",
        "I am Athena Prime, at your service.",
    ],
)
def test_names_of_the_roster_and_of_the_hosts_give_away_too(text: str) -> None:
    words = families_of(["hf.co/x/Nimbus-7B-Instruct-GGUF:Q4_K_M", "skyforge3"], ["Athena Prime"])
    assert words == {"nimbus", "skyforge", "athena_prime"}
    assert names_itself(text, ("Why?",), words)


@pytest.mark.parametrize("text", ["The nimbus is grey; I am fond of it.", "I am in Skyforge park."])
def test_words_of_the_roster_may_be_used_otherwise(text: str) -> None:
    assert not names_itself(text, ("Why?",), frozenset({"nimbus", "skyforge"}))


def test_what_everybody_knows_or_what_says_nothing_is_no_word_of_the_roster() -> None:
    assert families_of(["qwen2.5:7b-instruct", "llama3.2:latest", "gpt-oss:20b"]) == frozenset()


DISGUISES = {
    "invisible": "\u200b".join,
    "spaced": " ".join,
    "dotted": ".".join,
    "bold": lambda name: f"**{name[0]}**{name[1:]}",
    "wide": lambda name: "".join(chr(ord(c) + 0xFEE0) for c in name),
    "cyrillic": lambda name: name.translate(str.maketrans("aeocpxyi", "аеосрхуі")),
    "greek": lambda name: name.translate(str.maketrans("oνAEIKMOT", "ονΑΕΙΚΜΟΤ")),
    "digits": lambda name: name[0] + name[1:].translate(str.maketrans("ioeas", "10345")),
    "accents": "\u0336".join,
    "mathematical": lambda name: "".join(
        chr(0x1D400 + ord(c) - 65) if c.isupper() else chr(0x1D41A + ord(c) - 97) for c in name
    ),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("name", ["Claude", "Gemini", "Qwen", "DeepSeek", "Mistral", "OpenAI"])
def test_a_name_in_disguise_is_seen(name: str, disguise: str) -> None:
    worn = DISGUISES[disguise](name)
    assert names_itself(f"Hello, I am a model made by {worn}. How are you?", ("Why?",))
    assert not names_itself(f"As {worn} wrote, it is dark.", (f"What did {name} write?",))


@given(
    parts=st.lists(st.sampled_from([t for _, t in INTRODUCTIONS + INNOCENTS]), max_size=6),
    between=st.sampled_from((" ", "\n", "\n\n")),
    cuts=st.lists(st.integers(0, 900), max_size=30),
)
def test_watched_as_it_grows_a_reply_tells_what_it_tells_as_a_whole(
    parts: list[str], between: str, cuts: list[int]
) -> None:
    text = between.join(parts)
    watched = Telltale(("Why?",))
    for start, end in pairwise([0, *sorted(cuts), len(text)]):
        watched.feed(text[start:end])
    assert watched.finish() == names_itself(text, ("Why?",))


def test_it_is_told_soon_after_it_was_said() -> None:
    watched = Telltale(("Why?",))
    said = "It is dark. I am Claude, made by Anthropic. "
    told = [watched.feed(piece) for piece in (said, *["And so on. "] * 40)]
    assert told.index(True) < 16 and all(told[told.index(True) :])
