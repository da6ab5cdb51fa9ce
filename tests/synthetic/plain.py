"""Preparation and features once more, in slow plain Python over the rows of CSV files."""

from __future__ import annotations

import csv
import datetime as dt
from collections import defaultdict
from fractions import Fraction

DAILY = (
    "user_id", "as_of_date", "signup_date", "days_since_signup", "plan", "is_paid", "country", "marketing_source",
    "is_active_day", "total_events", "logins_count", "enroll_count", "watch_minutes_sum", "quiz_attempts_count",
    "quiz_avg_score", "payment_success_count", "payment_failed_count", "support_ticket_count",
)  # fmt: skip
MARKERS = {"identify", "alias", "session_start", "session_end"}
KINDS = {
    "logins": "login", "enrollments": "course_enroll", "videos": "video_watch", "quizzes": "quiz_attempt",
    "payments": "payment_success", "payment_failures": "payment_failed", "support_tickets": "support_ticket",
}  # fmt: skip
PASSIVE = {"payment_success", "payment_failed", "support_ticket"}


def rows(path):
    """The rows of a CSV file as dictionaries."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def moment(text):
    """A time that ends in Z, as naive UTC; None when it is none."""
    try:
        return dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(tzinfo=None)
    except ValueError:
        return None


def good_events(events):
    """Rows that say who, what and when, each id once, the first row winning."""
    seen, kept = set(), []
    for row in events:
        who = row["user_id"] or row.get("anonymous_id")
        if not who or not row["event_type"] or moment(row["event_time"]) is None or row["event_id"] in seen:
            continue
        seen.add(row["event_id"])
        kept.append(row)
    return kept


def with_people(events):
    """Events with the person behind them, and the day from which on that is known."""
    links = {}
    for row in events:
        if row["event_type"] in ("identify", "alias") and row["user_id"] and row.get("anonymous_id"):
            said = (moment(row["event_time"]), row["user_id"])
            links[row["anonymous_id"]] = min(said, links.get(row["anonymous_id"], said))
    for row in events:
        when = moment(row["event_time"])
        linked, person = (when, row["user_id"]) if row["user_id"] else links.get(row["anonymous_id"], (None, None))
        if person and row["event_type"] not in MARKERS:
            yield {**row, "person": person, "when": when, "day": when.date(), "known": max(when, linked).date()}


def number(text):
    """An exact number; missing is None."""
    return Fraction(text) if text else None


def user_daily(users, events):
    """Rows of user_daily as tuples of Python values, for clean users and good events in UTC."""
    by_day = defaultdict(list)
    for event in with_people(events):
        by_day[event["person"], event["day"]].append(event)
    days = [moment(event["event_time"]).date() for event in events]
    window = [min(days) + dt.timedelta(days=n) for n in range((max(days) - min(days)).days + 1)]
    return [_daily_row(user, day, by_day[user["user_id"], day]) for user in users for day in window]


def _daily_row(user, day, events):
    signup = dt.date.fromisoformat(user["signup_date"])
    kinds = [event["event_type"] for event in events]
    scores = [number(event["quiz_score"]) for event in events if event["quiz_score"]]
    minutes = sum((number(event["watch_minutes"]) or 0 for event in events), Fraction(0))
    return (
        user["user_id"], day, signup, (day - signup).days, user["plan"], user["plan"] == "paid", user["country"],
        user["marketing_source"], bool(events), len(events), kinds.count("login"), kinds.count("course_enroll"),
        float(minutes), kinds.count("quiz_attempt"), round(float(sum(scores) / len(scores)), 6) if scores else None,
        kinds.count("payment_success"), kinds.count("payment_failed"), kinds.count("support_ticket"),
    )  # fmt: skip


def read_daily(path):
    """The same tuples from the file that was written."""
    found = []
    for row in rows(path):
        values = dict(row)
        for name in ("as_of_date", "signup_date"):
            values[name] = dt.date.fromisoformat(row[name])
        for name in ("is_paid", "is_active_day"):
            values[name] = {"true": True, "false": False}[row[name]]
        for name in DAILY[9:]:
            values[name] = int(row[name]) if name not in ("watch_minutes_sum", "quiz_avg_score") else row[name]
        values["days_since_signup"] = int(row["days_since_signup"])
        values["watch_minutes_sum"] = float(row["watch_minutes_sum"])
        values["quiz_avg_score"] = float(row["quiz_avg_score"]) if row["quiz_avg_score"] else None
        found.append(tuple(values[name] for name in DAILY))
    return found


def snapshot(users, events, as_of, *, horizon, lookback):
    """Rows of features on one day: user to a dictionary of what this module computes."""
    people = list(with_people(events))
    last = max(moment(event["event_time"]).date() for event in events)
    found = {}
    for user in users:
        mine = [event for event in people if event["person"] == user["user_id"]]
        past = [event for event in mine if event["day"] <= as_of and event["known"] <= as_of]
        signup = dt.date.fromisoformat(user["signup_date"])
        if signup <= as_of or past:
            later = {event["day"] for event in mine if _is_core(event) and event["day"] > as_of}
            found[user["user_id"]] = {
                **_features(past, as_of, signup),
                **_label(past, later, as_of, last, horizon=horizon, lookback=lookback),
            }
    return found


def _is_core(event):
    return event["event_type"] not in PASSIVE


def _features(past, as_of, signup):
    def within(days, before=0):
        return [e for e in past if before <= (as_of - e["day"]).days < days + before]

    def minutes(events):
        return sum((number(e["watch_minutes"]) or 0 for e in events), Fraction(0))

    values = {"tenure_days": (as_of - signup).days}
    for days in (7, 14, 30):
        events = within(days)
        values[f"active_days_{days}d"] = len({e["day"] for e in events})
        values[f"events_{days}d"] = len(events)
        values[f"core_actions_{days}d"] = sum(map(_is_core, events))
        values[f"watch_minutes_{days}d"] = float(minutes(events))
        for name, kind in KINDS.items():
            values[f"{name}_{days}d"] = sum(e["event_type"] == kind for e in events)
    now, before = within(7), within(7, before=7)
    values["active_days_trend_7d"] = len({e["day"] for e in now}) - len({e["day"] for e in before})
    values["core_actions_trend_7d"] = sum(map(_is_core, now)) - sum(map(_is_core, before))
    values["watch_minutes_trend_7d"] = float(minutes(now) - minutes(before))
    values["payment_failures_ever"] = sum(e["event_type"] == "payment_failed" for e in past)
    scores = [number(e["quiz_score"]) for e in within(30) if e["quiz_score"]]
    values["quiz_avg_score_30d"] = round(float(sum(scores) / len(scores)), 6) if scores else None
    days = [e["day"] for e in past]
    core = [e["day"] for e in past if _is_core(e)]
    values["days_since_event"] = (as_of - max(days)).days if days else None
    values["days_since_core_action"] = (as_of - max(core)).days if core else None
    values["last_event_time_used"] = max((e["when"] for e in past), default=None)
    return values


def _label(past, later, as_of, last, *, horizon, lookback):
    eligible = any(_is_core(e) and (as_of - e["day"]).days < lookback for e in past)
    censored = as_of + dt.timedelta(days=horizon) > last
    stayed = any((day - as_of).days <= horizon for day in later)
    return {
        "is_eligible": eligible,
        "is_censored": censored,
        "churned": not stayed if eligible and not censored else None,
    }
