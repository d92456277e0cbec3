"""Votes out of and into the arena: CSV, Parquet, JSON lines, DPO pairs, and a LaTeX table.

The first columns are those of LMArena's published data. It knows the ledger as a port; it does
not know who may have the votes, nor where files come from and go to.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import pandas as pd

from arena.core.arrays import Ints
from arena.core.codec import records
from arena.core.keyed import digest
from arena.core.ports import Ledger
from arena.core.standings.slices import BATTLES, Slice, pseudonym, without
from arena.core.standings.votes import SUPERSEDED
from arena.exchange import dpo, lmarena
from arena.exchange.latex import latex
from arena.exchange.parquet import ParquetRows
from arena.exchange.receiving import Votes
from arena.exchange.text import CsvRows, JsonRows, csv_of

__all__ = ["FORMATS", "FileFormat", "Votes", "csv_of", "export", "latex", "public_name", "unopened"]

ROWS_AT_ONCE = 500
"""With their conversations, which are long."""
LABELS_AT_ONCE = 20_000

TEXTS = ("conversation_a", "conversation_b", "thinking_a", "thinking_b", "images")

Sequences = Ints
UnderWay = Callable[[], Awaitable[Collection[str]]]
"""The ids of the battles that are not over."""


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file of it is announced and called."""

    media_type: str
    suffix: str


FORMATS: Mapping[str, FileFormat] = {
    "csv": FileFormat("text/csv; charset=utf-8; header=present", ".csv"),
    "parquet": FileFormat("application/vnd.apache.parquet", ".parquet"),
    "jsonl": FileFormat("application/x-ndjson", ".jsonl"),
    "dpo": FileFormat("application/x-ndjson", ".dpo.jsonl"),
    "latex": FileFormat("text/x-tex; charset=utf-8", ".tex"),
}
"""All but latex, which is of standings, are of votes."""


class _Rows(Protocol):
    def rows(self, rows: Sequence[Mapping[str, Any]]) -> bytes: ...

    def end(self) -> bytes: ...


async def export(
    ledger: Ledger,
    format: str,
    slice: Slice = Slice(),
    *,
    strict: bool = False,
    hold_back: UnderWay | None = None,
    public: bool = False,
    textless: bool = False,
    left_out: Counter[str] | None = None,
    pictured: set[str] | None = None,
) -> AsyncGenerator[bytes, None]:
    """The votes of a slice as a file, in pieces, in the order written; those that come in while
    it is read are left out. Memory does not grow with the ledger.

    format: one of `FORMATS` but latex. In full, every row comes with all columns of the ledger;
    what is not ranked says why in excluded_reason, which is "superseded" for a ballot that
    was taken back. strict: only the published columns (`lmarena.COLUMNS`), and only votes that
    are ranked, as other tools know no exclusion; so are the pairs of dpo. hold_back: tells the
    battles to leave out, which are under way and the names in them not yet public; asked when
    it is known which votes there are, so that none of a battle begun since slips through.
    public: raters go by a digest of their token, battles as `unopened` says, and addresses of
    hosts are left empty. textless: nothing that was said or thought. left_out: where it is counted
    why ranked votes are no pairs of dpo, and how many pairs were cut back. pictured: where the
    digests of the images are gathered that these votes name."""
    ranked = strict or format == "dpo"
    counted = Counter[str]() if left_out is None else left_out
    named = set[str]() if pictured is None else pictured
    made = _rows_of(format, ranked)
    wanted, superseded = await _chosen(ledger, slice)
    held_back = frozenset(await hold_back() if hold_back else ())
    key = await ledger.key() if public else b""

    def piece(votes: pd.DataFrame, some: Sequences) -> bytes:
        votes = without(votes[votes["sequence"].isin(some)], held_back)
        undone = votes["ballot_id"].isin(superseded)
        votes = votes.assign(excluded_reason=votes["excluded_reason"].mask(undone, SUPERSEDED))
        if ranked:
            votes = votes[votes["excluded_reason"] == ""]
        if public:
            raters = votes["rater"].map(pseudonym)
            votes = unopened(votes, key).assign(rater=raters, host_a="", host_b="")
        if textless:
            nothing: Any = pd.Series([[]] * len(votes), index=votes.index, dtype=object)
            votes = votes.assign(system="")
            for name in TEXTS:
                votes[name] = nothing
            votes["comment"] = ""
        named.update(*votes["images"])
        return made.rows(_shaped(format, ranked, votes, counted))

    at = 0
    while at < len(wanted):
        columns = ("sequence", *lmarena.FIELDS)
        votes = await ledger.votes(columns, after=int(wanted[at]) - 1, limit=ROWS_AT_ONCE)
        if data := await asyncio.to_thread(piece, votes, wanted[at : at + ROWS_AT_ONCE]):
            yield data
        at = int(np.searchsorted(wanted, votes["sequence"].iloc[-1], side="right"))
    yield await asyncio.to_thread(made.end)


def unopened(votes: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """The votes with other names for their battles: the same for the same battle, so that they
    still cluster, and nobody gets by them at what the arena keeps of it."""
    name = partial(public_name, key)
    return votes.assign(**{column: votes[column].map(name) for column in BATTLES})


def public_name(key: bytes, battle: str) -> str:
    """What a battle is called where everybody may look."""
    return digest(key, f"battle {battle}") if battle else ""


def _rows_of(format: str, strict: bool) -> _Rows:
    if format == "csv":
        return CsvRows(lmarena.COLUMNS if strict else lmarena.FIELDS)
    return ParquetRows(strict) if format == "parquet" else JsonRows()


def _shaped(
    format: str, strict: bool, votes: pd.DataFrame, left_out: Counter[str]
) -> list[Mapping[str, Any]]:
    rows = records(votes.drop(columns="sequence"))
    if format == "dpo":
        found = [dpo.pair(row) for row in rows]
        pairs: list[Mapping[str, Any]] = [pair for pair in found if not isinstance(pair, str)]
        left_out.update(why for why in found if isinstance(why, str))
        left_out.update("cut back" for pair in pairs if pair["turns_cut"])
        return pairs
    shape = lmarena.strict if strict else lmarena.full
    return [shape(row) for row in rows]


async def _chosen(ledger: Ledger, slice: Slice) -> tuple[Sequences, set[str]]:
    """The sequences to export, ascending, and the ballots that were taken back, all told."""
    chosen: list[Any] = []
    superseded: set[str] = set()
    after = 0
    columns = ("sequence", "ballot_id", "supersedes", *slice.columns)
    while True:
        labels = await ledger.votes(columns, after=after, limit=LABELS_AT_ONCE)
        if labels.empty:
            break
        after = int(labels["sequence"].iloc[-1])
        others = (labels["supersedes"] != "") & (labels["supersedes"] != labels["ballot_id"])
        superseded.update(labels.loc[others, "supersedes"])
        chosen.append(slice.of(labels)["sequence"].to_numpy(np.int64))
    return np.concatenate(chosen) if chosen else np.array([], np.int64), superseded
