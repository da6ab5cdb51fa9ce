"""A small product's history, and how each tool would have exported it.

Some visitors never sign up, some sign up later, two people share a device, and some events come from a server that
knows no device.
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from regulars.infrastructure.importers.exports.snowplow import SNOWPLOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_START = datetime(2026, 1, 1, tzinfo=UTC)
_PLAIN = ("page_view", "lesson_done", "purchase", "search")


@dataclass(frozen=True)
class Happening:
    """One event of the product, whoever told of it."""

    number: int
    at: datetime
    type: str
    user: str | None
    device: str | None
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.number:08x}-0000-4000-8000-000000000000"

    @property
    def milliseconds(self) -> int:
        return round(self.at.timestamp() * 1000)


def world(people: int = 30, days: int = 40, seed: int = 7) -> list[Happening]:
    """The history, in the order in which it happened."""
    rng = random.Random(seed)
    found: list[tuple[datetime, str, str | None, str | None, dict[str, Any]]] = []
    for person in range(people):
        # Person 1 takes over the device of person 0.
        device = f"dev-{0 if person == 1 else person:03d}"
        visits = sorted(rng.sample(range(days), rng.randint(1, 12)))
        known_from = visits[rng.randrange(len(visits))] if rng.random() < 0.7 else None
        if person == 1:
            visits, known_from = [day + days for day in visits], visits[0] + days
        for day in visits:
            at = _START + timedelta(days=day, minutes=rng.randrange(1200))
            user = None
            if known_from is not None and day >= known_from:
                user = f"user-{person:03d}"
                if day == known_from:
                    found.append((at, "identify", user, device, {}))
                    found.append((at + timedelta(seconds=1), "sign_up", user, device, {"plan": "free"}))
            for step in range(rng.randint(1, 5)):
                type = rng.choice(_PLAIN)
                moment = at + timedelta(minutes=1 + step, milliseconds=rng.randrange(1000))
                about = {"amount": step + 0.5} if type == "purchase" else {"path": f"/{rng.randrange(4)}"}
                # What a server reports knows the user and no device.
                seen = None if user and type == "purchase" else device
                found.append((moment, type, user, seen, about))
    found.sort(key=lambda row: row[0])
    return [Happening(number, *row) for number, row in enumerate(found)]


def _lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def _halves(rows: list[Any]) -> list[tuple[int, list[Any]]]:
    return [(0, rows[: len(rows) // 2]), (1, rows[len(rows) // 2 :])]


def _naive(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S.%f")


def write_plain(folder: Path, rows: list[Happening]) -> None:
    """The same as Regulars itself would be told it."""
    _lines(
        folder / "events.jsonl",
        [
            {
                "event_id": row.id, "user_id": row.user, "anonymous_id": row.device, "event_type": row.type,
                "timestamp": row.at.isoformat(), "properties": row.properties,
            }
            for row in rows
        ],
    )  # fmt: skip


def segment_call(row: Happening) -> dict[str, Any]:
    kinds = {"identify": "identify", "page_view": "page"}
    call: dict[str, Any] = {
        "type": kinds.get(row.type, "track"), "messageId": f"ajs-{row.id}", "userId": row.user,
        "anonymousId": row.device, "timestamp": row.at.isoformat().replace("+00:00", "Z"),
        "originalTimestamp": row.at.isoformat(), "sentAt": row.at.isoformat(), "receivedAt": row.at.isoformat(),
        "context": {"library": {"name": "analytics.js"}, "page": {"url": "https://shop.test/finance"}},
        "integrations": {}, "projectId": "p1",
    }  # fmt: skip
    if call["type"] == "identify":
        return {**call, "traits": {"email": f"{row.user}@shop.test"}}
    if call["type"] == "page":
        return {**call, "name": "Home", "properties": row.properties}
    return {**call, "event": {"sign_up": "Signed Up"}.get(row.type, row.type), "properties": row.properties}


def write_segment(folder: Path, rows: list[Happening]) -> None:
    for half, part in _halves(rows):
        _lines(folder / "segment-logs" / "src1" / f"17000{half}" / f"{half}.gz", map(segment_call, part))


def write_segment_tables(folder: Path, rows: list[Happening]) -> None:
    for type in dict.fromkeys(row.type for row in rows):
        table = {"identify": "identifies", "page_view": "pages"}.get(type, type)
        found = []
        for row in rows:
            if row.type == type:
                common = {
                    "id": f"ajs-{row.id}", "received_at": row.at, "sent_at": row.at, "original_timestamp": row.at,
                    "timestamp": row.at.replace(tzinfo=None), "uuid_ts": row.at, "context_library_name": "analytics.js",
                    "user_id": row.user, "anonymous_id": row.device,
                }  # fmt: skip
                event = {} if type in ("identify", "page_view") else {"event": type, "event_text": type.title()}
                found.append({**common, **event, **row.properties})
        path = folder / table / "part-0.parquet"
        path.parent.mkdir(parents=True)
        pl.DataFrame(found).write_parquet(path)


def posthog_event(row: Happening) -> dict[str, Any]:
    names = {"page_view": "$pageview", "identify": "$identify"}
    properties = {**row.properties, "$lib": "web"}
    if row.device:
        properties["$device_id"] = row.device
    if row.device and row.user:
        properties["$user_id"] = row.user
    if row.type == "identify":
        properties |= {"$anon_distinct_id": row.device, "$set": {"email": f"{row.user}@shop.test"}}
    return {
        "uuid": row.id, "event": names.get(row.type, row.type), "distinct_id": row.user or row.device,
        "person_id": f"p-{row.user or row.device}", "team_id": 1, "properties": properties,
        "person_properties": {"plan": "free"}, "timestamp": row.at.isoformat(), "created_at": row.at.isoformat(),
    }  # fmt: skip


def write_posthog(folder: Path, rows: list[Happening]) -> None:
    for half, part in _halves(rows):
        _lines(folder / "events" / f"2026-{half}.jsonl.gz", map(posthog_event, part))


def write_posthog_parquet(folder: Path, rows: list[Happening]) -> None:
    events = [posthog_event(row) for row in rows]
    for event, row in zip(events, rows, strict=True):
        event |= {key: json.dumps(event[key]) for key in ("properties", "person_properties")}
        event["timestamp"] = row.at
    folder.mkdir(exist_ok=True)
    pl.DataFrame(events).write_parquet(folder / "export.parquet")


def write_posthog_csv(folder: Path, rows: list[Happening]) -> None:
    events = [posthog_event(row) for row in rows]
    folder.mkdir(exist_ok=True)
    with (folder / "export.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(events[0]))
        writer.writeheader()
        for event, row in zip(events, rows, strict=True):
            texts = {key: json.dumps(event[key]) for key in ("properties", "person_properties")}
            writer.writerow({**event, **texts, "timestamp": _naive(row.at)})


def amplitude_event(row: Happening) -> dict[str, Any]:
    names = {"identify": "$identify", "page_view": "[Amplitude] Page Viewed"}
    return {
        "$insert_id": row.id, "uuid": f"u-{row.id}", "event_id": row.number, "amplitude_id": row.number % 7,
        "app": 1, "event_type": names.get(row.type, row.type), "event_time": _naive(row.at),
        "client_event_time": _naive(row.at), "server_upload_time": _naive(row.at), "user_id": row.user,
        "device_id": row.device, "session_id": row.milliseconds if row.number % 3 else -1,
        "event_properties": row.properties, "user_properties": {"plan": "free"}, "groups": {}, "platform": "Web",
        "country": "Norway", "os_name": "Chrome",
    }  # fmt: skip


def write_amplitude(folder: Path, rows: list[Happening]) -> None:
    for half, part in _halves(rows):
        _lines(folder / "100" / f"100_2026-01-0{half + 1}_0#0.json.gz", map(amplitude_event, part))


def mixpanel_event(row: Happening) -> dict[str, Any]:
    ids = {"$device_id": row.device, "$user_id": row.user}
    return {
        "event": {"page_view": "$mp_web_page_view", "identify": "$identify"}.get(row.type, row.type),
        "properties": {
            "time": row.milliseconds, "distinct_id": row.user or f"$device:{row.device}", "$insert_id": row.id,
            **{key: value for key, value in ids.items() if value}, "mp_country_code": "NO", **row.properties,
        },
    }  # fmt: skip


def mixpanel_original(row: Happening) -> dict[str, Any]:
    event = mixpanel_event(row)
    about = event["properties"]
    about["distinct_id"] = row.user or row.device
    about.pop("$user_id", None)
    if row.type == "identify":
        about |= {"$identified_id": row.user, "$anon_id": row.device}
    return event


def write_mixpanel(folder: Path, rows: list[Happening]) -> None:
    for half, part in _halves(rows):
        _lines(folder / f"mixpanel-{half}.json", map(mixpanel_event, part))


def write_mixpanel_original(folder: Path, rows: list[Happening]) -> None:
    _lines(folder / "raw.jsonl", map(mixpanel_original, rows))


def ga4_event(row: Happening) -> dict[str, Any]:
    def value(given: Any) -> dict[str, Any]:
        return {
            "string_value": given if isinstance(given, str) else None,
            "int_value": given if isinstance(given, int) else None,
            "float_value": None,
            "double_value": given if isinstance(given, float) else None,
        }

    about = {"ga_session_id": row.milliseconds // 1000, **row.properties}
    return {
        "event_date": f"{row.at:%Y%m%d}", "event_timestamp": row.milliseconds * 1000, "event_name": row.type,
        "event_params": [{"key": key, "value": value(given)} for key, given in about.items()],
        "user_id": row.user, "user_pseudo_id": row.device, "event_bundle_sequence_id": row.number,
        "user_properties": [{"key": "plan", "value": {**value("free"), "set_timestamp_micros": 1}}],
        "device": {"category": "mobile", "operating_system": "iOS", "web_info": {"browser": "Safari"}},
        "geo": {"continent": "Europe", "country": "Norway", "city": "Oslo"}, "items": [], "stream_id": "1",
        "batch_page_id": row.number, "batch_ordering_id": 1, "batch_event_index": 1,
    }  # fmt: skip


def _without_identify(rows: list[Happening]) -> list[Happening]:
    return [row for row in rows if row.type != "identify"]


def write_ga4(folder: Path, rows: list[Happening]) -> None:
    folder.mkdir(exist_ok=True)
    for half, part in _halves(_without_identify(rows)):
        frame = pl.DataFrame([ga4_event(row) for row in part], infer_schema_length=None)
        frame.write_parquet(folder / f"events_2026010{half + 1}.parquet")


def write_ga4_json(folder: Path, rows: list[Happening]) -> None:
    """BigQuery writes whole numbers as text."""
    events = [ga4_event(row) for row in _without_identify(rows)]
    for event in events:
        event["event_timestamp"] = str(event["event_timestamp"])
        for param in event["event_params"]:
            whole = param["value"]["int_value"]
            param["value"] = {k: v for k, v in param["value"].items() if v is not None}
            if whole is not None:
                param["value"]["int_value"] = str(whole)
    _lines(folder / "events_000000000000.json.gz", events)


def snowplow_event(row: Happening) -> dict[str, Any]:
    schema = f"iglu:test.shop/{row.type}/jsonschema/1-0-0"
    own = {"schema": "iglu:com.snowplowanalytics.snowplow/unstruct_event/jsonschema/1-0-0",
           "data": {"schema": schema, "data": row.properties}}  # fmt: skip
    kind = {"page_view": "page_view", "search": "struct"}.get(row.type, "unstruct")
    return {
        "app_id": "shop", "platform": "web", "collector_tstamp": _naive(row.at + timedelta(seconds=2)),
        "derived_tstamp": _naive(row.at), "event": kind, "event_id": row.id, "v_tracker": "js-3",
        "user_id": row.user, "domain_userid": row.device, "network_userid": None, "domain_sessionid": f"s-{row.number}",
        "geo_country": "NO", "geo_latitude": 59.9, "page_urlpath": row.properties.get("path"),
        "event_vendor": "test.shop",
        "event_name": "event" if kind == "struct" else row.type,
        "se_category": "shop" if kind == "struct" else None, "se_action": row.type if kind == "struct" else None,
        "unstruct_event": json.dumps(own) if kind == "unstruct" else None,
        "contexts": json.dumps({"schema": "iglu:x", "data": [{"schema": "iglu:y", "data": {"a": 1}}]}),
    }  # fmt: skip


def write_snowplow(folder: Path, rows: list[Happening]) -> None:
    events = []
    for row in _without_identify(rows):
        event = snowplow_event(row)
        del event["unstruct_event"]
        if event["event"] == "unstruct":
            event[f"unstruct_event_test_shop_{row.type}_1"] = row.properties
        event["derived_tstamp"] = row.at
        events.append(event)
    path = folder / "run=2026" / "part-0000.snappy.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame(events, infer_schema_length=None).write_parquet(path)


def write_snowplow_tsv(folder: Path, rows: list[Happening]) -> None:
    (header,) = [shape.header for shape in SNOWPLOW.shapes if shape.header]
    lines = []
    for row in _without_identify(rows):
        event = snowplow_event(row)
        lines.append("\t".join("" if event.get(name) is None else str(event[name]) for name in header))
    folder.mkdir(exist_ok=True)
    (folder / "part-00000.gz").write_bytes(gzip.compress("\n".join(lines).encode()))


WRITERS: dict[str, tuple[str, Callable[[Path, list[Happening]], None]]] = {
    "segment": ("segment", write_segment),
    "segment-warehouse": ("segment", write_segment_tables),
    "posthog": ("posthog", write_posthog),
    "posthog-parquet": ("posthog", write_posthog_parquet),
    "posthog-csv": ("posthog", write_posthog_csv),
    "amplitude": ("amplitude", write_amplitude),
    "mixpanel": ("mixpanel", write_mixpanel),
    "mixpanel-original": ("mixpanel", write_mixpanel_original),
    "ga4": ("ga4", write_ga4),
    "ga4-json": ("ga4", write_ga4_json),
    "snowplow": ("snowplow", write_snowplow),
    "snowplow-enriched": ("snowplow", write_snowplow_tsv),
}
