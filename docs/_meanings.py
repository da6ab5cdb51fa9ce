# ruff: noqa: INP001 -- part of a script
"""What each key of ``regulars.toml`` means, and a file that uses all of them."""

MEANINGS = {
    "timezone": "IANA name of the zone in which days begin and end",
    "week_start": "First day of a week",
    "holidays": "Country whose public holidays the calendar knows",
    "sessions.gap_minutes": "A longer pause begins a new session; exactly this long continues it",
    "sessions.source": "Cut by pauses (`derived`), or by the client's session ids (`client`)",
    "sessions.passive_extends": "Whether passive actions belong to sessions too",
    "sessions.split_at_midnight": "Whether a session ends at local midnight",
    "core_features": "Features that the activity `core_feature` counts",
    "actions.NAME.category": "Group of the action",
    "actions.NAME.weight": "Weight in weighted sums",
    "actions.NAME.core": "Whether the action is activity by default",
    "actions.NAME.conversion": "Whether it counts as a conversion",
    "activity.NAME.events": "Action types that qualify; left out: every action",
    "activity.NAME.where": "Conditions on event properties that must all hold",
    "activity.NAME.min_events": "Qualifying events that make a person active on a day",
    "activity.NAME.max_events": "More than this on a day, and the person is not active",
    **{
        f"{section}.NAME.{key}": meaning
        for section in ("cohorts", "segments")
        for key, meaning in {
            "all": "Rules that must all hold",
            "any": "Rules of which one must hold",
            "not": "A rule that must not hold",
            "property": "A user attribute (`plan`, `user.plan`, `tenure_band`, `cohort.NAME` of a frozen cohort)",
            "op": "How it compares, as in a filter",
            "value": "What it is compared with",
            "did": 'What was done: an activity, an event type, `"purchase where event.amount > 100"`, or a table of '
            "`events` and `where`",
            "measure": "What is counted of it: `times`, `days` on which it was done, `days_since` it was done last; or "
            "`tenure`, the days since registration or, without one, the first action. Left out: `times`",
            "at_least": "The least number; 1 where no number is given",
            "at_most": "The greatest number",
            "exactly": "The only number",
            "last_days": "Count in this many days, the day itself included: 1 to 366; left out: ever",
            "tier": "Engagement tiers by active days of 30, `dormant` and `not_yet_seen` among them",
            "cohort": "Another cohort by name",
            "segment": "A segment by name",
            "description": "What it is meant to be",
        }.items()
    },
    "segment_order": "Names of the segments in the order in which they are tried; left out: one's own as they are "
    "declared, then `new_user`, `churned`, `dormant`, `at_risk`, `power_user`, `active_user`",
    "population.test_users": "User ids that are test accounts, whatever their flags say",
    "population.bots": "User ids that are bots",
    "population.production_users": "User ids that are production users",
    "rollups.dimensions": "Stored user attributes by which every activity is added up in advance",
    "rollups.pairs": "Pairs of them by which it is added up too, for a breakdown by one filtered by the other",
    "rollups.event_dimensions": "Event properties by which it is added up too: `feature`, `action`, `platform`, "
    "`event.country`, ...; one of your own as `event.NAME`",
    "import.string_bytes": "Longest text in an event",
    "import.name_characters": "Longest name of an event or property",
    "import.store_ip": "Whether addresses of clients are kept",
    "import.check": "Whether the cheap checks of the data run on what an import brought",
    "engine.name": "Engine that answers questions; [](engines.md) says which there are",
    "engine.options": "Options of that engine, handed to it as they are",
    "engine.memory_limit": "Memory of the database; beyond it, it spills to disk",
    "engine.query_seconds": "How long a server works on one statement of a question before it stops it",
    "engine.threads": "Threads of the database; left out: one per core",
    "journal.store": "Where tracked events wait: in a file of the workspace, or in [](postgresql-journal.md)",
    "journal.dsn": "Connection string of PostgreSQL, without a password",
    "journal.dsn_env": "Instead: the environment variable that holds the connection string, with a password or without",
    "journal.schema": "Schema of this workspace, and of no other, in that database",
    "journal.memory_mib": "MiB of tracked events that may wait to be written; more are refused as `journal_full`",
    "journal.disk_floor_mib": "MiB that stay free on the disk; below, tracked events are refused as `disk_full`; below "
    "a quarter of it, a server loads nothing and goes on answering",
    "collector.body_mib": "MiB that the body of a request may have",
    "collector.inflated_mib": "MiB that a gzipped body may unpack to",
    "collector.body_seconds": "Seconds in which a body must arrive",
    "collector.events_per_second": "Events that one key may send per second; twice as many may come at once",
    "journal.keep_days": "Days for which the journal keeps what the database has already",
    "journal.archive": "Whether what the journal lets go is kept in the folder `archive`; [](operations.md)",
    "retention.events_days": "Days before today for which raw events stay in the database; older ones are archived, "
    "and what was computed from them is kept ([](operations.md)). Left out: all of them stay",
    "checks.NAME.enabled": "Whether the check runs when none is named",
    "checks.NAME.severity": "How grave a failure is",
    "checks.NAME.threshold": "The count, or the share, above which it fails",
    "checks.NAME.limit": "The number inside a shipped check, where it has one",
    "checks.NAME.property": "The event property that a shipped check reads, where it has one",
    "checks.NAME.since": "What is older is not looked at",
    "checks.NAME.after_import": "Whether a shipped check runs after every import; left out: if it is cheap",
    "checks.NAME.description": "What it looks for, in words of your own",
    "checks.NAME.fix": "What to do when it fails",
    "checks.NAME.sql": "Of a check of your own: a SELECT of bad rows",
    "checks.NAME.events": "Of a check of your own: the action types that are counted; left out: every action",
    "checks.NAME.where": "Conditions on them that must all hold",
    "checks.NAME.at_least_per_day": "The least number of them on every complete day",
    "checks.NAME.at_most_per_day": "The greatest number of them on every complete day",
    "ranges.NAME.at_least": "The least value of the event property, for the check `out_of_range`",
    "ranges.NAME.at_most": "The greatest value",
}

