"""What a funnel can be asked, what it refuses, and what its rows say beside the counts."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from regulars.domain.metrics.funnel_options import read_exclusions, step_name
from regulars.domain.metrics.options import read_steps
from regulars.domain.query import Filter, Step
from regulars.errors import QueryError, RegularsError
from regulars.settings import Activity
from tests.domain.examples import column, did, workspace

if TYPE_CHECKING:
    from regulars.workspace import Workspace

WAY = "sign_up -> view -> purchase"


def shop() -> Workspace:
    """Four sign up; one buys an hour later, one after a day, one only looks."""
    return workspace(
        *(did(user, "2026-01-05T10:00:00", "sign_up", plan="paid") for user in "abcd"),
        did("a", "2026-01-05T10:30:00", "view"), did("a", "2026-01-05T11:00:00", "purchase", amount=20),
        did("b", "2026-01-05T10:30:00", "view"), did("b", "2026-01-06T10:00:00", "purchase", amount=5),
        did("c", "2026-01-05T10:10:00", "view"),
        did("z", "2026-02-05T10:10:00", "like"),
        users=({"user_id": "a", "plan": "paid"},),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "options", "code", "words"),
    [
        ("funnel", {}, "no_steps", "funnel needs steps, e.g. steps='sign_up -> purchase'"),
        ("funnel", {"steps": "view"}, "bad_steps", "2 to 20 steps, not 1"),
        ("funnel", {"steps": ["view"] * 21}, "bad_steps", "2 to 20 steps, not 21"),
        ("funnel", {"steps": [{"events": ["view"], "times": 50}, "view"]}, "bad_steps", "need 51 events in all"),
        ("funnel", {"steps": [{"events": ["view"], "times": 0}, "view"]}, "bad_times", "between 1 and 1000"),
        ("funnel", {"steps": 7}, "bad_option", "allowed: events joined by ->"),
        ("funnel", {"steps": WAY, "within": "2 fortnights"}, "bad_option", "from 1 second to 366 days"),
        ("funnel", {"steps": WAY, "within": 400}, "bad_option", "from 1 second to 366 days"),
        ("funnel", {"steps": WAY, "order": "loose"}, "bad_option", "one of ordered, strict, any"),
        ("funnel", {"steps": WAY, "ties": "either"}, "bad_option", "one of any, sequence, strict"),
        ("funnel", {"steps": WAY, "attribution": "middle"}, "bad_option", "one of first, last, all, step:n"),
        ("funnel", {"steps": WAY, "attribution": "step:4"}, "bad_attribution", "the funnel has steps 1 to 3"),
        ("funnel", {"steps": WAY, "exclusions": "view"}, "bad_option", "e.g. cancel between 1 and 2"),
        ("funnel", {"steps": WAY, "exclusions": " "}, "bad_option", "e.g. cancel between 1 and 2"),
        ("funnel", {"steps": WAY, "exclusions": 3}, "bad_option", "e.g. cancel between 1 and 2"),
        ("funnel", {"steps": WAY, "exclusions": [{"event": "view"}]}, "bad_option", "after_step"),
        ("funnel", {"steps": WAY, "exclusions": [{"event": "view", "after_step": "1", "before_step": 2}]},
         "bad_option", "after_step"),
        ("funnel", {"steps": WAY, "exclusions": "view between 2 and 2"}, "bad_exclusion", "between no steps"),
        ("funnel", {"steps": WAY, "exclusions": "view between 1 and 4"}, "bad_exclusion", "before_step <= 3"),
        ("funnel", {"steps": WAY, "exclusions": "view between 0 and 1"}, "bad_exclusion", "1 <= after_step"),
        ("funnel", {"steps": WAY, "exclusions": "like between 1 and 2", "order": "strict"}, "bad_exclusion",
         "every other event ends an attempt anyway"),
        ("funnel", {"steps": WAY, "exclusions": "like between 1 and 2", "order": "any"}, "bad_exclusion",
         "no step is between others"),
        ("funnel", {"steps": "any -> any -> core -> like -> view -> conversion", "order": "any"}, "bad_steps",
         "at most 5 steps may"),
        ("funnel", {"steps": [{"events": ["view"], "times": 2}, "any"], "order": "any"}, "bad_steps",
         "none of them may ask for several times"),
        ("funnel", {"steps": WAY, "activity": "any"}, "bad_activity", "takes no activity"),
        ("funnel", {"steps": WAY, "grain": "week"}, "bad_grain", "no week grain"),
        ("funnel", {"steps": WAY, "window": 7}, "bad_window", "takes no window"),
        ("funnel", {"steps": [{"events": ["view"], "where": [{"property": "age_band", "value": "65+"}]}, "view"]},
         "wrong_scope", "not tenure_band"),
        ("funnel_trend", {}, "no_steps", "funnel_trend needs steps"),
        ("funnel_trend", {"steps": WAY, "grain": "hour"}, "bad_grain", "no hour grain"),
        ("time_to_convert", {"steps": WAY, "from_step": 3}, "bad_steps", "from_step 3 and to_step 3"),
        ("time_to_convert", {"steps": WAY, "to_step": 4}, "bad_steps", "from_step < to_step <= 3"),
        ("time_to_convert", {"steps": WAY, "bins": "60,30"}, "bad_option", "whole numbers that grow"),
        ("time_to_convert", {"steps": WAY, "bins": 60}, "bad_option", "whole numbers that grow"),
        ("time_to_convert", {"steps": WAY, "bins": [60], "within": "1 minute"}, "bad_bins", "none begins at 60"),
        ("time_to_convert", {"steps": WAY, "bins": list(range(201))}, "bad_bins", "at most 200 bins"),
        ("conversion_rate", {"event": "busy"}, "bad_events", "about whole days"),
        ("conversion_rate", {"grain": "hour"}, "bad_grain", "no hour grain"),
    ],
)  # fmt: skip
def test_what_is_refused(metric: str, options: dict[str, Any], code: str, words: str) -> None:
    """With what is wrong and what is allowed."""
    busy = Activity(min_events=2)
    with workspace(did("a", "2026-01-05T10:00:00", "view"), activity={"busy": busy}) as ws:
        with pytest.raises(RegularsError) as caught:
            ws.metric(metric, **options)
        assert caught.value.code == code
        assert words in str(caught.value)


def test_the_rows_of_a_funnel() -> None:
    """Shares of the first step and of the one before, an interval, and the time from the entry."""
    with shop() as ws:
        result = ws.funnel("sign_up -> view -> purchase where amount > 10", start="2026-01-01", end="2026-01-10")
        rows = result.rows
        assert column(result, "users") == [4, 3, 1]
        assert column(result, "conversion_from_first") == [1, 0.75, 0.25]
        assert column(result, "conversion_from_previous") == [1, 0.75, 1 / 3]
        assert column(result, "dropped") == [1, 2, 0]
        assert rows[2]["name"] == "purchase where amount > 10"
        assert (round(rows[2]["low"], 3), round(rows[2]["high"], 3)) == (0.046, 0.699)
        assert rows[0]["seconds_mean"] is None
        assert rows[1]["seconds_median"] == 1800
        assert result.users(1, "dropped") == ["b", "c"]
        assert "empty" in result.warnings[-1]
        for column_name in ("low", "nothing"):
            with pytest.raises(QueryError, match="columns that do: users, dropped"):
                result.users(1, column_name)
        with pytest.raises(QueryError, match="the row lacks step"):
            result.users({"name": "view"}, "users")


def test_what_others_do_is_no_step_of_ones_own() -> None:
    """Also right after one's own last event, and however long the window; the same holds for accounts."""
    with workspace(
        did("a", "2026-01-05T10:00:00", "sign_up", account="x"),
        did("b", "2026-01-05T10:00:00", "view", account="y"),
        did("b", "2026-01-05T10:00:01", "purchase", account="y"),
        did("b", "2026-12-05T10:00:01", "sign_up", account="y"),
        did("c", "2026-01-05T10:00:00", "sign_up", account="z"),
        did("c", "2026-12-30T10:00:00", "view", account="z"),
    ) as ws:
        asked: dict[str, Any] = {"steps": WAY, "within": "366 days", "start": "2026-01-01", "end": "2026-12-31"}
        for actor in ("user", "account"):
            assert column(ws.metric("funnel", actor=actor, **asked), "users") == [3, 1, 0]


