"""What standings are made from, read at the speed of an index: which rows, and their frame.

Rows are told as they came, so a ballot that was superseded later is told twice: as it was
before, and that it is withdrawn. It does not know which database answers.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pandas as pd
import pyarrow as pa
from pyarrow import csv
from sqlalchemy import ColumnElement, Connection, Select, exists, func, select

from arena.adapters.ledger import exclusions
from arena.adapters.ledger.database import Database
from arena.adapters.ledger.schema import EMPTY, OUTCOME, VOTES
from arena.core.ports import Outcomes
from arena.core.standings.votes import ITSELF, ODD, SUPERSEDED, TEXT, WINNERS

FEW = 1000
"""So many new rows are looked at one by one; for more, all ballots that supersede are."""

_CODED = pa.dictionary(pa.int32(), pa.string())
_SCHEMA = pa.schema([("sequence", pa.int64()), *((name, _CODED) for name in OUTCOME)])
_AS_TEXT = csv.ConvertOptions(
    column_types=_SCHEMA,
    null_values=[],
    strings_can_be_null=False,
    quoted_strings_can_be_null=False,
)


def read(connection: Connection, database: Database, after: int) -> Outcomes:
    """As `core.ports.Ledger.outcomes`. Nothing ever appears below a number that was read, so
    what is found up to `last` is the same whatever is written meanwhile."""
    last = max(after, connection.scalar(select(func.max(VOTES.c.sequence))) or 0)
    decided = exclusions.count(connection)
    if last == after:
        return Outcomes(NOTHING.copy(), NOTHING.copy(), last, decided)
    rows = frame(database.outcomes(connection, after, last))
    superseded = connection.scalars(_superseded(after, last)).all()
    if superseded:
        rows = exclusions.marked(rows, rows["sequence"].isin(superseded), SUPERSEDED)
    again = connection.scalars(_withdrawn(after, last)).all() if after else []
    withdrawn = frame(database.outcomes_of(connection, again)) if again else NOTHING.copy()
    rows, withdrawn = map(_sensible, (rows, withdrawn))
    if decided:
        rows, withdrawn = (exclusions.applied(connection, each) for each in (rows, withdrawn))
    return Outcomes(rows, withdrawn, last, decided)


def frame(pieces: Iterable[bytes]) -> pd.DataFrame:
    """Pieces of CSV as one table: sequence int64, the others category with categories of str.
    While one piece is taken apart, the next is fetched; the first, mostly the only one, is not
    worth a thread."""
    remaining = iter(pieces)
    tables = [_SCHEMA.empty_table(), *(_parsed(piece) for piece in islice(remaining, 1))]
    with ThreadPoolExecutor(max_workers=1) as parser:
        parsed = [parser.submit(_parsed, piece) for piece in remaining]
    tables += [table.result() for table in parsed]
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = {"sequence": whole["sequence"].to_numpy()}
    return pd.DataFrame(columns | {name: _categorical(whole[name]) for name in OUTCOME}, copy=False)


def _parsed(piece: bytes) -> pa.Table:
    return csv.read_csv(
        pa.BufferReader(piece),
        # As one block: in a block of its own, a text with line breaks could be cut in two.
        read_options=csv.ReadOptions(
            column_names=_SCHEMA.names, block_size=len(piece) + 1, use_threads=False
        ),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=_AS_TEXT,
    )


def _categorical(column: pa.ChunkedArray) -> pd.Categorical:
    coded = column.combine_chunks()
    labels = pd.Index(pd.array(coded.dictionary, dtype=TEXT))
    return pd.Categorical.from_codes(coded.indices.to_numpy(), labels, validate=False)


NOTHING = frame(())


def _sensible(rows: pd.DataFrame) -> pd.DataFrame:
    """With the reason `ITSELF` where a contender met one of its own name, and `ODD` where nobody
    knows what the outcome says."""
    a, b = rows["model_a"].cat, rows["model_b"].cat
    itself = a.codes.to_numpy() == a.categories.get_indexer(b.categories)[b.codes.to_numpy()]
    winner = rows["winner"].cat
    odd = ~winner.categories.isin(WINNERS)[winner.codes.to_numpy()]
    for where, reason in (itself, ITSELF), (odd, ODD):
        if where.any():
            rows = exclusions.marked(rows, (rows["excluded_reason"] == "") & where, reason)
    return rows


# Which rows -----------------------------------------------------------------------------------

_LATER = VOTES.alias("later")


def _undone(after: int, until: int) -> Select[str]:
    """The ballots that others superseded in rows above `after` up to `until`."""
    # "+ 0" keeps databases from walking through the table by its key, conversations and all,
    # where an index holds everything that is asked for.
    number = VOTES.c.sequence if until - after <= FEW else VOTES.c.sequence + 0
    return select(VOTES.c.supersedes).where(
        VOTES.c.supersedes != EMPTY,
        VOTES.c.supersedes != VOTES.c.ballot_id,
        number > after,
        number <= until,
    )


def _superseded(after: int, last: int) -> Select[int]:
    """Of the rows above `after` up to `last`, those whose ballot is superseded up to `last`."""
    if last - after <= FEW:
        fresh = VOTES.c.sequence > after, VOTES.c.sequence <= last
        return select(VOTES.c.sequence).where(*fresh, _is_superseded(last))
    number = VOTES.c.sequence + 0
    undone = VOTES.c.ballot_id.in_(_undone(0, last))
    return select(VOTES.c.sequence).where(undone, number > after, number <= last)


def _withdrawn(after: int, last: int) -> Select[int]:
    """The rows up to `after` whose ballot is superseded above it, and was not before."""
    undone = VOTES.c.ballot_id.in_(_undone(after, last))
    return select(VOTES.c.sequence).where(
        undone, VOTES.c.sequence + 0 <= after, ~_is_superseded(after)
    )


def _is_superseded(until: int) -> ColumnElement[bool]:
    """Whether the ballot of a row in VOTES is superseded by another in a row up to `until`."""
    return exists().where(
        _LATER.c.supersedes != EMPTY,
        _LATER.c.supersedes == VOTES.c.ballot_id,
        _LATER.c.supersedes != _LATER.c.ballot_id,
        _LATER.c.sequence + 0 <= until,
    )
