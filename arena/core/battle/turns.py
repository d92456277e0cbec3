"""Words with which templates begin a turn, such as `### Input:` or `User:`.

Some are sure; others stand in ordinary replies too, and count only after a whole sentence. It
does not know what was asked.
"""

from itertools import product

OURS = ("### Response:", "### Assistant:", "ASSISTANT:", "Assistant:", "<bot>:")
"""So templates begin what the model writes."""
_NAMES = ("Instruction", "Human", "User", "System", "Prompter", "Question", "Input")
_DRESSED = (("### ", ":"), ("## ", ":"), ("**", ":**"), ("**", "**:"), ("[", "]:"))
_SURE = (
    *(f"{before}{name}{after}" for (before, after), name in product(_DRESSED, _NAMES)),
    *("## User\n", "### User\n", "## Human\n", "### Human\n", "[User]\n"),
    *("<human>:", "<user>:", "Instruct:", "GPT4 Correct User:"),
)
_UNLESS_LOWER = ("USER:", "HUMAN:", "SYSTEM:", "INSTRUCTION:")
_AFTER_SENTENCES = (
    *("User:", "Human:", "Q:", "Question:", "Instruction:", "user:", "user\n"),
    *OURS,
)
LABELS = (*_SURE, *_UNLESS_LOWER, *_AFTER_SENTENCES)
"""So they begin what somebody else writes."""
_ENDS = ".!?\u2026\u3002\uff01\uff1f\u0964"


def begins_turn(rest: str, before: str, *, last: bool) -> str | None:
    """The label with which somebody else's turn begins, if a line of a reply begins so; None
    while it may become one. before: the last character above it."""
    label = next(filter(rest.startswith, LABELS), "")
    if not label:
        return None if not last and any(label.startswith(rest) for label in LABELS) else ""
    if label in _AFTER_SENTENCES and before not in _ENDS:
        return ""
    said = rest[len(label) :].lstrip(" ")
    if not said:
        return label if last or label.endswith("\n") else None
    lower = said[0].islower() and label[0].isupper() and label not in _SURE
    return "" if lower else label
