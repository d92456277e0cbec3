"""Moments as people write them: a day, or a time in ISO 8601.

It does not know what time it is.
"""

from datetime import UTC, date, datetime, time, timedelta

from arena.core.errors import BadInput

When = str | date


def since(said: When) -> datetime:
    """When it begins, in UTC: a day (2026-03-01) at midnight. What has no zone is in UTC already.
    Raises BadInput for what is no time."""
    return _moment(said)[0]


def until(said: When) -> datetime:
    """When it ends, in UTC, that moment no longer counting: a day with all of its 24 hours. What
    has no zone is in UTC already. Raises BadInput for what is no time."""
    moment, whole_day = _moment(said)
    try:
        return moment + timedelta(days=1) if whole_day else moment
    except OverflowError:
        raise _unknown(said) from None


def _moment(said: When) -> tuple[datetime, bool]:
    """The moment, and whether it stands for a day."""
    if isinstance(said, str):
        text = said.strip()
        try:
            said = date.fromisoformat(text)
        except ValueError:
            try:
                said = datetime.fromisoformat(text)
            except ValueError:
                raise _unknown(text) from None
    # A moment that is none, such as pandas', is not even equal to itself.
    if not isinstance(said, date) or said != said:  # noqa: PLR0124
        raise _unknown(said)
    if not isinstance(said, datetime):
        return datetime.combine(said, time(), UTC), True
    try:
        return (said.astimezone(UTC) if said.tzinfo else said.replace(tzinfo=UTC)), False
    except OverflowError:
        raise _unknown(said) from None


def _unknown(said: object) -> BadInput:
    return BadInput(
        f"{said!s:.40} is no time. Write a day as 2026-03-01 or a time as 2026-03-01T12:30Z."
    )
