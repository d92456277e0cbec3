"""The marks that models and their templates leave in text: tags of thinking, control tokens.

Known ones by name, new ones by their shape, with padding and wide bars seen through. It does not
know what becomes of a text that has them.
"""

import re
from collections.abc import Iterable
from enum import Enum

from arena.core.battle.phrases import pattern
from arena.core.battle.turns import LABELS

LONGEST = 64
"""Characters of a mark at most."""

Kind = Enum("Kind", "OPENS CLOSES WEIGHS WEIGHED WRAPS CHANNEL STARTS ASKS STRIKES TOKEN LABEL")
"""OPENS and CLOSES thinking; WEIGHS and WEIGHED: so a reply may begin that thinks first, or a
document; WRAPS the reply after it; names a CHANNEL; STARTS a turn; ASKS: what follows is not the
model's; STRIKES: an old model's end, or HTML; any other TOKEN; LABEL: words that begin a turn."""

MARK = re.compile(r"<<[^\n<>]{1,20}>>|<[^\n<>\[\]`]{1,60}>|\[[^\n\[\]<>`]{1,40}\]|\[e~\[|◁/?think▷")
_PADDING = re.compile(r"(?<=[<\[/|])[ \t]+|[ \t]+(?=[|>\]])")
_MAY_BECOME = re.compile(
    r"<<[/\w ]*>?|</?[\w:-]*\|?|<\|/?[\w .:/@-]*\|?|\[/?(?:[A-Za-z_]+\d*)?~?|\[\|[A-Za-z_]*\|?|◁/?[think]*"
)
_THINKING = "think|thinking|thoughts?|reasoning|reflection"
_THOUGHT = (
    rf"(?:[a-z]{{2,10}}[:_]|ant)?(?:{_THINKING}|scratch_?pad|inner_monologue|internal_monologue)"
)
_WEIGHING = (
    "plan|planning|analysis|analy[sz]e|deliberat(?:e|ion)|internal|reasons?|cot|chain[_-]of[_-]thought"
    "|monologue|brainstorm|considerations?|ponder|rationale|critique|step_by_step|self_talk|draft"
    "|(?:self[_-])?reflect(?:ion)?|contemplat(?:e|ion)|(?:mental_)?notes|workings?|strategy|approach"
    "|outline|understanding|evaluation"
    "|(?:think|thinking|reasoning|thought)_(?:process|steps?|mode|phase|trace|content|block)"
)
_KINDS = {
    Kind.OPENS: (
        rf"(?i:<{_THOUGHT}>)|\[THINK\]|◁think▷|<unused94>|<\|inner_prefix\|>"
        rf"|(?i:<\|(?:(?:begin_of|begin|start)_)?(?:{_THINKING})(?:_(?:start|begin))?\|>)"
    ),
    Kind.CLOSES: (
        rf"(?i:</{_THOUGHT}>)|\[/THINK\]|◁/think▷|<unused95>|<\|inner_suffix\|>"
        rf"|(?i:<\|(?:(?:end_of|end)_|/)(?:{_THINKING})\|>|<\|(?:{_THINKING})_end\|>)"
    ),
    Kind.WEIGHS: rf"(?i:<(?:{_WEIGHING})>|\[(?:{_WEIGHING}|thinking|thoughts?|reasoning)\])",
    Kind.WEIGHED: rf"(?i:</(?:{_WEIGHING})>|\[/(?:{_WEIGHING}|thinking|thoughts?|reasoning)\])",
    Kind.WRAPS: r"(?i:</?(?:final_)?(?:answer|output|response)>|</?final>)|<\|(?:begin|end)_of_(?:solution|answer)\|>",
    Kind.CHANNEL: r"<\|channel\|?>",
    Kind.STARTS: (
        r"<\|?(?:start|im_start|im_assistant|start_header_id|header_start|start_of_role"
        r"|start_of_turn|turn)\|?>"
    ),
    Kind.ASKS: r"(?i:<\|(?:user|human|prompter|system|user_token)\|>|\[\|user\|\])|<<SYS>>|\[INST\]",
    Kind.STRIKES: r"</?s>",
    Kind.TOKEN: (
        r"<\|/?[A-Za-z][\w.:/@-]{1,50}\|>|<\|[a-z]+(?: [a-z]+){1,3}\|>|<\|[a-z_]+>|<[a-z_]+\|>"
        r"|\[\|[A-Za-z_]+\|\]|<(?:unused|extra_id_|reserved_|SPECIAL_)\d+>|<0x[0-9A-F]{2}>|</?INST>|\[e~\["
        r"|</?tool_(?:call|response)>|</?role>|<</SYS>>|<seed:[be]os>"
        r"|(?i:<(?:[be]os|pad|unk|eo[dmpt]|sop|eo[mt]_id|im_end|endoftext|end_header_id"
        r"|turn_end|(?:start|begin|end)_of_(?:turn|text|utterance|image))>)|\[(?:PAD|SEP|CLS|[BE]OS|EOT|gMASK|UNUSED_TOKEN_\d+|/INST"
        r"|/?SYSTEM_PROMPT|/?AVAILABLE_TOOLS|/?TOOL_(?:CALLS|RESULTS))\]"
    ),
}
_KIND = re.compile("|".join(f"(?P<{kind.name}>{pattern})" for kind, pattern in _KINDS.items()))
THINKING = frozenset({Kind.OPENS, Kind.CLOSES})
TOKENS = frozenset({Kind.CHANNEL, Kind.STARTS, Kind.ASKS, Kind.TOKEN})