def test_people_with_keys_too_great_for_one_line_of_time_are_counted_alike() -> None:
    """The keys of people grow with them; what their product with a time cannot hold is looked up person by person."""
    with shop() as ws:
        few = ws.funnel(WAY, within="2 hours", start="2026-01-05", end="2026-01-05")
        with ws.engine.transaction():
            for table in ("dim_users", "dim_identities"):
                ws.engine.execute(f"UPDATE {table} SET user_key = user_key + 10000000000")
        many = ws.funnel(WAY, within="2 hours", start="2026-01-05", end="2026-01-05")
        assert many.rows == few.rows
        assert column(many, "users") == [4, 3, 1]
        assert many.users(2, "users") == ["a"]
    assert "line" in few.sql
    assert "line" not in many.sql


def test_steps_that_nobody_took() -> None:
    """Rows of zeros, and a warning where no such event was ever loaded, also in an exclusion."""
    with shop() as ws:
        result = ws.funnel("sing_up -> purchase", exclusions="refund between 1 and 2")
        assert column(result, "users") == [0, 0]
        assert column(result, "conversion_from_first") == [None, None]
        assert result.warnings[0] == "unseen_event: no event 'sing_up' was ever loaded; did you mean 'sign_up'?"
        assert "'refund'" in result.warnings[1]
        assert ws.funnel("sing_up -> purchase", by="plan").rows == []
        assert ws.funnel(WAY, start="2027-01-01", end="2027-01-31").rows == []


