"""What moves votes besides strength: the style of replies, seats and order. Ratings corrected
for it, and how much it is worth.

It needs rows, not counts, and does not know where they are kept or what is shown of an effect.

Chiang et al. 2024, arXiv:2403.04132; style as in LMArena's style control
(https://lmsys.org/blog/2024-08-28-style-control/): of length, headers, bold and lists the
difference by the sum, (a − b)/(a + b), then less its mean and by its standard deviation.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, stdtr

from arena.core.arrays import Floats
from arena.core.errors import BadInput
from arena.core.standings import fitting
from arena.core.standings.bradley_terry import POINTS_PER_LOGIT, Fit, Method, half_interval, line_up
from arena.core.standings.clusters import Worth
from arena.core.standings.counts import Counts, cluster_numbers
from arena.core.standings.fitting import Design, Entries
from arena.core.standings.votes import TEXT, counted, counting, read, require

METADATA = {
    "length": ("sum_assistant_a_tokens", "sum_assistant_b_tokens"),
    "header": ("header_count_a", "header_count_b"),
    "bold": ("bold_count_a", "bold_count_b"),
    "list": ("list_count_a", "list_count_b"),
}
"""Covariate → where conv_metadata has it, of a and of b."""

STYLE = tuple(METADATA)
ORDER = ("seat", "incumbent")
STYLE_COLUMNS = {name: f"style_{name}" for name in STYLE}
UNMEASURED = "unmeasured"
"""Why votes are left out of ratings that are corrected for style: nobody knows theirs."""

SEATS = ("incumbent", "seat_a", "seat_b")
"""The ledger's columns that incumbency is read from."""

EFFECTS = {
    "covariate": TEXT,
    **dict.fromkeys(("effect", "points", "lower", "upper", "p_value"), "float64"),
}
"""Columns of the effects, in order, with their dtypes."""


def fit_with(
    votes: pd.DataFrame, covariates: Sequence[str], method: Method = Method()
) -> tuple[Fit, pd.DataFrame]:
    """Ratings corrected for covariates, names of `STYLE` and `ORDER`, and what each is worth.

    votes: rows with `votes.OUTCOME_COLUMNS`, and for incumbency `SEATS`; for style either
    conv_metadata or the columns of `style_columns`. Where an effect is β logits, a's chance is
    σ(θ_a − θ_b + Σ β x): x is 1 for seat (a is shown first), 1 for incumbent if a has stayed on
    from the round before and −1 if b has, and for style the standardised difference.

    The second table has a row for each covariate, with the columns of `EFFECTS`: effect in
    logits, for one standard deviation where it is style; points, lower and upper the same on
    the scale of the ratings with its 95 % interval, which is never wider than the prior's own;
    p_value two-sided, of no effect. NaN without votes. Effects are taken for the same in all
    groups; clusters and degrees of freedom are each group's own, and for the effects those of
    all votes together. Raises `BadInput` for an unknown covariate, for votes that do not say
    what is needed, and as `votes.read` does."""
    for name in covariates:
        if name not in (*STYLE, *ORDER) or list(covariates).count(name) > 1:
            raise BadInput(
                f"Ratings cannot be corrected for {name!s:.20} here. Choose, once each, from "
                f"{', '.join((*STYLE, *ORDER))}."
            )
    designed = _designed(votes, covariates, method) if covariates and not votes.empty else None
    if designed is None:
        unknown = np.full(len(covariates), np.nan)
        effects = _table(covariates, unknown, unknown, math.inf, method.prior_sd)
        return Counts.of(votes).fit(method), effects
    fit, found = fitting.fit(*designed, method)
    return fit, _table(covariates, found.beta, found.error, found.df, method.prior_sd)


def style_columns(votes: pd.DataFrame) -> pd.DataFrame:
    """The differences of style of each row, (a − b)/(a + b) and 0 where both have none, in the
    columns `STYLE_COLUMNS`: numbers that `fit_with` takes in place of conv_metadata, which is
    slow to take apart. NaN where conv_metadata does not say. Counts that LMArena's files have
    by kind, such as headers by level, are summed."""
    require(votes, ("conv_metadata",))
    known = votes["conv_metadata"].tolist()
    columns = {}
    for name, keys in METADATA.items():
        a, b = (np.fromiter(_numbers(known, key), float, len(known)) for key in keys)
        total = a + b
        columns[STYLE_COLUMNS[name]] = (a - b) / np.where(total == 0, 1.0, total)
    return pd.DataFrame(columns, index=votes.index)


