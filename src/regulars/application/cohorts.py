"""Who belongs to a cohort: over the life of a person, and fixed for good on one day."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from regulars.application.canonical import execute, fetch
from regulars.application.corrections import correct
from regulars.application.query import read_context
from regulars.domain.calendar import EPOCH, epoch_day
from regulars.domain.dialect import render
from regulars.domain.limited import BEYOND_RETENTION
from regulars.domain.membership import cohort_key, membership
from regulars.domain.properties import FAR
from regulars.domain.relations.moments import made_of
from regulars.domain.schema import MISSING
from regulars.domain.segments import FROZEN, NAME, PREFIX, SEGMENT, Stay
from regulars.domain.sql import Values, literal, with_relations
from regulars.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from regulars.application.ports import Engine
    from regulars.domain.context import Context
    from regulars.domain.membership import Membership
    from regulars.settings import Settings

Read = Callable[[str, Values], list[tuple[Any, ...]]]
_AT_ONCE = 5000  # people in one statement


def stays(engine: Engine, settings: Settings, user_id: str, now: datetime) -> tuple[Stay, ...]:
    """Each cohort and segment a person was in, with the days, up to the last day with data.

    Errors: :class:`QueryError` ``unknown_user``.
    """
    with engine.snapshot() as snapshot:

        def read(text: str, values: Values) -> list[tuple[Any, ...]]:
            return snapshot.query(render(values.bind(text), engine.dialect)).rows

        values = Values()
        found = read(
            f"""SELECT u.user_key, u.user_attributes FROM dim_identities i JOIN dim_users u ON u.user_key = i.user_key
