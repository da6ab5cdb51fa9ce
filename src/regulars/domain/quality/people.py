"""People: who is described, who is anonymous, who is not a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from regulars.domain.quality.record import CURRENT, DESCRIBED, EVENTS, Check, Look, all_events, needs_row

if TYPE_CHECKING:
    from regulars.domain.sql import Values

_DESCRIBED_PEOPLE = """SELECT i.user_key FROM fact_user_attributes f
  JOIN dim_identities i ON i.identity_key = f.identity_key WHERE f.is_explicit"""
_KNOWN = "SELECT user_key FROM dim_identities WHERE kind = 'known'"
_LINKS = needs_row("no anonymous id was linked to a user", "SELECT 1 FROM fact_identity_links LIMIT 1")
_REGISTERED = needs_row(
    "nobody has a registration date", "SELECT 1 FROM dim_users WHERE registration_date IS NOT NULL LIMIT 1"
)
_PEOPLE = needs_row("there is nobody yet", "SELECT 1 FROM dim_users LIMIT 1")


def _orphans(look: Look, _: Values) -> str:
    return f"""SELECT u.user_id, 1 AS found, CAST(sum(d.total_actions) AS BIGINT) AS actions, min(d.day) AS first_day
FROM daily_activity d JOIN dim_users u ON u.user_key = d.user_key
WHERE d.user_key IN ({_KNOWN}) AND d.user_key NOT IN ({_DESCRIBED_PEOPLE}) AND {look.days("d.day")}
GROUP BY u.user_id"""


def _known_actors(look: Look, _: Values) -> str:
    return f"""SELECT count(DISTINCT d.user_key) FROM daily_activity d
WHERE d.user_key IN ({_KNOWN}) AND {look.days("d.day")}"""


def _silent(_look: Look, _: Values) -> str:
    return f"""SELECT u.user_id, 1 AS found, u.registration_date FROM dim_users u
WHERE u.user_key IN ({_DESCRIBED_PEOPLE}) AND u.user_key NOT IN (SELECT user_key FROM daily_activity)"""


def _described(_look: Look, _: Values) -> str:
    return f"SELECT count(DISTINCT user_key) FROM ({_DESCRIBED_PEOPLE}) described"


def _before_signup(look: Look, _: Values) -> str:
    return f"""SELECT u.user_id, count(*) AS found, u.registration_date, min(e.action_timestamp) AS first_event
{_of_registered(look)} AND e.day < u.registration_date GROUP BY u.user_id, u.registration_date"""


def _of_registered(look: Look) -> str:
    return f"""FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN dim_users u ON u.user_key = i.user_key WHERE u.registration_date IS NOT NULL AND {look.events()}"""


def _events_of_registered(look: Look, _: Values) -> str:
    return f"SELECT count(*) {_of_registered(look)}"


def _excluded(_look: Look, _: Values) -> str:
    return """SELECT population, count(*) AS found, min(user_id) AS user_id FROM dim_users
WHERE population <> 'production' GROUP BY population"""


def _people(_look: Look, _: Values) -> str:
    return "SELECT count(*) FROM dim_users"


def _anonymous(look: Look, _: Values) -> str:
    return f"""SELECT CASE WHEN u.is_known THEN 'identified later' ELSE 'never identified' END AS person,
  count(*) AS found, count(DISTINCT i.user_key) AS people, min(i.external_id) AS anonymous_id
FROM fact_user_actions e JOIN dim_identities i ON i.identity_key = e.identity_key
JOIN (SELECT identity_key, kind = 'known' AS is_known FROM dim_identities) u ON u.identity_key = i.user_key
WHERE i.kind = 'anonymous' AND {look.events()} GROUP BY u.is_known"""


def _refused_links(_look: Look, _: Values) -> str:
    return """SELECT a.external_id AS anonymous_id, count(DISTINCT l.known_key) - 1 AS found,
  min(k.external_id) AS user_id, max(k.external_id) AS other_user_id
FROM fact_identity_links l JOIN dim_identities a ON a.identity_key = l.anonymous_key
JOIN dim_identities k ON k.identity_key = l.known_key
GROUP BY a.external_id HAVING count(DISTINCT l.known_key) > 1"""


def _links(_look: Look, _: Values) -> str:
    return "SELECT count(*) FROM (SELECT DISTINCT anonymous_key, known_key FROM fact_identity_links) links"


CHECKS = (
    Check(
        name="orphan_users",
        title="Events of people whom nobody described",
        words="Known users with actions of whom no table of users and no event says anything: they fall into `(none)` "
        "of every breakdown by an attribute.",
        fix="import the missing rows of the users table; ids may be spelled differently in the two sources",
        severity="warning",
        rows=_orphans,
        whole=_known_actors,
        noun="users",
        judge="share",
        threshold=0.01,
        order="actions DESC, user_id",
        needs=(EVENTS, DESCRIBED, CURRENT),
    ),
    Check(
        name="silent_users",
        title="Described people without any action",
        words="People of whom attributes are known and no action is: they signed up and never did anything, or their "
        "events go astray.",
        fix="compare a few ids with the source of the events; a high share is a tracking gap more often than a habit",
        severity="info",
        rows=_silent,
        whole=_described,
        noun="users",
        judge="share",
        threshold=0.5,
        order="registration_date, user_id",
        needs=(EVENTS, DESCRIBED, CURRENT),
    ),
    Check(
        name="before_signup",
        title="Events before the registration",
        words="Events on a day before their person's registration date.",
        fix="check which moment the registration date stands for and its time zone; a wrong clock of the client shows "
        "as clock_skew",
        severity="warning",
        rows=_before_signup,
        whole=_events_of_registered,
        judge="share",
        threshold=0.001,
        needs=(EVENTS, _REGISTERED),
    ),
    Check(
        name="test_accounts",
        title="People who are no customers",
        words="People marked as test accounts or bots. They are left out of every number unless a question asks for "
        "them, so a sudden change of their share changes all numbers.",
        fix="nothing, if they are what they are marked as; `[population]` in regulars.toml has the last word",
        severity="info",
        rows=_excluded,
        whole=_people,
        noun="users",
        judge="share",
        threshold=0.01,
        needs=(_PEOPLE, CURRENT),
    ),
    Check(
        name="anonymous_events",
        title="Events under an anonymous id",
        words="Events that came without a user id. Those of people who were identified later count as theirs; somebody "
        "who never is counts as a person of their own on every device.",
        fix="send an identify event, with both ids, at sign-up and at every login",
        severity="info",
        rows=_anonymous,
        whole=all_events,
        needs=(EVENTS,),
    ),
    Check(
        name="conflicting_links",
        title="Anonymous ids of several users",
        words="Anonymous ids that were linked to more than one known user. The first link stands, so what the others "
        "did anonymously counts as the first one's.",
        fix="give a new anonymous id when somebody logs out (`reset` of most client libraries)",
        severity="warning",
        rows=_refused_links,
        whole=_links,
        noun="links",
        judge="share",
        threshold=0.01,
        needs=(_LINKS,),
    ),
)
