"""A reply that says who wrote it is caught; one that only uses such words is not."""

from __future__ import annotations

import pytest

from arena.core.battle.identity import names_itself

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


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Compare ChatGPT and Qwen.", "ChatGPT is closed, Qwen is open."),
        ("What is llama-3?", "Llama-3 is a family of models."),
        ("tell me about deepseek", "DeepSeek published its weights."),
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


def test_a_hostile_reply_of_100_000_characters_is_judged_at_once() -> None:
    """Nested repeats must not make the search explode: a reply is text from a stranger."""
    for piece in ("I am a ", "as an ai ", "made by the ", "i was created and ", '**__"“'):
        assert not names_itself(piece * (100_000 // len(piece)))
