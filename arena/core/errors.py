"""The error tree: whatever the arena says no to.

    ArenaError
    ├── BadInput        what a person typed or clicked cannot be used         (400)
    │   └── KnownVotes      votes to be added are in the ledger already           (400)
    ├── ConfigError     a setting has a wrong value                           (500)
    │   ├── NotInstalled    it needs a package that is missing                    (500)
    │   ├── NoLedger        it names none                                         (500)
    │   ├── NotThere        it names a file or folder that cannot be had now      (500)
    │   └── NotHeard        it names an address that cannot be listened on now    (500)
    ├── NotYours        the battle is moved by whoever opened it              (403)
    ├── KeyTaken        the key of an opening is that of another one          (409)
    ├── UnknownBattle   no such battle here (any more)                        (404)
    ├── StaleVote       the battle has moved on since the page was drawn      (409)
    │   └── OtherVote       the round was judged otherwise                        (409)
    ├── NotYet          the move is not open in this phase                    (409)
    │   ├── Over            nor in any to come: the battle is over                (409)
    │   └── Untold          the battle is a study's, which tells who was who      (409)
    ├── RateLimited     too much from one caller                              (429)
    ├── NoCapacity      no host can take a battle now                         (503)
    ├── HostFault       a host failed while it was asked                      (502)
    │   └── UnknownModel    it does not have the model that was named         (502)
    ├── EngineFault     the embedded engine or its weights cannot be had      (503)
    ├── StoreFault      battles that are kept cannot be reached               (503)
    └── LedgerFault     a vote could not be made durable                      (503)
        └── UnfitLedger     nor will it be, until another ledger is named         (503)

It does not know who is told: page, API and terminal each have one handler.
"""

from collections.abc import Sequence


class ArenaError(Exception):
    """Anything the arena says no to. The text says what happened and what to do next; it is
    shown to people as it is, so it never names a contender, a model or a secret.

    `status` is the HTTP status, `title` the short name used in problem JSON (RFC 9457)."""

    status = 500
    title = "The arena failed"

    @property
    def public(self) -> str:
        """What anyone may read of it."""
        return str(self)

    @property
    def on_page(self) -> str:
        """The same for people, who send nothing themselves."""
        return self.public


class BadInput(ArenaError):
    status = 400
    title = "That cannot be used"


class KnownVotes(BadInput):
    """Votes that are to be added are in the ledger already; `ids` are theirs, at most `most`."""

    title = "These votes are here already"
    most = 20

    def __init__(self, message: str, *, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class ConfigError(ArenaError):
    status = 500
    title = "A setting is wrong"


class NotInstalled(ConfigError):
    """What the setting names needs a package that only an extra brings."""

    def __init__(self, key: str, error: ImportError, extra: str = "replicas") -> None:
        super().__init__(
            f"{key} names what needs a package that is missing here ({error}). Install it with "
            f"its extra: pip install 'progressive-arena[{extra}]'."
        )


class NoLedger(ConfigError):
    """Where votes are said to be kept there is nothing. `place`: for the operator."""

    title = "The ledger is not there"

    def __init__(self, place: str) -> None:
        super().__init__(
            f"There is no ledger at {place}. Put a copy there, or name another one in "
            "DATABASE_URL; the first start of the arena makes one, and so do votes that are imported."
        )


class NotThere(ConfigError):
    """Where a setting says no file can be read, or no folder made. That may pass, as its disk comes
    up or the right to it is given."""


class NotHeard(ConfigError):
    """Nothing can be listened on where a setting says. That may pass, as what has the port ends or
    the network comes up."""


class NotYours(ArenaError):
    """programs: how these say who they are, which the page does by itself."""

    status = 403
    title = "Not your battle"

    def __init__(self, message: str, *, programs: str = "") -> None:
        super().__init__(message)
        self._programs = programs

    @property
    def public(self) -> str:
        return f"{self} {self._programs}".rstrip()

    @property
    def on_page(self) -> str:
        return str(self)


class KeyTaken(ArenaError):
    """An opening came with a key under which something else was opened."""

    status = 409
    title = "That key was used for another battle"


class UnknownBattle(ArenaError):
    status = 404
    title = "No such battle"


class StaleVote(ArenaError):
    status = 409
    title = "The battle has moved on"


class OtherVote(StaleVote):
    """The round was judged already, and otherwise; the text says how."""

    title = "Another vote stands"


class NotYet(ArenaError):
    status = 409
    title = "Not yet"


class Over(NotYet):
    title = "The battle is over"


class Untold(NotYet):
    """The names of a battle of a study are told by its files alone."""


class NoCapacity(ArenaError):
    status = 503
    title = "No capacity"


class HostFault(ArenaError):
    """A host failed. `kind` is a word for the operator's counts; the text may name hosts and
    models and is therefore for the operator only, never for the page: that gets `public`.
    `hint`, what to do about it, names neither."""

    status = 502
    title = "A host failed"

    def __init__(self, message: str, *, kind: str, host: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.host = host
        self.hint = hint

    @property
    def public(self) -> str:
        return "A machine behind the arena failed. Please try again in a moment."


class UnknownModel(HostFault):
    title = "Model not installed"

    def __init__(self, message: str, *, host: str = "") -> None:
        super().__init__(message, kind="missing", host=host)


class RateLimited(ArenaError):
    """Too much from one caller; `retry_after_s` says when there is room again."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineFault(ArenaError):
    status = 503
    title = "The embedded engine cannot run"


class StoreFault(ArenaError):
    """Battles that are kept, by the replicas or outside memory, cannot be reached; nothing is known
    to be lost by it."""

    status = 503
    title = "The arena's memory cannot be reached"


AWAY = (
    "The arena's memory cannot be reached just now. Please try again in a moment; votes that "
    "were cast are kept."
)


class LedgerFault(ArenaError):
    """The text names the database and what its operator can do; everybody else gets `public`."""

    status = 503
    title = "The ledger cannot be used"

    @property
    def public(self) -> str:
        return (
            "The arena's ledger cannot be used just now. Votes that were acknowledged are kept. "
            "Please try again in a moment; a vote cannot count twice."
        )


class UnfitLedger(LedgerFault):
    """A database that is there and can keep no vote; only another one in DATABASE_URL helps."""


def line_of(error: UnicodeDecodeError) -> int:
    """In a file that is not UTF-8 throughout, counted from 1."""
    return error.object[: error.start].count(b"\n") + 1
