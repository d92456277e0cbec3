"""Why a database cannot be used: what happened and what to do, in words for everybody.

It does not know any database; each names its own reasons where these do not fit.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    """`happened` continues "cannot be used: "; `todo` is followed by "then try again". lasting:
    whether only another database helps."""

    happened: str
    todo: str
    lasting: bool = False


DISK = Reason("the disk is full or fails", "Free some space where the ledger is kept")
CROWDED = Reason("too many ask it at once", "Wait a moment")
SLOW = Reason(
    "it takes no vote within seconds; another program may hold it", "Close what has it open"
)
TEXT = Reason("it cannot keep a character of a text, such as NUL", "Leave that character out")
NEWER = Reason("a newer arena has taken it over", "Start that arena here too")
OLDER = Reason(
    "an older arena wrote it, and this only looks",
    "Bring it up to date with `arena verify`, or by starting the arena",
)
UNREADABLE = Reason(
    "it holds a row that no arena wrote and that cannot be read",
    "See the log of the arena for its reason",
)
UNKNOWN = Reason("the database refused", "See the log of the arena for its reason")
