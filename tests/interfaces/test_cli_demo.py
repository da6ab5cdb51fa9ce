"""``regulars demo``: what it prints is what another computation finds in the same files."""

import time
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from tests.interfaces.cli import call, spawn


@pytest.fixture(scope="module")
def tour(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "shop"
    done = call("demo", folder, "--users", 300, "--days", 75, "--format", "json")
    assert done.code == 0, done.err
    return done.json


@pytest.fixture(scope="module")
def frames(tour):
    raw = Path(tour["workspace"]) / "data" / "raw"
    return pd.read_parquet(raw / "users.parquet"), pd.read_parquet(raw / "events.parquet")


@pytest.fixture(scope="module")
def active(frames):
    """Days on which people were active: payments and support tickets are passive, everything else counts."""
    users, events = frames
    events = events[~events.event_type.isin({"payment_success", "payment_failed", "support_ticket"})]
    days = pd.DataFrame(
        {"user_id": events.user_id, "day": events.event_time.dt.tz_convert("UTC").dt.tz_localize(None).dt.normalize()}
    )
    return days.drop_duplicates().merge(users, on="user_id")


def within(active, day, window):
    end = pd.Timestamp(day)
    return active[(active.day <= end) & (active.day > end - pd.Timedelta(days=window))]


def test_everything_that_was_made_was_loaded(tour, frames):
    """The generator's own counts, the files, and the import agree."""
    users, events = frames
    assert tour["generated"] == {"users": len(users), "events": len(events)} == {
        "users": tour["imports"][0]["loaded"], "events": tour["imports"][1]["loaded"],
    }  # fmt: skip
    for report in tour["imports"]:
        assert report["rows_read"] == report["loaded"] + report["duplicates"] + report["rejected"]


@pytest.mark.parametrize(("name", "window"), [("dau", 1), ("wau", 7), ("mau", 30)])
def test_active_users_are_those_that_pandas_counts(name, window, tour, active):
    """Every day of the last 30, by looking at every event again."""
    rows = tour["answers"][name]["rows"]
    assert len(rows) == 30
    for row in rows:
        assert row["active_users"] == within(active, row["date"], window).user_id.nunique(), row


def test_stickiness_is_the_ratio_of_the_two(tour):
    """DAU over MAU, day by day."""
    answers = tour["answers"]
    for ratio, dau, mau in zip(*(answers[name]["rows"] for name in ("stickiness", "dau", "mau")), strict=True):
        assert ratio["stickiness"] == pytest.approx(dau["active_users"] / mau["active_users"])


def test_growth_is_accounted_for_as_pandas_counts_it(tour, active):
    """Per week, from each person's active days."""
    week = pd.Timedelta(days=7)
    first = active.groupby("user_id").day.min()

    def people(monday):
        return set(active[(active.day >= monday) & (active.day < monday + week)].user_id)

    for row in tour["answers"]["lifecycle"]["rows"]:
        monday = pd.Timestamp(row["date"])
        now, before = people(monday), people(monday - week)
        assert row["active_users"] == len(now)
        assert row["new"] == (first[list(now)] >= monday).sum()
        assert row["retained"] == len(now & before)
        assert row["churned"] == len(before - now)
        assert row["resurrected"] == row["active_users"] - row["new"] - row["retained"]


def test_the_triangle_is_that_of_pandas(tour, active):
    """Who came first in a week, and was active so many weeks later."""
    weeks = active.assign(week=active.day.dt.to_period("W-SUN").dt.start_time)
    first = weeks.groupby("user_id").week.min()
    rows = tour["answers"]["retention"]["rows"]
    assert len(rows) > 30
    for row in rows:
        cohort = set(first[first == pd.Timestamp(row["date"])].index)
        later = pd.Timestamp(row["date"]) + pd.Timedelta(days=7 * row["period"])
        assert row["cohort_size"] == len(cohort)
        assert row["retention_users"] == len(cohort & set(weeks[weeks.week == later].user_id))


@pytest.mark.parametrize(("name", "attribute"), [("mau_by_country", "country"), ("mau_by_plan", "plan")])
def test_slices_are_those_that_pandas_groups(name, attribute, tour, active):
    """On the last day, by the attribute in the users file."""
    rows = tour["answers"][name]["rows"]
    last = rows[-1]["date"]
    told = {row[attribute]: row["active_users"] for row in rows if row["date"] == last and row["active_users"]}
    assert told == within(active, last, 30).groupby(attribute).user_id.nunique().to_dict()


def test_tiers_are_those_that_pandas_counts(tour, active):
    """By active days of the last 30; whoever was not there in the last 7 days is at risk."""
    rows = tour["answers"]["tiers"]["rows"]
    last = rows[-1]["date"]
    mine = within(active, last, 30).groupby("user_id").day.agg(["count", "max"])
    tiers = pd.cut(mine["count"], [0, 5, 15, 19, 30], labels=["casual", "regular", "core", "power"]).astype(str)
    tiers[mine["max"] < pd.Timestamp(last) - pd.Timedelta(days=7)] = "at_risk"
    told = {row["tier"]: row["users"] for row in rows if row["users"]}
    dormant = active[active.day <= pd.Timestamp(last)].user_id.nunique() - len(mine)
    assert told == tiers.value_counts().to_dict() | ({"dormant": dormant} if dormant else {})


def test_the_funnel_is_that_of_a_walk_along_each_persons_events(tour, frames):
    """From every login of the range, the next step each time, within 14 days; the deepest attempt counts."""
    told = tour["answers"]["funnel"]
    steps = [row["name"] for row in told["rows"]]
    first, last = (pd.Timestamp(told["query"]["range"][name], tz="UTC") for name in ("start", "end"))
    _, events = frames
    reached = dict.fromkeys(range(1, len(steps) + 1), 0)
    for _, own in events.sort_values("event_time").groupby("user_id"):
        times = [list(own[own.event_type == step].event_time) for step in steps]
        deepest = 0
        for begin in times[0]:
            if not first <= begin < last + pd.Timedelta(days=1):
                continue
            depth, now = 1, begin
            for later in times[1:]:
                after = [at for at in later if now <= at <= begin + pd.Timedelta(days=14)]
                if not after:
                    break
                depth, now = depth + 1, after[0]
            deepest = max(deepest, depth)
        for depth in range(1, deepest + 1):
            reached[depth] += 1
    assert [row["users"] for row in told["rows"]] == list(reached.values())


def test_the_people_likely_to_leave_are_scored_by_the_rules(tour, active):
    """Recency, active days and trend, read from pandas; what sessions add is in the reasons."""
    rows = tour["answers"]["likely_to_leave"]["rows"]
    last = pd.Timestamp(tour["answers"]["tiers"]["rows"][-1]["date"])
    assert rows
    for row in rows:
        days = active[active.user_id.astype(str) == row["user_id"]].day
        recency = (last - days[days <= last].max()).days
        recent = ((days <= last) & (days > last - pd.Timedelta(days=30))).sum()
        this, before = (
            ((days <= last - pd.Timedelta(days=n)) & (days > last - pd.Timedelta(days=n + 7))).sum() for n in (0, 7)
        )
        assert (row["days_since_last"], row["active_days"]) == (recency, recent)
        score = (4 if recency > 7 else 2 if recency > 3 else 0) + (3 if recent < 3 else 1 if recent < 6 else 0)
        score += 2 if this < 0.8 * before else -1 if this > 1.2 * before else 0
        per_day = row["sessions_per_day"]
        score += 2 if per_day < 0.5 else 1 if per_day < 1 else 0
        assert row["risk"] == pytest.approx(min(max(score, 0), 10) / 10)
    levels = {row["level"]: row["users"] for row in tour["answers"]["churn_risk"]["rows"]}
    assert sum(levels.values()) == within(active, last, 90).user_id.nunique()


def test_the_text_fits_a_screen_and_shows_the_same_numbers(tmp_path):
    """About ninety lines; the commands at its end can be pasted."""
    done = call("demo", tmp_path / "my shop", "--users", 300, "--days", 75)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) <= 96
    told = call("metric", "mau", "--format", "json", "-w", tmp_path / "my shop").json
    assert f"MAU{told['rows'][-1]['active_users']:>12,}" in done.out
    assert f"-w '{tmp_path / 'my shop'}'" in done.out


