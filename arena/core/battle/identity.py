"""Does a reply say who wrote it? A word list over model families and their makers.

Names that mean little else (Mistral-7B, SmolLM) count wherever they stand, unless the person
used them first. Names that are words or people too (Meta, Phi, Claude) count only where the
reply speaks of itself, then always. It knows nothing of who really wrote the reply.
"""

from __future__ import annotations

import re

_FAMILIES = (
    r"llama-?[234](?:\.\d)?",
    r"(?-i:Llama) [234](?:\.\d)?",
    r"(?:code|tiny)llama",
    r"mixtral",
    r"mistral[\s-](?:\d+b|large|small|nemo|instruct)",
    r"mistralai",
    r"(?-i:Phi)-?[34](?:\.\d)?",
    r"smollm\d?",
    r"qwen[\d.]*",
    r"gemma[\s-]?\d",
    r"deepseek",
    r"chatgpt",
    r"gpt-?[345][.\w]*",
    r"claude[\s-]\d",
    r"vicuna-?\d+b",
    r"olmo-?\d",
    r"granite-\d",
    r"solar-\d+b",
)
_MAKERS = (
    "meta",
    "facebook",
    "mistral ai",
    "mistral",
    "microsoft",
    "openai",
    "anthropic",
    "google",
    "deepmind",
    "alibaba",
    "hugging ?face",
    "deepseek",
    "cohere",
    "ibm",
    "nvidia",
    "apple",
    "stability ai",
    r"01\.ai",
    "upstage",
    "allen institute",
)
_NAMES = (
    "llama",
    "phi",
    "gemini",
    "gemma",
    "bard",
    "claude",
    "copilot",
    "granite",
    "falcon",
    "yi",
    "orca",
    "zephyr",
    "vicuna",
    r"command[\s-]r",
    "olmo",
)

_MAKER = rf"(?:{'|'.join(_MAKERS)})\b"
_PROPER = rf"[*_\"“]{{0,3}}(?-i:(?=[A-Z0]))(?:{'|'.join(_NAMES + _MAKERS)})\b(?!-\w)"
_MADE = r"(?:made|built|created|developed|trained|designed|released|provided)"
_I_AM = r"(?:i am|i['’]m|my name is|my name['’]s|call me)"
_ROLE = r"an?\s+(?:[\w-]+\s+){0,4}?(?:model|assistant|ai|chatbot|bot|llm)\b"
_OF = rf"(?:called|named|known as|from|by|of|at|{_MADE}\s+(?:and\s+\w+\s+)?(?:by|at))"

_DISTINCT = re.compile(rf"\b(?:{'|'.join(_FAMILIES)})\b", re.IGNORECASE)
_SELF = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_I_AM}\s+(?:an?\s+|the\s+)?(?:ai\s+)?(?:model\s+)?{_PROPER}",
        rf"\b(?:{_I_AM}|as)\s+{_ROLE},?\s+(?:{_OF}\s+(?:\w+\s+){{0,3}}?)?{_PROPER}",
        (
            rf"\bi(?:\s+am|\s+was|['’]m|['’]ve been|\s+have been)\s+(?:\w+\s+){{0,2}}?"
            rf"{_MADE}\s+(?:and\s+\w+\s+)?(?:by|at)\s+(?:\w+\s+){{0,3}}?{_MAKER}"
        ),
        rf"\bmy\s+(?:creators?|developers?|makers?)\s+(?:at|is|are|from)\s+(?:the\s+)?{_PROPER}",
        rf"{_PROPER}\s+(?:built|created|developed|trained|designed)\s+me\b",
    )
)


def names_itself(text: str, prompts: tuple[str, ...] = ()) -> bool:
    """True if the reply gives away a model or its maker, be it the true one or not."""
    said = " ".join(prompts).casefold()
    if any(m.group().casefold() not in said for m in _DISTINCT.finditer(text)):
        return True
    return any(pattern.search(text) for pattern in _SELF)