EXAMPLE = """timezone = "Europe/Berlin"
week_start = "monday"
core_features = ["editor", "search"]

[actions.lesson_done]
category = "participation"
weight = 3.0

[actions.heartbeat]
core = false                    # sent by the app itself, says nothing about people

[activity.search]
events = ["search"]
min_events = 2                  # active on days with at least two searches

[activity.big_purchase]
events = ["purchase"]
where = [{ property = "event.amount", op = ">=", value = 100 }]

[cohorts.big_spenders]
description = "At least three large purchases in 30 days, and not on trial"
all = [
    { did = "purchase where event.amount >= 50", at_least = 3, last_days = 30 },
    { not = { property = "user.plan", value = "trial" } },
]

[cohorts.regular_searchers]
did = "search"
measure = "days"                # on at least 5 of the last 14 days
at_least = 5
last_days = 14

[cohorts.one_time_buyers]
all = [
    { did = "purchase", exactly = 1 },
    { did = "purchase", measure = "days_since", at_least = 91 },
]

[segments.vip]
cohort = "big_spenders"         # tried before the shipped segments

[segments.at_risk]              # in the place of the shipped rule
measure = "days_since"
at_least = 15

[population]
test_users = ["qa-robot"]
bots = ["crawler"]

[sessions]
gap_minutes = 20

[rollups]
dimensions = ["country", "plan"]
pairs = [["country", "plan"]]
event_dimensions = ["feature", "event.level"]

[import]
string_bytes = 10000

[engine]
memory_limit = "2GB"

[retention]
events_days = 730

[checks.late_events]
threshold = 0.05                # up to 5 % are no warning

[checks.web_orders_arrive]      # a check of one's own
events = ["purchase"]
at_least_per_day = 1
severity = "warning"

[ranges.rating]
at_least = 1
at_most = 5
"""
