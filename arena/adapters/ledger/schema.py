"""The tables of the ledger. That of votes is derived from `core.battle.record.VoteRow`, so that the
two cannot differ.

It does not know connections, nor what is asked of the tables.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite
from sqlalchemy.types import TypeEngine

from arena.core.battle.record import EMPTY as UNKNOWN
from arena.core.battle.record import KINDS, VoteRow
from arena.core.standings.votes import TEXT


class UtcTime(sa.TypeDecorator[datetime]):
    """Aware datetimes, kept in UTC also where the database keeps no zone. Refuses naive ones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        if value is not None and value.utcoffset() is None:
            raise ValueError("a time in the ledger must carry its time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _: sa.Dialect) -> datetime | None:
        return value and (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC))


_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Type of a field of VoteRow → type of the column, dtype of the DataFrame.
_KINDS: Mapping[type, tuple[TypeEngine[Any], str]] = {
    str: (sa.Text(), TEXT),
    bool: (sa.Boolean(), "bool"),
    int: (_WHOLE, "int64"),
    float: (sa.Double(), "float64"),
    datetime: (UtcTime(), "datetime64[us, UTC]"),
    list: (sa.JSON(), "object"),
    dict: (sa.JSON(), "object"),
}


def _dtype(name: str) -> str:
    kind, optional = KINDS[name]
    return "Int64" if optional and kind is int else _KINDS[kind][1]


DTYPES = {name: _dtype(name) for name in KINDS}
"""Of the DataFrame, by column of VoteRow in its order."""

_FIELDS = [
    sa.Column(name, _KINDS[kind][0], nullable=optional, unique=name == "id")
    for name, (kind, optional) in KINDS.items()
]
_SCHEMA = sa.MetaData()


def written(value: Any) -> str:
    """A list or dict as JSON; half a character, which is no UTF-8, as its escape."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value)


def _unknown(name: str) -> str | sa.ColumnElement[Any] | None:
    """What stands in this column where nothing is said."""
    nothing = UNKNOWN[name]
    if isinstance(nothing, (list, dict)):
        return written(nothing)
    return None if nothing is None else sa.literal(nothing)


def _said(**kinds: type[TypeEngine[Any]] | TypeEngine[Any]) -> list[sa.Column[Any]]:
    """Columns of these names, none of which is ever empty."""
    return [sa.Column(name, kind, nullable=False) for name, kind in kinds.items()]


ONE_BALLOT = ("battle_id", "round", "supersedes", "seat_a", "seat_b")
"""No two rows agree in all of these: a round is settled once."""

_SUPERSEDING = sa.text("supersedes != ''")

VOTES = sa.Table(
    "votes",
    _SCHEMA,
    sa.Column("sequence", _WHOLE, sa.Identity(always=True), primary_key=True),
    *_FIELDS,
    sa.UniqueConstraint(*ONE_BALLOT),
    # The second finds the rows of a ballot that was superseded, the first the ballots that did so.
    sa.Index(
        "votes_superseding",
        *("supersedes", "ballot_id", "sequence"),
        postgresql_where=_SUPERSEDING,
        sqlite_where=_SUPERSEDING,
    ),
    sa.Index("votes_of_ballot", "ballot_id", "sequence"),
    sqlite_autoincrement=True,
)
APPLIED = sa.Table(
    "schema_migrations",
    _SCHEMA,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    *_said(applied_at=UtcTime),
)
KEYS = sa.Table("arena_keys", _SCHEMA, *_said(key=sa.Text))
CHAIN = sa.Table(
    "vote_chain",
    _SCHEMA,
    sa.Column("sequence", _WHOLE, primary_key=True, autoincrement=False),
    *_said(columns=sa.Integer, digest=sa.Text),
)
"""A link for each vote, over so many of its columns; see `chain`."""
SHARED = sa.Table(
    "shared_battles",
    _SCHEMA,
    sa.Column("battle_id", sa.Text(), primary_key=True),
    *_said(owner=sa.Text, shared_at=UtcTime, told=sa.Text),
)
"""What links show, by what names them: a digest of the battle's id. Those that were given out before
links had one stand under the id."""
STUDY_EVENTS = sa.Table(
    "study_events",
    _SCHEMA,
    sa.Column("sequence", _WHOLE, sa.Identity(always=True), primary_key=True),
    *_said(study=sa.Text, kind=sa.Text, rater=sa.Text, battle=sa.Text, item=sa.Text),
    *_said(at=UtcTime, data=sa.JSON),
    sa.Index("study_events_of_study", "study", "sequence"),
    sa.Index("study_events_of_battle", "battle"),
    sa.Index("study_events_of_kind", "kind", "study"),
    sqlite_autoincrement=True,
)
STUDY_REPLIES = sa.Table(
    "study_replies",
    _SCHEMA,
    sa.Column("sequence", _WHOLE, sa.Identity(always=True), primary_key=True),
    *_said(study=sa.Text, prompt_id=sa.Text, contender=sa.Text, asked=sa.Text),
    *_said(replies=sa.JSON, seed=_WHOLE, at=UtcTime),
    sa.UniqueConstraint("study", "prompt_id", "contender", "asked"),
    sqlite_autoincrement=True,
)
EXCLUSIONS = sa.Table(
    "vote_exclusions",
    _SCHEMA,
    sa.Column("number", _WHOLE, primary_key=True, autoincrement=False),
    *_said(kind=sa.Text, subject=sa.Text, excluded=sa.Boolean, reason=sa.Text),
    *_said(decided_at=UtcTime, after=_WHOLE, digest=sa.Text),
)
"""What operators decided of raters and ballots after so many votes; see `exclusions`."""
IMAGES = sa.Table(
    "battle_images",
    _SCHEMA,
    sa.Column("digest", sa.Text(), primary_key=True),
    *_said(kept_at=UtcTime, voted=sa.Boolean, size=_WHOLE, data=sa.LargeBinary),
)
INCOMING = sa.Table(
    "incoming_votes",
    sa.MetaData(),
    sa.Column("place", _WHOLE, sa.Identity(always=True), primary_key=True),
    *(
        sa.Column(
            field.name,
            field.type,
            nullable=field.nullable,
            index=field.name == "id",
            server_default=_unknown(field.name),
        )
        for field in _FIELDS
    ),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""Where votes that are imported wait until all of them are there. What is not known of any need
not be said: most files have few of these columns."""
INCOMING_SAID = sa.Table(
    "incoming_said",
    sa.MetaData(),
    sa.Column("id", sa.Text(), primary_key=True),
    *_said(said=sa.Text),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DROP",
)
"""What the digest of each will say of it; see `chain.said`."""


def values_of(row: VoteRow) -> dict[str, Any]:
    """By column, for an INSERT."""
    return {name: getattr(row, name) for name in DTYPES}


EMPTY: sa.ColumnClause[str] = sa.literal_column("''", sa.Text())
"""As the index of VOTES has it: a bound value would not be seen to be the same."""

INSERTS: Mapping[str, Any] = {"sqlite": insert_sqlite, "postgresql": insert_postgresql}
"""By dialect: an insert that says what becomes of a row that is there, also by another's
transaction that ends meanwhile."""

OUTCOME = ("battle_id", "rater", "model_a", "model_b", "winner", "excluded_reason")
"""What standings need of a vote besides its sequence."""

OUTCOME_LINE = "sequence" + "".join(
    f""" || ',"' || replace({name}, '"', '""') || '"'""" for name in OUTCOME
)
"""A vote's sequence and OUTCOME as a line of CSV, in SQLite's words. An index keeps it ready,
since putting it together takes three times as long as reading it."""