def test_open_windows_are_flagged() -> None:
    """A range is final when the window of its last entry is over."""
    with shop() as ws:
        for end, flags in (("2026-01-22", []), ("2026-01-23", ["incomplete"])):
            assert ws.funnel(WAY, start="2026-01-01", end=end, as_of="2026-02-05").rows[0]["flags"] == flags
        assert ws.funnel(WAY, start="2026-01-01", end="2026-02-04", within="1 hour").rows[0]["flags"] == []
        trend = ws.funnel_trend(WAY, start="2026-01-05", end="2026-02-05", grain="month", within="1 day")
        assert [(row["date"], row["entered"], row["converted"], row["flags"]) for row in trend.rows] == [
            (date(2026, 1, 1), 4, 2, []), (date(2026, 2, 1), 0, 0, ["incomplete"]),
        ]  # fmt: skip
        assert trend.users({"date": "2026-01-01"}, "converted") == ["a", "b"]
        assert trend.rows[1]["conversion"] is None


def test_bins_of_the_time_to_convert() -> None:
    """From seconds to the window by themselves; a cell opens into its people."""
    with shop() as ws:
        result = ws.time_to_convert(WAY, within="1 day", to_step=2)
        assert column(result, "lower_seconds") == [0, 10, 30, 60, 300, 900, 3600, 10_800, 21_600, 43_200]
        assert result.rows[-1]["upper_seconds"] == 86_400
        assert result.users(4) == ["c"]
        assert ws.time_to_convert(WAY, within="1 day", bins=[0, 7200]).users(1) == ["b"]
        assert [r["users"] for r in ws.time_to_convert(WAY, from_step=2, within="5 seconds").rows] == [0]
        with pytest.raises(QueryError, match="no row of this result is from 1 to 2 seconds"):
            result.users({"lower_seconds": 1, "upper_seconds": 2})


