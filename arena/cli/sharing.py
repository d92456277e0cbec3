"""For deploy-check: what all replicas share, by the settings here: Redis and the database of votes.

It only looks. It does not know what is kept in them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from arena.cli.doctor import SKEW_S, Finding
from arena.core.errors import NotInstalled

if TYPE_CHECKING:
    from arena.settings import Settings

CONNECT_S = 3
SLOW_S = 0.05
"""A move of a battle takes several answers of Redis, one after the other."""

NTP = "Turn on time synchronisation (timedatectl set-ntp true) on both machines."
REDIS_CONF = "arena/deploy/stores/redis.conf has it; include it in redis.conf and restart Redis."
POSTGRESQL_CONF = "arena/deploy/stores/postgresql.conf has it."
HERE = "Set it in the environment of every replica; check where that environment is set too."

PROMISES = ("fsync", "full_page_writes")
ASKED = text(
    "SELECT name, setting FROM pg_settings WHERE name IN "
    "('fsync', 'full_page_writes', 'synchronous_commit') UNION ALL "
    "SELECT 'standby', pg_is_in_recovery()::text UNION ALL "
    "SELECT 'version', current_setting('server_version')"
)


async def examine(settings: Settings, replicas: int) -> list[Finding]:
    """replicas: how many answered through the public URL."""
    several = replicas > 1
    redis = [_no_redis(several)] if not settings.redis_url else await _redis(settings.redis_url)
    if settings.database_url.startswith("sqlite"):
        return [*redis, _sqlite(several)]
    return [*redis, *await asyncio.to_thread(_postgresql, settings.database_url)]


def _no_redis(several: bool) -> Finding:
    if several:
        text = "several replicas answer, but REDIS_URL is not set here"
        return Finding("redis", "warn", text, HERE)
    return Finding("redis", "ok", "REDIS_URL is not set here, and one replica needs none")


def _sqlite(several: bool) -> Finding:
    if several:
        what = "several replicas answer, but DATABASE_URL names a SQLite file here"
        return Finding("database", "warn", what, HERE)
    return Finding("database", "ok", "votes are kept in a SQLite file, which is for one replica")


async def _redis(url: str) -> list[Finding]:
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ImportError as error:
        raise NotInstalled("REDIS_URL", error) from error
    where = _place(url)
    try:
        redis = Redis.from_url(url, socket_connect_timeout=CONNECT_S, socket_timeout=CONNECT_S)
        async with redis:
            await redis.ping()
            since = time.monotonic()
            seconds, micros = await redis.time()
            answered = time.monotonic() - since
            skew = seconds + micros / 1e6 - time.time()
            known = await redis.info("everything")
    except (RedisError, OSError, ValueError) as error:
        mend = "Start Redis, open its port to this machine, or correct REDIS_URL."
        # The error's own text may quote the address with its password.
        return [Finding("redis", "fail", f"{where} does not answer ({type(error).__name__})", mend)]
    found = [Finding("redis", "ok", f"{where} answers: Redis {known.get('redis_version', '?')}")]
    found += _kept(known)
    if answered > SLOW_S:
        what = f"{where} takes {answered * 1000:.0f} ms for an answer"
        found.append(Finding("redis", "warn", what, "Put it into the network of the replicas."))
    return [*found, _clock(where, skew)]


def _kept(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether battles outlive a restart of Redis, and are never thrown out."""
    if not info.get("aof_enabled"):
        what = "appendonly is off: a restart of Redis loses the battles that are under way"
        yield Finding("redis", "fail", what, f"appendonly yes; {REDIS_CONF}")
    elif info.get("aof_last_write_status", "ok") != "ok":
        what = "Redis could not write its append-only file"
        yield Finding("redis", "fail", what, "Free some space on its disk.")
    else:
        yield Finding("redis", "ok", "battles under way outlive a restart (appendonly)")
    policy = info.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield Finding("redis", "ok", "nothing is evicted (noeviction)")
    else:
        what = f"maxmemory-policy is {policy}: battles under way can be thrown out"
        yield Finding("redis", "fail", what, f"maxmemory-policy noeviction; {REDIS_CONF}")
    if info.get("role") not in ("master", None):
        mend = "Name the primary in REDIS_URL."
        yield Finding("redis", "fail", "this Redis is a replica and cannot be written", mend)


def _postgresql(url: str) -> list[Finding]:
    where = _place(url)
    try:
        engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_S})
        with engine.connect() as connection:
            rows = connection.execute(ASKED).all()
            now: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            skew = now.timestamp() - time.time()
    except ImportError as error:
        raise NotInstalled("DATABASE_URL", error) from error
    except SQLAlchemyError as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        mend = "Start PostgreSQL, open its port to this machine, or correct DATABASE_URL."
        return [Finding("database", "fail", f"{where} does not answer ({cause})", mend)]
    told = {str(name): str(setting) for name, setting in rows}
    answers = f"{where} answers: PostgreSQL {told['version']}"
    return [Finding("database", "ok", answers), *_durable(told), _clock(where, skew)]


def _durable(told: Mapping[str, str]) -> Iterator[Finding]:
    """Whether a vote is on the disk when it is acknowledged."""
    if told["standby"] == "true":
        mend = "Name the primary in DATABASE_URL."
        yield Finding("database", "fail", "this PostgreSQL is a standby: no vote can be kept", mend)
    if off := [name for name in PROMISES if told.get(name) == "off"]:
        what = f"{', '.join(off)} off: votes that were acknowledged can be lost in a crash"
        yield Finding("database", "fail", what, f"Switch it on; {POSTGRESQL_CONF}")
    elif told.get("synchronous_commit") == "off":
        what = "synchronous_commit is off, which the arena switches on for its own votes only"
        yield Finding("database", "warn", what, f"Switch it on for all; {POSTGRESQL_CONF}")
    else:
        yield Finding("database", "ok", "a vote is on the disk before it is acknowledged")


def _clock(where: str, skew: float) -> Finding:
    if abs(skew) <= SKEW_S:
        return Finding("clock", "ok", f"{where} is within {SKEW_S:.0f} s of this machine")
    way = "ahead of" if skew > 0 else "behind"
    what = f"{where} is {abs(skew):.0f} s {way} this machine: logs and deadlines disagree"
    return Finding("clock", "warn", what, NTP)


def _place(url: str) -> str:
    """host:port of a URL, without its password."""
    parts = urlsplit(url)
    host = parts.hostname or "this machine"
    return f"{host}:{parts.port}" if parts.port else host