def test_the_same_seed_tells_the_same_story(tour, tmp_path):
    """For talks, tutorials and bug reports."""
    again = call("demo", tmp_path / "again", "--users", 300, "--days", 75, "--format", "json").json
    assert again["answers"] == tour["answers"]


def test_a_product_too_small_for_a_story_is_no_error(tmp_path):
    """One user, one day."""
    done = call("demo", tmp_path / "tiny", "--users", 1, "--days", 1)
    assert done.code == 0, done.err


@pytest.mark.parametrize(("option", "value"), [("--users", "0"), ("--days", "0"), ("--seed", "-1"), ("--users", "x")])
def test_a_product_that_cannot_be_made_is_exit_code_two(option, value, tmp_path):
    """And no folder is left behind."""
    done = call("demo", tmp_path / "x", option, value)
    assert done.code == 2
    assert not (tmp_path / "x").exists()


def test_a_demo_never_touches_a_workspace_that_is_there(tour):
    """The second demo in one folder is refused."""
    done = call("demo", tour["workspace"])
    assert done.code == 3
    assert "already" in done.err


def test_the_default_demo_takes_less_than_twenty_seconds(tmp_path):
    """A process of its own, 2,000 users, 120 days, in a temporary folder that is kept."""
    begun = time.perf_counter()
    done = spawn("demo", "--format", "json", TMPDIR=str(tmp_path))
    assert time.perf_counter() - begun < 20
    told = msgspec.json.decode(done.out)
    assert told["generated"]["users"] == 2000
    assert Path(told["workspace"]).parent == tmp_path