def test_a_rate_may_exceed_one() -> None:
    """A renewed payment is a conversion without activity, so there are no bounds."""
    events = [did(user, "2026-01-05T10:00:00", "payment_success") for user in "ab"]
    with workspace(did("a", "2026-01-05T10:00:00"), *events) as ws:
        row = ws.conversion_rate(start="2026-01-05").rows[0]
        assert (row["converted"], row["active_users"], row["conversion_rate"]) == (2, 1, 2.0)
        assert (row["low"], row["high"]) == (None, None)
        held = ws.conversion_rate(start="2026-01-05", where="tenure_band is null").rows[0]
        assert held == row
        row = ws.conversion_rate(event="like", start="2026-01-05", window=7).rows[0]
        assert (row["conversion_rate"], row["high"]) == (1.0, 1.0)


def test_a_rate_by_what_events_say_can_be_about_people_of_a_segment() -> None:
    """Slices of events beside a condition that changes with time: each person counts where their events are."""
    events = [did("a", "2026-01-05T10:00:00", properties={"lang": "de"}), did("b", "2026-01-05T10:00:00"),
              did("b", "2026-01-05T11:00:00", "purchase", properties={"lang": "en"})]  # fmt: skip
    with workspace(*events) as ws:
        result = ws.conversion_rate(start="2026-01-05", by="lang", where="tenure_band is null")
        found = {row["lang"]: (row["converted"], row["active_users"]) for row in result.rows}
        assert found == {"(none)": (0, 1), "de": (0, 1), "en": (1, 1)}
        assert result.users({"date": "2026-01-05", "lang": "en"}, "converted") == ["b"]


def test_a_funnel_reads_both_forms_of_its_options() -> None:
    """Text and JSON mean the same."""
    given = [{"event": "cancel", "after_step": 1, "before_step": 2}]
    assert (
        read_exclusions(given) == read_exclusions("cancel between 1 and 2") == read_exclusions(read_exclusions(given))
    )
    assert read_exclusions("like, share where amount > 1 BETWEEN 1 AND 2")[0].after_step == 1
    with shop() as ws:
        steps: list[Any] = ["sign_up", {"events": ["view"]}, Step(("purchase",))]
        assert column(ws.funnel(steps), "users") == column(ws.funnel(WAY), "users")


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("like", "like"),
        (Step(("like", "share"), times=3), "3 x like, share"),
        (Step(None, (Filter(property="plan", op="is_set"),)), "any where plan is_set"),
        (Step(("like",), (Filter(property="n", op="in", value=(1, "x")), Filter(property="ok", value=True))),
         "like where n in (1, 'x') and ok = true"),
        (Step(("like",), (Filter(any=(Filter(property="a", value=1), Filter(all=(Filter(property="b", value=2),)))),)),
         "like where (a = 1 or (b = 2))"),
    ],
)  # fmt: skip
def test_steps_are_named_as_people_would_write_them(step: Any, name: str) -> None:
    assert step_name(read_steps([step])[0]) == name


def test_steps_in_any_order_may_share_events_by_activity() -> None:
    """A declared activity, core actions and conversions: one purchase is one of them."""
    busy = {"shopping": Activity(events=("purchase", "add_to_cart"))}
    with workspace(
        did("a", "2026-01-05T10:00:00", "purchase"), did("b", "2026-01-05T10:00:00", "purchase"),
        did("b", "2026-01-05T11:00:00", "purchase"), activity=busy,
    ) as ws:  # fmt: skip
        assert column(ws.funnel("shopping -> conversion -> like", order="any"), "users") == [2, 1, 0]
        assert column(ws.funnel("core_feature -> core", order="any"), "name") == ["1 of 2 steps", "2 of 2 steps"]
