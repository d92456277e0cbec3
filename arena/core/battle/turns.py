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


def begins_turn(rest: str, before: str, *, last: bool) -> bool | None:
    """A line of a reply begins with `rest`; does somebody else's turn? None while it may become
    that. before: the last character above it."""
    label = next(filter(rest.startswith, LABELS), "")
    if not label:
        return None if not last and any(label.startswith(rest) for label in LABELS) else False
    if label in _AFTER_SENTENCES and before not in _ENDS:
        return False
    said = rest[len(label) :].lstrip(" ")
    if not said:
        return True if last or label.endswith("\n") else None
    return label in _SURE or label[0].islower() or not said[0].islower()