WHERE i.external_id = {values.add(user_id)} ORDER BY i.kind DESC LIMIT 1""",
            values,
        )
        if not found:
            raise QueryError(f"no user {user_id!r} in this workspace", code="unknown_user", user_id=user_id)
        user_key, attributes = found[0]
        declared = [*(f"{PREFIX}{name}" for name in settings.rules.cohorts), f"{PREFIX}{SEGMENT}"]
        context = read_context(engine, settings, now, declared, read=lambda sql: snapshot.query(sql).rows)
        if context.first_day is None or context.watermark is None:
            return ()
        keys = [*(cohort_key(name, context) for name in context.rules.cohorts), SEGMENT]
        held = [stay for key in keys for stay in _stays_in(read, context, key, f"u.user_key = {user_key}")]
        names = sorted(key.removeprefix(PREFIX) for key in json.loads(attributes or "{}") if key.startswith(PREFIX))
    return (*held, *(Stay(name, context.first_day, None, is_frozen=True) for name in names))


def _stays_in(read: Read, context: Context, key: str, only: str) -> list[Stay]:
    first, last = context.first_day or EPOCH, context.watermark or EPOCH
    values = Values()
    one = membership(key, context, values)
    exact = one.exact_from(context.raw_floor) if context.raw_floor else None
    if context.raw_floor and exact:
        first = max(first, exact if exact <= last else context.raw_floor)
    relations = made_of(one, first, last, only)
    rows = read(with_relations(relations, f"SELECT value, valid_from, valid_to FROM {key} ORDER BY valid_from"), values)
    return [
        Stay(
            value if key == SEGMENT else key.removeprefix("cohort_"),
            EPOCH + timedelta(days=start),
            None if end == FAR else EPOCH + timedelta(days=end),
            is_segment=key == SEGMENT,
            is_truncated=exact is not None and exact > last,
        )
        for value, start, end in rows if value not in ("no", MISSING)
    ]  # fmt: skip


def freeze(engine: Engine, settings: Settings, name: str, now: datetime, *, on: date | None, as_: str) -> int:
    """Fix who belongs to a declared cohort on a day (the last one with data) under a name of its own.

    People of every population are taken, so that a question's population decides. Returns how many.

    Errors: :class:`UnknownNameError` ``unknown_cohort``; :class:`QueryError` ``bad_name``, ``cohort_exists``,
    ``bad_date``, ``beyond_retention``; nothing is changed.
    """
    found: list[int] = []

    def change(load_id: int) -> None:
        context = read_context(engine, settings, now, [f"{PREFIX}{name}"], read=engine.fetch)
        key = cohort_key(name, context)
        day = checked_day(on, context)
        values = Values()
        one = membership(key, context, values)
        _refuse_dropped(one, day, context)
        held = f"valid_from <= {epoch_day(day)} AND valid_to >= {epoch_day(day)}"
        text = f"SELECT user_key FROM {one.name} WHERE value = 'yes' AND {held}"
        found.extend(key for (key,) in fetch(engine, with_relations(made_of(one, day, day), text), values))
        _check_name(engine, settings, as_)
        _keep(engine, as_, f"{name} on {day}", found, load_id, now=now)

    correct(engine, settings, now, f"cohort: {as_}", change)
    return len(found)


def _refuse_dropped(one: Membership, day: date, context: Context) -> None:
    floor = context.raw_floor
    exact = one.exact_from(floor) if floor else None
    if exact and day < exact:
        when = f"freeze it on {exact} or later" if exact < date.max else "freeze a list of users instead"
        raise QueryError(
            f"this cohort counts raw events, and those before {floor} were archived and dropped, so nobody knows who "
            f"belonged to it on {day}; {when}",
            code=BEYOND_RETENTION,
        )  # fmt: skip


def freeze_people(engine: Engine, settings: Settings, user_ids: Collection[str], now: datetime, *, as_: str) -> int:
    """Fix a list of people under a name; ids that resolve to one person count once. Returns how many.

    Errors: :class:`QueryError` ``unknown_user``, ``bad_name``, ``cohort_exists``; nothing is changed.
    """
    found: list[int] = []

    def change(load_id: int) -> None:
        found.extend(_keys_of(engine, sorted(set(user_ids))))
        _check_name(engine, settings, as_)
        _keep(engine, as_, "a list of people", found, load_id, now=now)

    correct(engine, settings, now, f"cohort: {as_}", change)
    return len(found)


def checked_day(on: date | None, context: Context) -> date:
    """A day up to the last one with data; that one by default."""
    last = context.watermark
    if last is None:
        raise QueryError("the workspace has no data yet, so nobody belongs anywhere", code="bad_date")
    if on is not None and on > last:
        raise QueryError(f"{on} is after the last day with data, {last}; name an earlier day", code="bad_date")
    return on or last


def _keys_of(engine: Engine, user_ids: Sequence[str]) -> list[int]:
    """People by any id of theirs, a known id before an anonymous one."""
    owner: dict[str, int] = {}
    for some in _chunks(user_ids):
        # Thousands of values in one tree would take longer to spell than to look up.
        listed = ", ".join(literal(user_id).sql(dialect=engine.dialect.sqlglot) for user_id in some)
        owner |= dict(
            engine.fetch(
                f"SELECT external_id, user_key FROM dim_identities WHERE external_id IN ({listed}) ORDER BY kind"
            )
        )
    missing = [user_id for user_id in user_ids if user_id not in owner]
    if missing:
        shown = ", ".join(map(repr, missing[:5])) + (f" and {len(missing) - 5} more" if missing[5:] else "")
        raise QueryError(f"no user {shown} in this workspace; nothing was frozen", code="unknown_user")
    return sorted(set(owner.values()))


def _keep(engine: Engine, name: str, description: str, keys: Sequence[int], load_id: int, *, now: datetime) -> None:
    """Keep an attribute of each person, as a fact: it outlives a rebuild, follows merged ids, goes with the erased."""
    values = Values()
    execute(
        engine,
        f"""INSERT INTO dim_user_segments
SELECT (SELECT coalesce(max(user_segment_key), 0) + 1 FROM dim_user_segments), {values.add(name)},
  {values.add(description)}, {values.add(FROZEN)}""",
        values,
    )
    moment = now.isoformat(sep=" ")
    for some in _chunks(keys):
        execute(
            engine,
            f"""INSERT INTO fact_user_attributes (identity_key, key, value, set_at, event_id, is_explicit, load_id)
SELECT u.user_key, '{PREFIX}{name}', 'yes', CAST('{moment}' AS TIMESTAMP), 'cohort-{load_id}', TRUE, {load_id}
FROM dim_users u WHERE u.user_key IN ({", ".join(map(str, some))})""",
        )


def _check_name(engine: Engine, settings: Settings, name: str) -> None:
    if not NAME.fullmatch(name) or name == SEGMENT:
        raise QueryError(f"cohort name {name!r} must be lower-case letters, digits and _", code="bad_name")
    values = Values()
    text = f"SELECT 1 FROM dim_user_segments WHERE segment_name = {values.add(name)}"
    if name in settings.rules.cohorts or fetch(engine, text, values):
        raise QueryError(
            f"there is a cohort {name!r} already, and a frozen one never changes; choose another name",
            code="cohort_exists", name=name,
        )  # fmt: skip


def _chunks(items: Sequence[int] | Sequence[str]) -> Iterator[Sequence[int] | Sequence[str]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
