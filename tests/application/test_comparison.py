"""The same question by two conventions: both values, the rule on which they differ, the people in between."""

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import regulars
from regulars.errors import QueryError, UnknownNameError
from tests.application.test_agreement import workspace_of
from tests.oracle.questions import queries
from tests.strategies import worlds

DAYS = {"ada": (5, 6, 20), "ben": (5, 12), "cem": (6,), "dan": (12, 13, 19, 20)}
PAIRS = (
    ("lifecycle", ("regulars", "posthog")),
    ("retention", ("posthog", "amplitude")),
    ("retention", ("regulars", "mixpanel")),
    ("stickiness", ("regulars", "statsig")),
)


@pytest.fixture(scope="module")
def shop():
    with regulars.open() as ws:
        events = [
            {"user_id": user, "event_type": "like", "timestamp": f"2026-01-{day:02}T09:00:00Z", "country": "DE"}
            for user, days in DAYS.items()
            for day in days
        ]
        ws.load(events)
        yield ws


def test_a_row_has_both_values_and_their_gap(shop):
    """Weekly returns on a week after the first, against returns on that week or any later one."""
    found = shop.compare("retention", ("posthog", "amplitude"), grain="week", start="2026-01-05", end="2026-01-25")
    (row,) = [row for row in found.rows
              if (str(row["date"]), row["period"], row["column"]) == ("2026-01-05", 1, "retention_users")]  # fmt: skip
    assert (row["baseline"], row["compared"], row["gap"]) == (1, 2, 1)  # ben came a week later, ada two
    assert found.users(row) == ([], ["ada"])
    assert {rule.name for rule in found.rules} == {"kind", "clock"}
    assert found.unfollowed == (
        "posthog: period 0 is always 100 %, also when the return event is another one",
        "amplitude: times are first cut to the full hour",
    )


def test_one_convention_alone_is_compared_with_ours(shop):
    found = shop.compare("mau", "statsig", by="country", end="2026-02-03")
    assert found.conventions == ("regulars", "statsig")
    assert [tuple(rule) for rule in found.rules] == [("window", 30, 28)]
    assert {(row["country"], row["column"]) for row in found.rows} == {("DE", "active_users")}


def test_the_command_line_and_python_write_the_same_mapping(shop):
    found = shop.compare("mau", ["regulars", "statsig"], start="2026-01-20")
    told = msgspec.json.decode(found.to_json())
    assert told["conventions"] == ["regulars", "statsig"]
    assert told["rules"] == [{"name": "window", "baseline": 30, "compared": 28}]
    assert len(told["rows"]) == len(found.to_dicts()) == 1
    assert told["query"]["metric"] == "active_users"


@pytest.mark.parametrize(
    ("conventions", "code"),
    [
        ((), "two_conventions"),
        (("posthog", "posthog"), "two_conventions"),
        (("regulars", "posthog", "amplitude"), "two_conventions"),
        ("regulars", "two_conventions"),
        (("regulars", "statsig"), "no_convention"),
        ("heap", "unknown_convention"),
    ],
)
def test_what_cannot_be_compared_is_refused(shop, conventions, code):
    with pytest.raises((QueryError, UnknownNameError)) as caught:
        shop.compare("lifecycle", conventions)
    assert caught.value.code == code


def test_a_metric_on_which_nobody_differs_says_so(shop):
    with pytest.raises(QueryError, match="nor does any other"):
        shop.compare("sessions", "posthog")


def test_only_numbers_of_people_can_be_opened(shop):
    found = shop.compare("stickiness", "statsig")
    (row,) = [row for row in found.rows[-3:] if row["column"] == "stickiness"]
    with pytest.raises(QueryError) as caught:
        found.users(row)
    assert caught.value.code == "no_people"
    with pytest.raises(QueryError) as caught:
        found.users(len(found.rows))
    assert caught.value.code == "no_such_row"


def test_a_workspace_without_data_has_nothing_to_compare():
    with regulars.open() as ws:
        found = ws.compare("mau", "statsig")
    assert found.rows == []
    assert [rule.name for rule in found.rules] == ["window"]


@given(data=st.data())
@settings(max_examples=12)
def test_the_people_behind_a_gap_make_up_the_gap(data):
    """Whoever only one of the two counts: together they are the difference of the two numbers."""
    world = data.draw(worlds())
    metric, conventions = data.draw(st.sampled_from(PAIRS))
    query = data.draw(queries(world, metrics=(metric,)))
    decided = {"kind", "clock", "cohort", "new_by", "method"}
    options = {name: value for name, value in query.options.items() if name not in decided}
    with workspace_of(world) as ws:
        try:
            found = ws.compare_query(msgspec.structs.replace(query, options=options), conventions)
        except QueryError:
            assume(False)
        counted = [
            row for row in found.rows if row["column"] in found.baseline.people_columns and row["gap"] is not None
        ]
        for row in counted[-12:]:
            only_baseline, only_compared = found.users(row)
            assert not set(only_baseline) & set(only_compared)
            assert row["gap"] == len(only_compared) - len(only_baseline)
