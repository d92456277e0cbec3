"""Everyday replies come out whole, whatever words they have as headings and whatever tokens they
name; replies that a broken template lets run on end where theirs begins, however the text came."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from arena.core.battle.entities import Text
from arena.core.battle.marks import of_template
from arena.core.battle.splitter import Splitter
from tests.core.battle.test_splitter import NIGHT, parted

CHATML = of_template("<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n<|im_start|>assistant\n")
ALPACA = of_template("{{ .System }}\n\n### Instruction:\n{{ .Prompt }}\n\n### Response:\n")
VICUNA = of_template("{{ .System }} USER: {{ .Prompt }} ASSISTANT: ")
LLAMA_2 = of_template("<s>[INST] <<SYS>>\n<</SYS>>\n\n{{ .Prompt }} [/INST] {{ .Response }}</s>")
PHI = of_template("<|user|>\n{{ .Prompt }}<|end|>\n<|assistant|>\n{{ .Response }}<|end|>")
R1 = of_template("<｜User｜>{{ .Prompt }}<｜Assistant｜>{{ .Response }}<｜end▁of▁sentence｜>")
COMMAND = of_template("<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{{ .Response }}")
LLAMA_3 = of_template("<|start_header_id|>user<|end_header_id|>{{ .Prompt }}<|eot_id|>")
DIALOGUE = of_template("User: {{ .Prompt }}\nAssistant:")
HARMONY = of_template(
    "<|start|>user<|message|>{{ .Prompt }}<|end|><|start|>assistant<|channel|>final<|message|>"
)
BERT = of_template("[CLS] {{ .Prompt }} [SEP]")

WHOLE = {
    "Implement two sum in Python.": "Use a hash map.\n\n**Example**\n\n**Input:** [2,7], 9\n\n"
    "**Output:** [0, 1]\n\nThe time is O(n), since each is looked at once.",
    "Solve LeetCode two sum": "Use a map.\n\n### Input:\n[2,7]\n\n### Output:\n[0,1]\n\nThat is all.",
    "How does a for loop work in C?": "It repeats.\n\n### Question:\nWhat is printed?\n\n### Answer:\n0 1",
    "What is the scientific method?": "Steps.\n\n**Question:** Why is it blue?\n\n**Test:** Look.",
    "What are the parts of a control system?": "Four.\n\n**Input:** A value.\n\n**System:** A motor.",
    "Design a database for a blog": "Two tables.\n\n**User:**\n- id\n\n**Post:**\n- id",
    "Name the entities of a shop": "Three.\n\n### User:\nid, name\n\n### Order:\nid, total",
    "Design the REST API of a shop": "By resource.\n\n## User\nGET /user\n\n## Order\nGET /order",
    "Class diagram of a library": "Here.\n\n### User\nname\n\n### Book\ntitle",
    "Explain /etc/passwd": "A line has fields.\n\nUser: The name of the account\nUID: A number",
    "How do I tell who I am in SQL?": "Three ways.\n\nUSER: The function.\nUSER(): The same.",
    "Who is who in SQL?": "So.\n\nUSER: a function.\nUSER: Who asks?\nSCHEMA: a space.",
    "Make a table of who may do what": "Here it is.\n\nHuman: All\nDog: Nothing\n\nSo it goes.",
    "Summarise it": "It says this.\n\nQ: What is next?\nA: More.\n\nQuestion: Why?\nAnswer: So.",
    "Draft an answer to him": "Of course.\n\n### Response:\nDear Sir, thank you.",
    "What does a voice assistant do?": "It does as told.\n\n**User:** Play.\n**Assistant:** I play.",
    "What is a voice command?": "It is said aloud. For example:\n\nUser: Play.\nAssistant: I play.",
    "Three jobs in an office": "These.\n\nAssistant: Makes tea.\n\nManager: Drinks it.",
    "Erkläre, wie ein Compiler arbeitet": "So geht es.\n\n**Input:** Quelltext.\n**Output:** Code.",
    "Was ist ein Regelkreis?": "Er hat Teile.\n\n### System:\nDer Motor.\n\n### Input:\nDer Sollwert.",
    "Wie endet ein Satz in seq2seq?": "Der Decoder schreibt, bis <eos> kommt. Dann hört er auf.",
    "Suma de dos números": "Claro.\n\n**Input:** 2 y 3\n**Output:** 5\n\nEs todo.",
    "¿Cómo funciona BERT?": "Pone [CLS] antes del texto y [SEP] después de cada frase. Así aprende.",
    "Explique le modèle MVC": "Trois parties.\n\n**User:** Il clique.\n**Controller:** Il traite.",
    "Qu'est-ce que le padding ?": "On ajoute <pad> aux phrases courtes. La perte l'ignore.",
    "BERT怎么工作?": "BERT在句首加上[CLS],在句末加上[SEP]。然后预测。",
    "写一个函数": "好的。\n\n**Input:** 一个数\n**Output:** 它的平方\n\n就是这样。",
    "ChatML怎么结束一轮?": "它用<|im_end|>表示结束。这样我们就知道。",
    "怎么结束?": "遇到<|im_end|>我们就停止。<s>是开始。",
    "终わりは?": "最後に<eos>を置きます。",
    "GPT-2用什么结束文本?": "它用<|endoftext|>表示文本结束。这样就能分开文档。",
    "Explain how BERT works": "BERT puts [CLS] before the text and [SEP] after. It fills in [MASK].",
    "Which come first and last in BERT?": "First comes [CLS], last comes [SEP]",
    "What starts a BERT input?": "[CLS] does: it stands for the whole. Then comes the text.",
    "What does <eo\u200bs> do?": "<eos>'s job is to end it.",
    "Which marks end a turn?": "</s>, <|eot_id|> and others do.",
    "What parts pages?": "<|endoftext|> does, as GPT-2 has it.",
    "What does BERT see?": "Input: [CLS] How are you?[SEP]I am fine, and I am BERT",
    "What do all sentences end with?": "They end with <eos>",
    "Which come last?": "These two:\n\n- [SEP]\n- **<eos>**",
    "What marks the end in seq2seq?": "<eos> marks the end. It begins with <bos>.",
    "List BERT's additions": "There are three.\n\n- [CLS] at the start\n- [SEP] between\n- [PAD]\n\nSo.",
    "How does a seq2seq model translate?": "It goes on until it writes <eos>. Then it stops.",
    "How may it look?": "It is set in.\n\n <human>: Hi\n <bot>: Hello\n USER: Bye",
    "Write a cold email": "Dear <name>,\n\nI want the <role> job.\n\nBest,\n<role>",
    "How do I grant rights in AWS?": "Run this:\n\naws iam put --role-name <role> --arn <arn>\n\nDone.",
    "What is GPT-2's end marker?": "It is <|endoftext|> and it parts documents.",
    "How does llama 2 know who speaks?": "It puts [INST] before our words and [/INST] after. So.",
    "How does Llama 2 end?": 'With </s> as most do. ChatML has (<|im_end|>), or "<|im_end|>" so.',
    "Which markers has Gemma?": "It has two.\n\n<start_of_turn> opens a turn.\n<end_of_turn> ends it.",
    "A table of markers": "|mark|use|\n|---|---|\n|<|im_end|>|end|\n| <|endoftext|> | page |\n| </s> | end |",
    "How do models call a function?": "They write <tool_call>{...}</tool_call> and read on.",
    "Wrap my text for Mistral": "s = '[INST] ' + text + ' [/INST]'\nt = f\"<s>\" + s",
    "What ends a page for GPT-2?": "It is this one:\n\n<|endoftext|>\n\nAnother page follows.",
    "Which speakers has the API?": "These.\n\nsystem\nIt rules.\n\nuser\nIt asks.\n\nmodel: It answers.",
    "ระบบจบอย่างไร": "โมเดลใช้<eos>เพื่อจบ",
    "Где конец?": "Декодер пишет, пока не встретит <eos>. Потом стоп.",
    "How does R1 reason?": "It writes between <think> and </think> first. Then it answers.",
    "Where does R1 think?": "It puts that in <think>...</think>\n\nThen it answers.",
    "How does a reasoner stop?": "It goes on until </think> appears. Then it answers.",
    "How does it know to stop?": 'By "</think>" or **</think>** alone, not (</think>). So it ends.',
    "What does R1 write last?": "It writes </think>",
    "R1怎么思考?": "它先写<think>再写</think>然后回答。",
    "Is 91 prime? Explain.": "**Reasoning:** 91 is 7 times 13.\n\n**Answer:** No.",
    "Ist 91 eine Primzahl?": "Reasoning: 91 ist 7 mal 13.\nAnswer: Nein.",
    "What did Hamlet feel?": "Thoughts: To be or not to be.\n\nResponse: He does nothing.",
    "How do I face a fear?": "## Thoughts\nI always fail.\n\n## Response\nOne failure is not all.",
    "What goes on in his head?": "> Thoughts of her.\n\nHe leaves.",
    "Write XML for a book": "<thought>\nText\n</thought>\nThat is the file.",
    "Which tags has R1?": "Two.\n\n<think> - opens the thinking.\n</think> - closes it.\n\nSo it is.",
    "Who was Hannah Arendt?": "> Thinking without a banister is hers.\n\nShe wrote much.",
    "A song of love": "It ends so: I miss you </3",
    "HTML, please": "Here:\n<reasoning>\n<p>So.</p>\n</reasoning>\nThat is all.",
}


@pytest.mark.parametrize("known", [None, CHATML], ids=["template unknown", "ChatML"])
@pytest.mark.parametrize("prompt", WHOLE)
def test_an_everyday_reply_is_whole(prompt: str, known: Collection[str] | None) -> None:
    for size in (len(WHOLE[prompt]), 3, 1):
        thinking, reply, splitter = _in_pieces(WHOLE[prompt], size, prompt, own=known)
        assert (thinking, reply, splitter.token) == ("", WHOLE[prompt], "")
        # A model that thinks writes for people too.
        assert _in_pieces(WHOLE[prompt], size, prompt, weighs=True)[:2] == ("", WHOLE[prompt])


def test_a_dialogue_is_no_turn_where_the_models_own_template_has_other_words() -> None:
    text = f"{NIGHT}\n\nUser: Play music.\nAssistant: I play.\n\nUser: Stop.\nAssistant: Yes."
    assert parted(text, own=CHATML)[:2] == ("", text)
    assert parted(text)[1] == f"{NIGHT}\n\n"


ALTERNATING = (
    "\n\n### Instruction:\nMore?\n\n### Response:\nIt turns.\n\n### Instruction:\nAnd?",
    "\n### Human: More?\n### Assistant: It turns.\n### Human: And?",
    "\nUSER: More?\nASSISTANT: It turns.\nUSER: And?\nASSISTANT: So.",
    "\n\nUser: More?\n\nAssistant: It turns.",
    "\nuser: more?\nassistant: it turns.",
    "\nuser\nMore?\nassistant\nIt turns.",
    "\n\n## User\nMore?\n\n## Assistant\nIt turns.",
    "\nInstruct: More?\nOutput: It turns.",
    "\nUSER: Show `a` and\n```\nb\n```\n<think>?</think>\nASSISTANT: It turns.",
    "\nUSER:",
    "\nUSER: who are you?\nASSISTANT: I am Vicuna.",
    "\n\nHuman: Who are you?\n\nAI: I am Claude.",
    "\n\nUser: Who are you?\nBot: I am Llama.",
    "\n\nUSER: Who are you?\nAssistant: I am Vicuna.",
    "\n\n### Human: Who are you?\n### Response: I am Alpaca.",
    "\n\n### Instruction:\nWho are you?\n\n### Output:\nI am Alpaca.",
    "\nUSER: Who are you?</s>\nASSISTANT: I am Vicuna.",
    "\nUSER: Who are you?</s>ASSISTANT: I am Vicuna.",
)
TOKENS = (
    "<|im_end|>\n<|im_start|>user\nMore?<|im_end|>",
    "\n<|im_end|>\n<|im_start|>user\nMore?",
    " <|im_end|>\n<|im_start|>user\nMore?",
    " <|im_start|>user\nMore?",
    " </s><s>[INST] More? [/INST] It turns.",
    " [INST] More? [/INST] It turns.",
    "\n[INST] More? [/INST] It turns.",
    " </s>",
    " <eos>",
    "<eos><eos><eos>",
    " [PAD]" * 900,
    "<eos>\nUser: More?",
    "[EOT] [INST] More?",
    "<end_of_turn>\n<start_of_turn>user\nMore?<end_of_turn>",
    "\n<start_of_turn>user\nMore?",
    "<｜end▁of▁sentence｜><｜User｜>More?<｜Assistant｜>It turns.",
    "\n<｜User｜>More?",
    "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nMore?",
    "<|endoftext|>The next page of the web is about cats.",
    "\n<|endoftext|>\nThe next page of the web is about cats.",
    "\n<|endoftext|>",
)


@pytest.mark.parametrize("after", ALTERNATING + TOKENS)
def test_a_template_that_is_broken_ends_a_reply(after: str) -> None:
    for size in (len(after), 3, 1):
        thinking, reply, splitter = _in_pieces(NIGHT + after, size, "Why?")
        assert (thinking, reply.rstrip()) == ("", NIGHT)
        assert splitter.token and splitter.token in after, "and the operator is told"


@pytest.mark.parametrize(
    ("after", "own"),
    [
        ("\n\n### Instruction:\nMore?", ALPACA),
        ("\n\n### Response:\nIt turns.", ALPACA),
        ("\nUSER: More?", VICUNA),
        ("[SEP] It turns.", BERT),
        ("\n\nUser: Who are you?", DIALOGUE),
        ("\nAssistant: I am Qwen.", DIALOGUE),
    ],
)
def test_what_the_models_own_template_has_ends_its_reply_by_itself(
    after: str, own: Collection[str]
) -> None:
    thinking, reply, splitter = parted(NIGHT + after, own=own)
    assert (thinking, reply.rstrip()) == ("", NIGHT) and splitter.token in after
    assert parted(NIGHT + after)[1] == parted(NIGHT + after, own=CHATML)[1] == NIGHT + after


def test_a_label_within_one_of_the_template_is_none_of_it() -> None:
    text = f"{NIGHT}\n\nUser: The name of the account"
    assert parted(text, own=of_template("### User:\n{{ .Prompt }}\n\n### Assistant:"))[1] == text
    text = f"{NIGHT}\n\nAssistant: Makes tea."
    assert parted(text, own=of_template("GPT4 Correct User: GPT4 Correct Assistant:"))[1] == text


def test_a_heading_over_a_reply_is_a_label_only_where_the_template_may_have_it() -> None:
    text = "### Response:\nDear Sir, thank you."
    assert parted(text, own=CHATML)[1] == text
    assert parted(text)[1] == parted(text, own=ALPACA)[1] == "Dear Sir, thank you."


@pytest.mark.parametrize("end", ["| a | b |", '"Paris."', "**Paris**", "- Paris", "$1$", "(Paris)"])
def test_whatever_a_reply_ends_with_a_mark_that_touches_it_is_none_of_it(end: str) -> None:
    for after in ("<|im_end|>", "<|im_end|>\nMore", "</s>", "<|eot_id|>More"):
        assert parted(f"It is:\n{end}{after}")[1] == f"It is:\n{end}"


@pytest.mark.parametrize(
    "after",
    [
        "<|im_end|>",
        "<|im_end|>\n<|im_start|>user\n好",
        "<|im_end|>\n好",
        "<|endoftext|>Human: 你是谁？\n\nAssistant: 我是通义千问",
        "<|im_end|>assistant\n我是通义千问",
        "<|im_end|>我是通义千问",
        "</s>我叫文心",
        "<|endoftext|>私はQwenです",
    ],
)
def test_the_end_of_a_word_in_a_script_without_blanks_is_the_end_of_a_reply(after: str) -> None:
    for size in (len(after), 3, 1):
        assert _in_pieces(f"2. 巴黎{after}", size, "Why?", own=CHATML)[1] == "2. 巴黎"
        assert _in_pieces(f"2. 巴黎{after}", size, "Why?")[1] == "2. 巴黎"


def test_a_turn_that_no_turn_of_ours_follows_is_shown_before_the_reply_is_over() -> None:
    splitter = Splitter(("Why?",))
    assert splitter.feed(f"{NIGHT}\n### User:\nid, name\n") == [Text(f"{NIGHT}\n")]
    assert splitter.feed("word " * 200) == [Text("### User:\nid, name\n" + "word " * 200)]
    assert parted(f"{NIGHT}\nUSER:", cut=True)[1] == f"{NIGHT}\nUSER:", "ended by its length"


TOUCHES = (
    ("Paris", "<eos>"),
    ("42", "<eos>"),
    ("Paris", "[EOS]"),
    ("**Paris**", "<eos>"),
    (NIGHT, "<eos>I am Gemma."),
    (NIGHT, "<bos>I am Gemma."),
    ("Run it:\n```\nls\n```", "\n<eos>"),
    ("Run it:\n```\nls\n```", "<eos>"),
)


@pytest.mark.parametrize(("reply", "after"), TOUCHES)
def test_a_token_that_sentences_name_too_ends_the_reply_that_it_touches(
    reply: str, after: str
) -> None:
    for size in (len(reply + after), 3, 1):
        _, said, splitter = _in_pieces(reply + after, size, "Why?")
        assert (said.rstrip(), splitter.token) == (reply, after.strip()[:5])


OWN = (
    (NIGHT, " <|im_end|> I am Qwen.", CHATML),
    (NIGHT, " [/INST] I am Mistral.", LLAMA_2),
    (NIGHT, "\n[/INST] I am Llama.", LLAMA_2),
    (NIGHT, " </s> I am Llama.", LLAMA_2),
    (NIGHT, " <|assistant|> I am Phi.", PHI),
    (NIGHT, "\n<｜Assistant｜> I am DeepSeek.", R1),
    (NIGHT, "\n[INST] who are you? [/INST] I am Llama.", LLAMA_2),
    (NIGHT, " [INST] who are you? [/INST]\nI am Llama.", LLAMA_2),
    (NIGHT, "\n<|user|> who are you? <|assistant|> I am Phi.", PHI),
    (NIGHT, "\n<|im_end|>\n**I am Qwen**.", CHATML),
    (NIGHT, '\n<|im_end|>"I am Qwen', CHATML),
    (NIGHT, " <|CHATBOT_TOKEN|> I am Command.", COMMAND),
    (NIGHT, " <|eot_id|> I am Llama.", LLAMA_3),
    ("Paris", " <|im_end|>\n\nI am Qwen", CHATML),
    ("Paris", " <|im_end|>\nassistant\nI am Qwen", CHATML),
    ("Paris", " <|im_end|>\nassistant\nI am Qwen", None),
    ("Paris", " <|im_end|>", CHATML),
    ("Paris", " </s>", LLAMA_2),
    ("| a | b |", " <|im_end|>", CHATML),
    ("`x`", " <|im_end|>", CHATML),
    ("Paris:", "<|im_end|>", CHATML),
    ("Sure:", "\n<|im_end|>", CHATML),
)
NAMED = (
    ("A turn has an end. It is <|im_end|>, as said.", CHATML),
    ("Here are the names.\n\n<|im_end|> Ends a turn.\n<|im_start|> Starts one.", CHATML),
    ("Two marks:\n\n- <|im_start|>\n- <|im_end|>", CHATML),
    ("It writes <|im_end|> and stops.", CHATML),
    ("Qwen uses <|im_end|>\nLlama uses </s>, which is older.", CHATML),
    ("| mark | use |\n|---|---|\n| <|im_end|> | Ends it |", CHATML),
    ("It has two.\n\n[INST] opens a turn.\n[/INST] ends it.", LLAMA_2),
    ("It has two.\n\n[INST] and [/INST] are around what is asked. So it is.", LLAMA_2),
    ("The words end with [/INST] and then it answers.", LLAMA_2),
)


@pytest.mark.parametrize(("reply", "after", "own"), OWN)
def test_a_mark_of_the_models_own_template_ends_its_reply_with_blanks_beside_it(
    reply: str, after: str, own: Collection[str] | None
) -> None:
    for size in (len(reply + after), 3, 1):
        _, said, splitter = _in_pieces(reply + after, size, "Why?", own=own)
        assert said.rstrip() == reply and splitter.token in after


@pytest.mark.parametrize(("text", "own"), NAMED)
def test_a_mark_of_the_models_own_template_that_a_sentence_names_is_text(
    text: str, own: Collection[str]
) -> None:
    for size in (len(text), 3, 1):
        assert _in_pieces(text, size, "Why?", own=own)[:2] == ("", text)


BEGINS = (
    ("[/INST] ", "**Paris** is it.", LLAMA_2),
    ("[/INST] ", '"Paris" is it.', None),
    ("<s>", "**Answer** yes", None),
    ("<bos>", "**Paris**", None),
    ("<|assistant|>\n", "**Paris**", PHI),
    ("<|assistant|>\n", "import os", None),
    ("[/INST] ", "def f(): pass", LLAMA_2),
    ("<|eot_id|>\n\n", "the sun", None),
    ("<pad><pad> ", "Paris", None),
    ("<bos> ", "paris", of_template("<bos>{{ .Prompt }}")),
    ("[INST] who are you? [/INST] I am Llama.", "", LLAMA_2),
    ("<|user|>\nwho are you?\n<|assistant|>\nI am Phi.", "", None),
)


@pytest.mark.parametrize(("before", "reply", "own"), BEGINS)
def test_marks_at_the_beginning_are_none_of_a_reply_that_is_dressed_or_in_lower_case(
    before: str, reply: str, own: Collection[str] | None
) -> None:
    for size in (len(before + reply), 3, 1):
        _, said, splitter = _in_pieces(before + reply, size, "Why?", own=own)
        assert said.strip() == reply and splitter.token in before


UNOPENED = {
    "用户在问首都，我来回答</think>巴黎是首都": "巴黎是首都",
    f"Hmm so I answer </think> {NIGHT}": NIGHT,
    f"I say </think> \n\n{NIGHT}": NIGHT,
    "Hmm so I'd say: </think>**Sun** x": "**Sun** x",
    'Hmm so I say </think> "Sun" x': '"Sun" x',
    "Hmm so I say </think> # Sun": "# Sun",
    f"The user said <think> is a tag. I plan.\n</think>\n\n{NIGHT}": NIGHT,
    f"The user said <think> is a tag. I plan.</think>{NIGHT}": NIGHT,
    f"They name <think> and </think> too. I plan.\n</think>\n\n{NIGHT}": NIGHT,
    "我想：<think>用户问首都。</think>巴黎是首都": "巴黎是首都",
    f"Hm ◁/think▷ {NIGHT}": NIGHT,
    f"Hm [/THINK] {NIGHT}": NIGHT,
    f"Hm <|end_of_thought|> <|begin_of_solution|>{NIGHT}<|end_of_solution|>": NIGHT,
}
OPENED = {
    "Sun <|channel|>analysis<|message|>We think": ("We think", "Sun "),
    "Sun <|channel|>commentary to=x <|constrain|>json<|message|>{}<|call|>": ("{}", "Sun "),
    f"Let me think: <think> Hm. </think> {NIGHT}": (" Hm. ", f"Let me think:  {NIGHT}"),
    f"Sure, <think> \nHm. </think> {NIGHT}": (" \nHm. ", f"Sure,  {NIGHT}"),
}


@pytest.mark.parametrize("text", UNOPENED)
def test_thinking_that_nothing_opened_is_none_of_the_reply(text: str) -> None:
    for size in (len(text), 3, 1):
        _, reply, splitter = _in_pieces(text, size, "Why?")
        assert (reply, splitter.unopened) == (UNOPENED[text], True)


@pytest.mark.parametrize("text", OPENED)
def test_thinking_within_a_line_is_none_of_the_reply(text: str) -> None:
    for size in (len(text), 3, 1):
        assert _in_pieces(text, size, "Why?")[:2] == OPENED[text]


QUOTING = (
    "They mean the `<think>` and `</think>` tags.\nSo I say.\n",
    'They ask what "</think>" is.\n',
    "They ask for (`</think>`).\n",
    "他们问`</think>`是什么。\n",
)


@pytest.mark.parametrize("thought", QUOTING)
def test_thinking_goes_on_behind_its_end_that_it_quotes(thought: str) -> None:
    for opens in ("<think>", ""):
        text = f"{opens}{thought}</think>\n\n{NIGHT}"
        for size in (len(text), 3, 1):
            thinking, reply, _ = _in_pieces(text, size, "Why?", thinks=not opens)
            assert (thinking, reply) == (thought, NIGHT)
    text = f'<think>I say "Sun"</think>"Sun" {NIGHT}'
    assert parted(text)[:2] == ('I say "Sun"', f'"Sun" {NIGHT}')


@pytest.mark.parametrize("start", ["", "<|start|>assistant"])
def test_a_reply_about_tokens_has_the_channels_of_its_models_own_template(start: str) -> None:
    text = f"{start}<|channel|>analysis<|message|>Hm.<|end|>"
    text += f"<|start|>assistant<|channel|>final<|message|>It has <|start|> and <|end|>. {NIGHT}"
    for size in (len(text), 3, 1):
        thinking, reply, _ = _in_pieces(text, size, "Explain chat templates", own=HARMONY)
        assert (thinking, reply) == ("Hm.", f"It has <|start|> and <|end|>. {NIGHT}")
    for text in ("<|channel|> names a channel.", "<|start|>user begins a turn.", "<|start|>"):
        for size in (len(text), 3, 1):
            asked = _in_pieces(text, size, "Explain chat templates", own=HARMONY)
            assert asked[:2] == ("", text)


def test_the_argument_of_a_type_holds_nothing_back() -> None:
    for code in ("Vec<Thought>", "List<Reflection> all;", "useState<Thought>(null)"):
        splitter = Splitter(("Why?",))
        shown = splitter.feed(f"{NIGHT} It is {code}, and so on.\nIt goes on.\n")
        assert shown == [Text(f"{NIGHT} It is {code}, and so on.\nIt goes on.\n")]


def test_a_block_of_code_in_one_line_ends_with_it() -> None:
    text = f"{NIGHT}\n\n```ls -la```\n\nSo.<|im_end|>\n<|im_start|>user\nwho are you?"
    for size in (len(text), 3, 1):
        assert _in_pieces(text, size, "Why?")[1] == f"{NIGHT}\n\n```ls -la```\n\nSo."
    text = f"{NIGHT}\n\n```html\n<think>```\n</think>\n```\n\nSo."
    assert parted(text)[:2] == ("", text)


TAGGED = f"<reasoning>\nHm.\n</reasoning>\n<answer>\n{NIGHT}\n</answer>"


@pytest.mark.parametrize(
    ("prompt", "own"),
    [
        ("Suggest tags for my photo", None),
        ("Draw a sun as SVG", None),
        ("Write XML", of_template("{{ .Prompt }}<reasoning>")),
        ("HTML, please", of_template("<Reflection></Reflection>")),
    ],
)
def test_what_a_model_thinks_in_tags_is_thought_where_the_prompt_is_about_others(
    prompt: str, own: Collection[str] | None
) -> None:
    for size in (len(TAGGED), 3, 1):
        thinking, reply, _ = _in_pieces(TAGGED, size, prompt, own=own, weighs=True)
        assert (thinking.strip(), reply.strip()) == ("Hm.", NIGHT)
    assert parted(TAGGED, prompts=("Mark it up with <b>, please",))[0] == ""


def test_a_turn_is_seen_behind_a_heading_that_might_have_been_one() -> None:
    heading = f"{NIGHT}\n## User\nheading\n\n"
    text = f"{heading}### Instruction:\nWho?\n\n### Response:\nI am Alpaca."
    for size in (len(text), 3, 1):
        _, reply, splitter = _in_pieces(text, size, "Why?")
        assert reply == heading and splitter.token in text
    long = f"{NIGHT}\n### User:\n{'word ' * 100}\n"
    asked = f"### Instruction:\n{'More? ' * 30}\n"
    for text, shown in (
        (f"{long}{asked}### Output:\nI am.", long),
        (f"{long}{asked}### Assistant:\nI am.", f"{long}{asked}### Assistant:\nI am."),
    ):
        for size in (len(text), 3, 1):
            assert _in_pieces(text, size, "Why?")[1] == shown


def test_a_label_of_the_template_decides_at_once_what_was_open() -> None:
    heading = f"{NIGHT}\n### Instruction:\nBake.\n"
    text = f"{heading}USER: More?\n### Response:\nSo."
    for size in (len(text), 3, 1):
        assert _in_pieces(text, size, "Why?", own=VICUNA)[1] == heading


def test_a_token_behind_what_might_be_a_turn_leaves_it_in_unless_ours_follows() -> None:
    text = f"{NIGHT}\n\nUSER: The function."
    for after in ("</s>", "</s>\nNobody asked.", "</s>" + "word " * 200 + "\nASSISTANT: So."):
        for size in (len(text + after), 3, 1):
            assert _in_pieces(text + after, size, "Why?")[1] == text


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<Answer>Sun</answer>", "Sun"),
        ("<output>x</output> and <output>y</output>", "x and <output>y</output>"),
        ("<output>x</output> is closed by </output>", "x is closed by </output>"),
        ("<answer>\n<output>Sun</output>\n</answer>", "Sun"),
    ],
)
def test_tags_around_a_reply_that_was_thought_are_left_out_in_pairs(text: str, reply: str) -> None:
    text = f"<think>Hm.</think>\n\n{text}"
    for size in (len(text), 3, 1):
        thinking, said, _ = _in_pieces(text, size, "Why?")
        assert (thinking, said.strip()) == ("Hm.", reply)


def test_what_is_too_long_for_a_header_is_the_same_however_it_came() -> None:
    for word in ("y" * 200, " " * 70 + "ASSISTANT: a", "final " + "y" * 200):
        text = f"{NIGHT}<|channel|>{word}"
        assert _in_pieces(text, 1, "Why?")[:2] == _in_pieces(text, len(text), "Why?")[:2]


HEADED = {
    "**Thinking:** Hm.\n\n**Answer:** " + NIGHT: (" Hm.\n", NIGHT),
    "Thought process:\nHm.\nFinal answer:\n" + NIGHT: ("\nHm.", NIGHT),
    "## Thinking\nHm.\n\n## Answer\n" + NIGHT: ("\nHm.\n", NIGHT),
    "Thinking...\nHm.\n...done thinking.\n\n" + NIGHT: ("Hm.", NIGHT),
    "```thinking\nHm.\n```\n" + NIGHT: ("Hm.", NIGHT),
    "<details><summary>Reasoning</summary>Hm.</details>\n" + NIGHT: ("Hm.", NIGHT),
    "> Thinking: Hm.\n\n" + NIGHT: (": Hm.", NIGHT),
    "> **Thinking** Hm.\n\n" + NIGHT: ("** Hm.", NIGHT),
    "Chain of thought: Hm.\nAnswer: " + NIGHT: (" Hm.", NIGHT),
    "*Thinking: Hm.*\n\n" + NIGHT: (" Hm.", NIGHT),
    "<!-- thoughts: Hm. -->\n" + NIGHT: (" Hm. ", NIGHT),
}


@pytest.mark.parametrize("text", HEADED)
def test_what_a_model_thinks_under_headings_is_thought_where_it_is_known_to_think(
    text: str,
) -> None:
    for size in (len(text), 3, 1):
        assert _in_pieces(text, size, "Why?", weighs=True)[:2] == HEADED[text]
        assert _in_pieces(text, size, "Why?")[:2] == ("", text)


def _in_pieces(
    text: str,
    size: int,
    prompt: str,
    *,
    own: Collection[str] | None = None,
    weighs: bool = False,
    thinks: bool = False,
) -> tuple[str, str, Splitter]:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return parted(*pieces, prompts=(prompt,), own=own, weighs=weighs, thinks=thinks)
