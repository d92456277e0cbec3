"""Thinking and reply are parted, and a reply ends at its control tokens, however the text came."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arena.core.battle.entities import Text, Thought
from arena.core.battle.marks import of_template
from arena.core.battle.places import shown
from arena.core.battle.splitter import Splitter

NIGHT = "The sun is away at night."


def parted(
    *pieces: str, prompts: tuple[str, ...] = ("Why?",), cut: bool = False, **known: Any
) -> tuple[str, str, Splitter]:
    """(thinking, reply) as a writer would keep them."""
    splitter = Splitter(prompts, **known)
    thinking = reply = ""
    for event in [e for p in pieces for e in splitter.feed(p)] + splitter.finish(cut=cut):
        if isinstance(event, Text):
            reply += event.text
        else:
            if event.earlier:
                thinking, reply = thinking + reply, ""
            thinking += event.text
    return thinking, reply, splitter


THINKS = {
    "<think>\nIt is about night.\n</think>\n\n" + NIGHT: ("\nIt is about night.\n", NIGHT),
    " \n<thinking>Hm.</thinking>" + NIGHT: ("Hm.", NIGHT),
    "<Thought>Hm.</Thought> " + NIGHT: ("Hm.", NIGHT),
    "<reasoning>a\n\nb</reasoning>\n" + NIGHT: ("a\n\nb", NIGHT),
    "[THINK]Hm.[/THINK]" + NIGHT: ("Hm.", NIGHT),
    "<seed:think>Hm.</seed:think>" + NIGHT: ("Hm.", NIGHT),
    "◁think▷Hm.◁/think▷" + NIGHT: ("Hm.", NIGHT),
    "<|think_start|>Hm.<|think_end|>" + NIGHT: ("Hm.", NIGHT),
    "<|START_THINKING|>Hm.<|END_THINKING|><|START_RESPONSE|>" + NIGHT + "<|END_RESPONSE|>": (
        "Hm.",
        NIGHT,
    ),
    "<|inner_prefix|>Hm.<|inner_suffix|>" + NIGHT: ("Hm.", NIGHT),
    "<longcat_think>Hm.</longcat_think>" + NIGHT: ("Hm.", NIGHT),
    "<mm:think>Hm.</mm:think>" + NIGHT: ("Hm.", NIGHT),
    "<antThinking>Hm.</antThinking>" + NIGHT: ("Hm.", NIGHT),
    "<unused94>thought\nHm.<unused95>" + NIGHT: ("thought\nHm.", NIGHT),
    "<｜begin▁of▁thinking｜>Hm.<｜end▁of▁thinking｜>" + NIGHT: ("Hm.", NIGHT),
    "< think >Hm.</ think >" + NIGHT: ("Hm.", NIGHT),
    "<think>\n\n</think>\n\n" + NIGHT: ("\n\n", NIGHT),
    "<think>Hm.</think><answer>" + NIGHT + "</answer>": ("Hm.", NIGHT),
    "<think>Hm.</think><a>\n<output>" + NIGHT + "</output></a>": (
        "Hm.",
        "<a>\n<output>" + NIGHT + "</output></a>",
    ),
    "<|begin_of_thought|>Hm.<|end_of_thought|>\n\n<|begin_of_solution|>"
    + NIGHT
    + "<|end_of_solution|>": ("Hm.", NIGHT),
    "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>"
    + NIGHT: ("Hm.", NIGHT),
    "<|channel|>analysis<|message|>Hm.<|end|>" + NIGHT: ("Hm.", NIGHT),
    "<|start|>assistant<|channel|>analysis<|message|>a <b> c<|end|><|start|>assistant"
    "<|channel|>commentary to=x <|constrain|>json<|message|>{}<|call|>"
    "<|start|>assistant<|channel|>final<|message|>" + NIGHT + "<|return|>": ("a <b> c{}", NIGHT),
    "<|channel|>final<|message|>" + NIGHT: ("", NIGHT),
    "analysisWe need to say why.assistantfinal" + NIGHT: ("We need to say why.", NIGHT),
    "analysisHm.assistantcommentaryI look it up.assistantanalysisYes.assistantfinal" + NIGHT: (
        "Hm.I look it up.Yes.",
        NIGHT,
    ),
    "analysisWe need": ("We need", ""),
    "<|channel|>analysis\nThe person asks about night.": ("The person asks about night.", ""),
    "<|channel>thought\nHm.<channel|>" + NIGHT: ("Hm.", NIGHT),
    "Let me see, at length: `a` and\n```\nb\n```\n</think>\n\n" + NIGHT: (
        "Let me see, at length: `a` and\n```\nb\n```\n",
        NIGHT,
    ),
    "Fine, I know this.</think>" + NIGHT: ("Fine, I know this.", NIGHT),
    "Hm.\n[/THINK]" + NIGHT: ("Hm.\n", NIGHT),
    NIGHT + " <think>Was that right? Yes.</think> Good.": (
        "Was that right? Yes.",
        NIGHT + "  Good.",
    ),
    NIGHT + "\n<think>\nWas that right?": ("\nWas that right?", NIGHT + "\n"),
    "<think>" + NIGHT: (NIGHT, ""),
    "<plan>\n1. Say why.\n</plan>\n" + NIGHT: ("\n1. Say why.\n", NIGHT),
    "<chain_of_thought>Hm.</chain_of_thought>" + NIGHT: ("Hm.", NIGHT),
    "[thinking]Hm.[/thinking]\n\n" + NIGHT: ("Hm.", NIGHT),
    "<think>a</think>" + NIGHT + "</think>": ("a", NIGHT),
    "<chain-of-thought>Hm.</chain-of-thought><Final>" + NIGHT + "</Final>": ("Hm.", NIGHT),
    "<think>The tag `</s>` and <|im_end|> are tokens.</think>" + NIGHT: (
        "The tag `</s>` and <|im_end|> are tokens.",
        NIGHT,
    ),
}


@pytest.mark.parametrize("text", THINKS)
def test_what_was_thought_is_not_the_reply(text: str) -> None:
    thinking, reply, _ = parted(text)
    assert (thinking, reply) == THINKS[text]


ENDS = (
    "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nAnything else?",
    "</s> [INST] And why is that? [/INST] It turns.",
    "[/INST] And more.",
    "<|end|><|assistant|> More?",
    "<|im_end|>\n<|im_start|>user\nMore?",
    "< |im_end| >\n",
    "<| im_end |> more",
    "<|im_end|",
    "<end_of_turn>\n<start_of_turn>user\nMore?",
    "<|endoftext|>Human: more",
    "<|end of text|>",
    "<｜end▁of▁sentence｜><｜User｜>More?",
    "<|END_OF_TURN_TOKEN|>",
    "<|end_of_role|>more",
    "[|endofturn|][|user|] more",
    "<<SYS>> You are kind. <</SYS>>",
    "<eos>",
    "<|return|>",
    "<turn|>\n<|turn>user\nmore",
    "<|eom_id|>",
    "<end_of_utterance>",
    "<|some_token_of_tomorrow|> and more",
    "< / s >",
    "<eot_id>",
    "[gMASK]<sop>",
    "<unused42>",
    "[e~[\n]~b]user\nmore",
    "</INST>",
    "<0x0A>",
    "<SPECIAL_12>",
    "[UNUSED_TOKEN_145]",
    "[EOT]",
    '<tool_call>\n{"name": "f"}\n</tool_call>',
)


@pytest.mark.parametrize("after", ENDS)
def test_a_reply_ends_where_its_control_tokens_begin(after: str) -> None:
    thinking, reply, splitter = parted(NIGHT + after)
    assert (thinking, reply) == ("", NIGHT)
    assert splitter.token and after.startswith(splitter.token)


TURNS = (
    "\n### Instruction:\nMore?\n\n### Response:\nIt turns.",
    "\n\n### Human: More?\n### Assistant: It turns.",
    "\nUSER: More?\nASSISTANT: It turns.",
    "\n\nHuman: More?\n\nAssistant: It turns.",
    "\n\nUser:\nMore?\n\nAssistant:\nIt turns.",
    "\nInstruct: More?\nOutput: It turns.",
    "\n<human>: More?",
    "\nUSER:",
    "\nUser: More?\nAssistant: It turns.",
    "\nuser: more?\nassistant: it turns.",
    "\nuser\n\nMore?\nmodel\n\nIt turns.",
    "\n\n## User\nMore?\n\n## Assistant\nIt turns.",
)


@pytest.mark.parametrize("after", TURNS)
def test_a_reply_ends_where_it_goes_on_with_somebody_elses_turn(after: str) -> None:
    _, reply, splitter = parted(NIGHT + after)
    assert reply.rstrip() == NIGHT and splitter.token in after


BEGINS = (
    "### Response:\n",
    "ASSISTANT: ",
    "Assistant: ",
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "<|im_start|>assistant\n",
    "<|assistant|>\n",
    "<s> ",
    "[/INST] ",
    "<bos><start_of_turn>model\n",
    "<|im_end|>\n<|im_start|>assistant\n",
    "<|turn>model\n",
    "<|start_of_role|>assistant<|end_of_role|>",
)


@pytest.mark.parametrize("before", BEGINS)
def test_tokens_before_the_first_word_are_left_out(before: str) -> None:
    thinking, reply, splitter = parted(before + NIGHT)
    assert (thinking, reply.strip()) == ("", NIGHT)
    assert splitter.token and not shown(reply, ("Why?",))


def test_tokens_before_a_turn_that_is_not_the_models_end_the_reply() -> None:
    assert parted("<|im_end|>\n<|im_start|>user\nAnd then?")[:2] == ("", "")


ORDINARY = (
    "",
    " ",
    "\n\n  Leading space stays.",
    NIGHT,
    "analysis is what an assistantfinal exam asks for",
    "See analysisPlan and assistantfinalExam.",
    "analysis",
    "a < b and c > d, x <y> z, a << 2 >> b",
    "if (a<b) { x[i] = y[INDEX]; }",
    "An unfinished one: <",
    "An unfinished one: </",
    "An unfinished one: [",
    "An unfinished one: `",
    "Press <Enter>, then <kbd>Ctrl</kbd>, <s>no</s>, <br/> and [x] [1] [link](http://a.b/c).",
    "Pipes: a |> f, f <| g <| h, |x| < 3, <|>, <||>",
    "In code: `<|im_end|>` and `</s>` and `<think>` are tokens.",
    "In code: ``a ` <|im_end|> b`` too.",
    "Fenced:\n\n```html\n<think>no thought</think>\n<|im_end|>\n</s>\n```\nDone.",
    "Fenced:\n\n~~~\n[INST] a [/INST]\n~~~\nDone.",
    "Fenced:\n````\n```\n</s>\n```\n````\nDone.",
    "An <em>open</em> mind; I think <so>. [Thinks aloud]",
    "The <think tank> met. A <thinker> spoke.",
    "他说：<很好>，［好］。",
    "a ` lone one, then a line\nand b ` another",
    "Three may do so:\n\nAdmin: all\nUser: may read\nHuman: too",
    "### Ingredients:\nflour\n\n### Instructions:\nBake it.\n\nUsers: they wait.",
    "These may:\n\nStaff: always\nUser: By day",
    "User: Ann\nRole: admin.\n\nUser: Bob\nRole: guest.",
    "Q: Do bees sleep?\nA: Yes.\n\nQ: Do they sting?\nA: Some.",
    "Animal <|-- Duck\nAnimal <|-- Fish",
    "In OCaml x<|y",
    "Thoughts on this differ. Answer: light scatters.",
    "Thinking: it is what we do.\n\nWe answer later.",
    "The reasoning is simple.\n\nAnswer: it turns.",
    "EXPLAIN shows it.\nUSER: a function that tells who you are.",
    "Assistant professors know.\n\nAssistants: they know more.",
    "Fields:\n```\nUSER: Ann\n```\nDone.",
    "<plan>\nstep one\n</plan>",
    "<trip>\n<plan>go</plan>\n</trip>",
    "<analysis>It is short",
)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_reply_comes_out_as_it_went_in(text: str) -> None:
    thinking, reply, splitter = parted(text)
    assert (thinking, reply, splitter.token) == ("", text, "")
    assert not shown(reply, ("Why?",))


ASKED = {
    "What does <|im_end|> mean?": "It ends a turn: <|im_start|>user and <|im_end|>. </s> is older.",
    "Explain </s> in HTML": "It closes <s>; </s> is not <b>.",
    "How does the ChatML template look?": "<|im_start|>system\nBe kind.<|im_end|>",
    "What is an EOS token?": "Often </s> or <|endoftext|>.",
    "What is <think>?": "A model writes <think> first and </think> last.",
    "Say <think>hello</think>.": "<think>hello</think>",
    "When do models write </think>?": "They write </think> when done.",
    "What are think tags?": "These: <think> and </think>.",
    "Show me a chat": "Sure.\n\nUser: Hello\nAssistant: Hi",
    "How does the Alpaca template look?": "So:\n### Instruction:\nSay hi.\n### Response:\nHi.",
    "How are prompts of Mistral built?": "<s>[INST] Hi [/INST] Hello</s>",
    "Show your reasoning": "**Reasoning:** 70 + 14\n\n**Answer:** 84",
    "Write a README": "It sorts.\n\n### Input:\nA file.\n\n### Output:\nA file.",
    "Quiz me on rivers": "Fine.\n\nQ: The longest?\nA: The Nile.",
    "How do I strike in HTML?": "<s>old</s> is struck.",
    "Plan my day": "<plan>\nSleep.\n</plan>\nThat is all.",
}


@pytest.mark.parametrize("prompt", ASKED)
def test_what_the_prompt_is_about_is_left_in(prompt: str) -> None:
    thinking, reply, splitter = parted(ASKED[prompt], prompts=("Hello", prompt))
    assert (thinking, reply, splitter.token) == ("", ASKED[prompt], "")
    assert not shown(reply, ("Hello", prompt))


def test_a_model_may_think_about_a_prompt_that_is_about_thinking() -> None:
    thinking, reply, _ = parted(
        "<think>They mean the tag.</think>\n\nIt opens <think> a thought.",
        prompts=("What is <think>?",),
    )
    assert (thinking, reply) == ("They mean the tag.", "It opens <think> a thought.")


def test_a_mention_in_a_line_that_is_never_closed_is_text() -> None:
    text = NIGHT + " Some models write <think> and go on.\n\nThat is all."
    assert parted(text)[:2] == ("", text)


def test_a_model_known_for_closing_what_it_never_opened_is_held_until_it_closes() -> None:
    splitter = Splitter(("Why?",), thinks=True)
    assert splitter.feed("Let me see.\n") == []
    assert splitter.feed("</think>\n\n" + NIGHT) == [Thought("Let me see.\n"), Text(NIGHT)]
    assert splitter.finish() == [] and splitter.unopened


def test_a_model_known_for_that_which_answers_at_once_is_taken_at_its_word() -> None:
    thinking, reply, splitter = parted(NIGHT, "<|im_end|>", thinks=True)
    assert (thinking, reply, splitter.unopened) == ("", NIGHT, False)
    assert splitter.token == "<|im_end|>"


def test_a_model_known_for_that_which_was_cut_off_was_still_thinking() -> None:
    thinking, reply, splitter = parted("Let me see", thinks=True, cut=True)
    assert (thinking, reply, splitter.unopened) == ("Let me see", "", True)


def test_text_is_not_held_longer_than_it_is_undecided() -> None:
    splitter = Splitter(("Why?",))
    assert splitter.feed("The sun") == [Text("The sun")]
    assert splitter.feed(" is <") == [Text(" is ")]
    assert splitter.feed("|im") == []
    assert splitter.feed("portant") == []
    assert splitter.feed(" it seems.\n") == [Text("<|important it seems.\n")]


def test_a_thought_is_told_as_it_is_thought() -> None:
    splitter = Splitter(("Why?",))
    assert splitter.feed("<think>Let me ") == [Thought("Let me ")]
    assert splitter.feed("see.</thi") == [Thought("see.")]
    assert splitter.feed("nk>The") == [Text("The")]


def test_a_closing_tag_that_was_never_opened_takes_the_text_before_it_back() -> None:
    splitter = Splitter(("Why?",))
    assert splitter.feed("Let me see.") == [Text("Let me see.")]
    assert splitter.feed("</think>Now.") == [Thought("", earlier=True), Text("Now.")]
    assert splitter.unopened


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a <|eot_id|> B", True),
        ("a.<|eot_id|> b", True),
        ("It writes <|eot_id|> and stops, or (<|im_end|>).", False),
        ("It thinks between <think> and </think>, then answers.", False),
        ("它用<|endoftext|>表示结束。", False),
        ("an open ` tick <|eot_id|>", True),
        ("an open fence\n```\nprint(1)\n<|im_end|>\n", True),
        ("closed `<|im_end|>` b", False),
        ("```\n<|im_end|>\n```", False),
        ("plain", False),
    ],
)
def test_what_slipped_through_open_code_is_seen_in_the_whole(text: str, seen: bool) -> None:
    assert shown(text, ("Why?",)) is seen
    assert not shown(text, ("What is <|im_end|>?",))


EVERYTHING = [
    *THINKS,
    *(NIGHT + end for end in ENDS + TURNS),
    *(begin + NIGHT for begin in BEGINS),
    *ORDINARY,
]
SHARDS = st.lists(
    st.sampled_from(
        "<|im_end|> <think> </think> <|channel|> analysis final <|message|> <|end|> <|start|> "
        "assistant user ` ``` \n \n\n a <s> </s> [INST] < > [ ] | / <answer> </answer> the_sun "
        '<turn|> [/THINK] [THINK] <|im_start|> ~~~ <|channel> [CLS] <eos> <eos> " ( model 用 '
        "word. <thought> </thought>".split(" ")
        + [" ", "\n", "\n\n", "\nUSER: ", "\nASSISTANT: ", "\nUser: A", "\n### Instruction:\n"]
        + ["model\n", "user\n", " a ", ". ", "word " * 140]
    ),
    max_size=14,
).map("".join)


@given(
    text=st.sampled_from(EVERYTHING) | SHARDS,
    cuts=st.lists(st.integers(0, 200), max_size=12),
    prompt=st.sampled_from(("Why?", "What is <think>?", "What is <|im_end|>?", "Write XML")),
    thinks=st.booleans(),
    weighs=st.booleans(),
    own=st.sampled_from((None, of_template("### Instruction:\n<|im_start|>[CLS]"))),
    cut=st.booleans(),
)
def test_where_frames_end_changes_nothing(
    text: str,
    cuts: list[int],
    prompt: str,
    thinks: bool,
    weighs: bool,
    own: frozenset[str] | None,
    cut: bool,
) -> None:
    edges = [0, *sorted(cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(edges)]
    how: dict[str, Any] = {"thinks": thinks, "weighs": weighs, "own": own, "cut": cut}
    how["prompts"] = (prompt,)
    whole, split = parted(text, **how), parted(*pieces, **how)
    assert split[:2] == whole[:2]
    assert (split[2].token, split[2].unopened) == (whole[2].token, whole[2].unopened)
    assert parted(*text, **how)[:2] == whole[:2]


@given(SHARDS | st.text(max_size=60))
def test_text_without_marks_is_never_lost(text: str) -> None:
    thinking, reply, splitter = parted(text)
    if not any(mark in text for mark in ("<", "[", "◁", "USER:", "User:", "user\n", "###", "ASS")):
        assert (thinking, reply, splitter.token) == ("", text, "")


@pytest.mark.slow
def test_a_hostile_reply_of_100_000_characters_is_parted_at_once() -> None:
    for piece in (
        "<",
        "<|",
        "[",
        "`",
        "</think",
        "<think>",
        "<|channel|>",
        "a<b ",
        "\n",
        "< ",
        "\nUSER",
        "\nUSER: a",
        "<eos>",
        " [CLS]",
        "[SEP] <eos> a ",
        "word <|im_end|>" + " " * 300,
    ):
        parted(piece * (100_000 // len(piece)))
        parted(*(NIGHT + piece * (20_000 // len(piece))))