def measurable(votes: pd.DataFrame, covariates: Sequence[str]) -> pd.DataFrame:
    """The rows, with their style as numbers; where some count that do not say what a correction
    for these covariates needs, those have the excluded_reason `UNMEASURED`. If none says it, the
    rows are as they were, and `fit_with` refuses them."""
    named = [name for name in covariates if name in STYLE]
    if votes.empty or not named:
        return votes
    columns = [STYLE_COLUMNS[name] for name in named]
    if missing := [column for column in columns if column not in votes]:
        styles = style_columns(votes)
        votes = votes.assign(**{column: styles[column] for column in missing})
    some = counting(votes["excluded_reason"])[0]
    counts = np.ones(len(votes), dtype=bool) if some is None else some
    unknown = votes[columns].isna().any(axis=1).to_numpy() & counts
    if not unknown.any() or (unknown == counts).all():
        return votes
    reason = votes["excluded_reason"].astype(TEXT).fillna("").mask(unknown, UNMEASURED)
    return votes.assign(excluded_reason=reason)


def _numbers(known: Sequence[Any], key: str) -> Iterable[float]:
    for metadata in known:
        value = metadata.get(key) if isinstance(metadata, dict) else None
        if isinstance(value, dict):
            value = sum(filter(None, value.values()))
        yield math.nan if value is None else value


def _designed(
    votes: pd.DataFrame, covariates: Sequence[str], method: Method
) -> tuple[tuple[str, ...], Design] | None:
    """The contenders and their votes, N that are fitted, each one of C combinations of two
    contenders and an outcome; None where no vote is fitted."""
    new, worth = read(votes), Worth.of(*method.weights)
    votes = counted(votes)
    combination = new.each(np.arange(len(new.outcome)))
    fitted = (worth.votes[new.outcome] > 0)[combination]
    if not fitted.all():
        votes, combination = votes[fitted], combination[fitted]
    if votes.empty:
        return None
    times = np.bincount(combination, minlength=len(new.outcome)).astype(float)
    scores = worth.score[new.outcome]
    a, b = new.model_a, new.model_b
    names, place, group = line_up(new.names, a, b, times)

    values = {name: _values(votes, name) for name in covariates}
    unit, of_unit = np.arange(len(votes)), combination
    if not set(values) & set(STYLE):
        # Few are different, so a million votes are as quickly fitted as a thousand.
        stayed = values.get("incumbent", np.zeros(1)).astype(np.int64)
        _, one, unit = np.unique(of_unit * 3 + stayed, return_index=True, return_inverse=True)
        of_unit, values = of_unit[one], {name: value[one] for name, value in values.items()}

    def entries(by_rater: bool) -> Entries:
        cluster = cluster_numbers(votes["battle_id"], votes["rater"] if by_rater else None)
        return Entries(cluster - cluster.min(), unit, np.ones(len(unit)), scores[combination])

    design = Design(
        group=group,
        first=place[a[of_unit]],
        second=place[b[of_unit]],
        covariates=np.array(list(values.values())),
        votes=(number := np.bincount(unit).astype(float)),
        score=number * scores[of_unit],
        squares=number * scores[of_unit] ** 2,
        tied=number * (new.outcome[of_unit] > 1),
        entries=entries,
    )
    return names, design


def _values(votes: pd.DataFrame, name: str) -> Floats:
    """(N,) The covariate of each vote."""
    if name == "seat":
        return np.ones(len(votes))
    if name == "incumbent":
        require(votes, SEATS)
        stayed, a, b = (votes[column].astype(TEXT).fillna("") for column in SEATS)
        stays_a, stays_b = (stayed == a).to_numpy(), (stayed == b).to_numpy()
        return np.where((stayed == "").to_numpy(), 0.0, stays_a * 1.0 - stays_b)
    column = STYLE_COLUMNS[name]
    if column not in votes:
        votes = style_columns(votes)
    difference = votes[column].to_numpy(float)
    if unknown := int(np.isnan(difference).sum()):
        raise BadInput(
            f"{unknown} of {len(votes)} votes do not say {' and '.join(METADATA[name])} in "
            f"their conv_metadata. Leave them out, or do not correct for {name}."
        )
    if not np.ptp(difference):
        return np.zeros(len(votes))  # What is left by the rounding of a mean is no difference.
    standardised: Floats = (difference - difference.mean()) / difference.std()
    return standardised


def _table(
    covariates: Sequence[str], effect: Floats, error: Floats, df: float, prior_sd: float
) -> pd.DataFrame:
    half = half_interval(error**2, np.array(df), prior_sd)
    t = -np.abs(effect) / error
    columns = {
        "covariate": list(covariates),
        "effect": effect,
        "points": effect * POINTS_PER_LOGIT,
        "lower": (effect - half) * POINTS_PER_LOGIT,
        "upper": (effect + half) * POINTS_PER_LOGIT,
        "p_value": 2 * (ndtr(t) if math.isinf(df) else stdtr(df, t)),
    }
    return pd.DataFrame(columns).astype(EFFECTS)