_ABOUT_LABELS = re.compile(
    pattern("fiction")
    + r"|\b(?:chats?|transcripts?|templates?|prompts?|instructions?|roles?|users?|humans?|logs?|forms?"
    r"|quiz\w*|questions?|faqs?|q\s?(?:&|and)\s?a|flash ?cards?|exams?|tests?|trivia|riddles?|inputs?"
    r"|tutorials?|readme|docs?|sections?|headings?|document\w*|markdown|ya?ml|json)\b"
)
_ABOUT_WEIGHING = re.compile(
    r"\b(?:xml|html|tags?|plan|analy|delib|intern|reason|ponder|rational|critiq|consider|brainstorm"
    r"|monolog|step|note|draft|think|thought|reflect|contempl|work|strateg|approach|outlin|underst"
    r"|evaluat)"
)
_ABOUT_TOKENS = re.compile(
    r"(?i)chat[\s-]?(?:template|format|ml\b)|prompt (?:template|format)|\b[BE]OS\b|\btokeni[sz]"
    r"|\bprompts?\b.{0,40}\b(?:built|look|written|structured)|\btokens? (?:of|in|for|do(?:es)?)\b"
    r"|(?:special|control|stop|end[\s-]of[\s-](?:turn|text|sequence|sentence)) token"
)
_ABOUT_STRIKES = re.compile(r"(?i)\b(?:html|strike|crossed out|bbcode)")
_ABOUT_THINKING = re.compile(r"(?i)(?:think|thinking|reasoning|thought)[\s-]*(?:tag|token)s?\b")
_CODE = re.compile(
    r"^[ >]*(```+|~~~+).*?^[ >]*\1|(?<!`)(`+)(?!`)[^\n]+?(?<!`)\2(?!`)", re.DOTALL | re.MULTILINE
)


def key_of(mark: str) -> str:
    """A mark as it is known: without padding, with plain bars."""
    return _PADDING.sub("", mark.replace("｜", "|").replace("▁", "_"))


def kind_of(mark: str) -> Kind | None:
    known = _KIND.fullmatch(key_of(mark))
    return Kind[known.lastgroup] if known and known.lastgroup else None


def undecided(rest: str) -> bool:
    """The last characters that were read may become a mark, with some more."""
    return len(rest) <= LONGEST and bool(_MAY_BECOME.fullmatch(key_of(rest.rstrip(" "))))


def meant(prompts: Iterable[str]) -> frozenset[Kind]:
    """Kinds of marks that the prompts are about, so that in replies they are ordinary text."""
    asked = "\n".join(prompts)
    kinds = {kind_of(mark) for mark in MARK.findall(asked)}
    about = {Kind.STRIKES} if Kind.STRIKES in kinds or _ABOUT_STRIKES.search(asked) else set()
    if _ABOUT_LABELS.search(asked.lower()) or any(label in asked for label in LABELS):
        about |= {Kind.LABEL}
    if kinds & {Kind.WEIGHS} or _ABOUT_WEIGHING.search(asked.lower()):
        about |= {Kind.WEIGHS}
    if kinds & THINKING or _ABOUT_THINKING.search(asked):
        about |= THINKING
    if kinds & TOKENS or _ABOUT_TOKENS.search(asked):
        about |= TOKENS | {Kind.STRIKES}
    return frozenset(kind for kind in about if kind)


def shown(text: str, prompts: Iterable[str] = ()) -> bool:
    """Marks are seen in a reply that is not about them, as in code that was never closed."""
    kinds = {kind_of(mark) for mark in MARK.findall(_CODE.sub("", text))}
    return bool(kinds & (THINKING | TOKENS) - meant(prompts))
