"""Experiments: whose first exposure counts, what is measured, and what may be concluded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from regulars.domain.charts import chart
from regulars.domain.experiment_size import Size, people_needed
from regulars.domain.inference import Moments, compare
from regulars.domain.metrics.experiment_options import read_instant, read_variants
from regulars.errors import QueryError, UnknownNameError
from tests.domain.examples import Row, column, did, workspace

DAYS: dict[str, Any] = {"start": "2026-01-01", "end": "2026-01-10"}


def saw(user: str, at: str, variant: str | None, **more: Any) -> Row:
    """One exposure."""
    given = {"experiment": "e"} if variant is None else {"experiment": "e", "variant": variant}
    return did(user, at, "experiment_viewed", properties=given, **more)


def product(seed: int, lift: float, people: int = 1500) -> list[Row]:
    """A made-up experiment: half of the people, drawn by chance, buy more often, and all bought before."""
    rng, rows, start = Random(seed), [], datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(people):
        variant, habit = rng.choice(("CONTROL", "VARIANT_A")), rng.random()
        at = start + timedelta(minutes=rng.randint(0, 9 * 1440))
        rows.append(did(f"u{number}", at.isoformat()[:19], "experiment_viewed", experiment="e", variant=variant))
        for day in range(-10, 10):
            chance = habit / 3 * (1 + lift * (variant == "VARIANT_A" and day >= 0))
            if rng.random() < chance:
                when = at + timedelta(days=day, minutes=1)
                amount = 10 + rng.randint(0, 10)
                rows.append(did(f"u{number}", when.isoformat()[:19], "purchase", amount=amount))
    return rows


def test_a_known_effect_is_found_and_cuped_narrows_its_interval() -> None:
    """People buy 30 % more often; with what they bought before, the same people tell it more exactly."""
    with workspace(*product(11, 0.3)) as ws:
        asked: dict[str, Any] = {
            **DAYS,
            "measure": "count",
            "event": "purchase",
            "within": "10 days",
            "planned_size": 1,
        }
        plain, tuned = ws.experiment("e", **asked).rows[1], ws.experiment("e", **asked, cuped=10).rows[1]
        spent = ws.experiment("e", **{**asked, "measure": "sum", "property": "amount"}).rows[1]
    for row in (plain, tuned, spent):
        assert row["lift_low"] < 0.3 < row["lift_high"]
        assert row["p_value"] < 0.01
        assert row["verdict"].startswith("The variant is better")
    assert tuned["high"] - tuned["low"] < 0.95 * (plain["high"] - plain["low"])


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    """Of twenty drawn experiments a 95 % interval may miss one, and rarely two or three."""
    held = 0
    for seed in range(20):
        with workspace(*product(seed, 0.3, 300)) as ws:
            asked: dict[str, Any] = {**DAYS, "measure": "count", "event": "purchase", "within": "10 days"}
            row = ws.experiment("e", **asked, planned_size=1, cuped=10).rows[1]
            held += row["lift_low"] < 0.3 < row["lift_high"]
    assert held >= 17


def test_where_there_is_no_effect_none_is_claimed_while_it_runs() -> None:
    """The interval that holds at every look is the one shown until the planned size."""
    with workspace(*product(8, 0.0, 1000)) as ws:
        asked: dict[str, Any] = {
            **DAYS,
            "event": "purchase",
            "planned_size": 2000,
            "variants": "CONTROL=1, VARIANT_A=1",
        }
        result = ws.experiment("e", **asked)
        wide, fixed = result.rows[1], ws.experiment("e", **{**asked, "planned_size": 500}).rows[1]
    assert wide["low"] < fixed["low"] < 0 < fixed["high"] < wide["high"]
    assert wide["verdict"].startswith("Not decided yet")
    assert (result.averages[0]["split"], result.averages[0]["interval"]) == ("as planned", "always valid")


def test_effects_follow_from_the_sums_alone() -> None:
    """As the function on bare numbers gives them."""
    with workspace(*product(9, 0.5, 600)) as ws:
        control, variant = ws.experiment("e", event="purchase", **DAYS, planned_size=10).rows
    arms = [Moments.share(row["converted"], row["users"]) for row in (control, variant)]
    expected = compare(*arms, kind="proportion", planned=10)
    assert (variant["p_value"], variant["lift"]) == (expected.difference.p_value, expected.lift.value)
    assert variant["chance_to_win"] == expected.chance_to_win


def test_only_the_first_exposure_counts_and_whoever_saw_two_variants_is_left_out() -> None:
    """Of a, only what came at or after the first exposure; b saw both; c none that has a name."""
    with workspace(
        did("a", "2026-01-01T09:59:59", "purchase"), saw("a", "2026-01-01T10:00:00", "A"),
        did("a", "2026-01-01T10:00:00", "purchase"), saw("a", "2026-01-09T10:00:00", "A"),
        saw("b", "2026-01-01T10:00:00", "A"), saw("b", "2026-01-20T10:00:00", "B"),
        saw("c", "2026-01-01T10:00:00", None), saw("d", "2026-01-01T10:00:00", "B"),
        did("d", "2026-01-15T10:00:00", "purchase"), did("d", "2026-01-15T10:00:01", "purchase"),
        saw("early", "2025-12-31T10:00:00", "A"), saw("early", "2026-01-02T10:00:00", "A"),
    ) as ws:  # fmt: skip
        result = ws.experiment("e", measure="count", event="purchase", **DAYS)
        assert column(result, "users") == [1, 1]
        assert column(result, "mean") == [1.0, 1.0]
        assert result.users(1, "users") == ["d"]
        assert result.warnings[:2] == (
            "people who saw several variants, and are left out of all: 1",
            "exposures without a variant, which do not count: 1",
        )  # fmt: skip
        assert str(result.rows[1]["reason"]).startswith("an arm has fewer than two users")
        assert [one.action for one in result.events(0, "users")] == ["purchase", "purchase"]


def test_variants_that_were_not_planned_are_left_out_and_planned_ones_always_shown() -> None:
    """The control is the first planned one, or the named one."""
    with workspace(saw("a", "2026-01-01T10:00:00", "old"), saw("b", "2026-01-01T10:00:00", "new")) as ws:
        result = ws.experiment("e", variants=["new", "other"], **DAYS)
        assert [(row["variant"], row["users"]) for row in result.rows] == [("new", 1), ("other", 0)]
        assert "people whose variant is none of those planned, and who are left out: 1" in result.warnings
        assert column(ws.experiment("e", **DAYS), "variant") == ["new", "old"]
        assert column(ws.experiment("e", control="old", **DAYS), "variant") == ["old", "new"]
        missing = ws.experiment("e", control="none", **DAYS)
        assert column(missing, "reason") == ["nobody saw the control"] * 2
        assert missing.averages[0]["interval"] == "none"


def test_a_broken_split_allows_no_verdict() -> None:
    """Three to one was not planned."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "A" if n % 4 else "B") for n in range(400)]
    rows += [did(f"u{n}", "2026-01-02T10:00:00", "purchase") for n in range(0, 400, 8)]
    with workspace(*rows) as ws:
        asked: dict[str, Any] = {"event": "purchase", "variants": "A=1, B=1", **DAYS}
        result = ws.experiment("e", **asked)
        assert result.averages[0]["split"] == "broken"
        assert result.rows[1]["verdict"].startswith("No verdict: the users are not split as planned")
        assert ws.experiment("e", **asked, tolerated=5).rows[1]["verdict"].startswith("No verdict")
        fine = ws.experiment("e", **{**asked, "variants": "A=3, B=1"})
        assert fine.averages[0]["split"] == "as planned"
        assert ws.experiment("e", event="purchase", **DAYS).averages[0]["split"] == "unchecked: no planned weights"
        few = ws.experiment("e", **{**asked, "where": "user_id = 'u1'"})
        assert few.averages[0]["split"] == "too few people to tell"


@pytest.mark.parametrize(("tolerated", "word"), [(0, "open"), (90, "holds")])
def test_a_guardrail_is_about_what_may_be_lost(tolerated: int, word: str) -> None:
    """Half of the people come back in either variant."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "AB"[n % 2]) for n in range(2000)]
    rows += [did(f"u{n}", "2026-01-02T10:00:00") for n in range(2000) if n % 4 < 2]
    with workspace(*rows) as ws:
        kept = ws.experiment("e", measure="retention", day=1, tolerated=tolerated, **DAYS)
        assert kept.rows[1]["verdict"].startswith(f"The guardrail {'is open' if word == 'open' else word}")
        lost = ws.experiment("e", measure="retention", day=1, tolerated=0, better="lower", **DAYS, event="like")
        assert "open" in lost.rows[1]["verdict"]
        none = ws.experiment("e", measure="retention", day=3, tolerated=5, **DAYS)
        assert "(all users of an arm have the same value" in none.rows[1]["verdict"]


def test_people_whose_window_is_not_over_are_flagged_or_left_out() -> None:
    """The data end with the 10th: three days after the first instant of the 8th are over an instant too late."""
    with workspace(
        saw("a", "2026-01-07T23:59:59", "A"), saw("b", "2026-01-08T00:00:00", "A"), did("c", "2026-01-10T23:00:00"),
    ) as ws:  # fmt: skip
        (row,) = ws.experiment("e", within="3 days", **DAYS).rows
        assert (row["users"], row["immature"], row["flags"]) == (2, 1, ["incomplete"])
        (done,) = ws.experiment("e", within="3 days", only_complete=True, **DAYS).rows
        assert (done["users"], done["immature"], done["flags"]) == (1, 0, [])


def test_several_variants_have_p_values_for_their_number() -> None:
    """Two comparisons, the smaller one doubled."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "ABC"[n % 3]) for n in range(600)]
    rows += [
        did(f"u{n}", "2026-01-02T10:00:00", "purchase") for n in range(600) if (n % 3 == 1 and n % 5) or n % 30 == 0
    ]
    with workspace(*rows) as ws:
        result = ws.experiment("e", event="purchase", planned_size=600, **DAYS)
    by = {row["variant"]: row for row in result.rows}
    assert by["B"]["p_adjusted"] == pytest.approx(2 * by["B"]["p_value"])
    assert by["C"]["p_adjusted"] == pytest.approx(by["C"]["p_value"])
    assert (by["A"]["p_value"], by["A"]["verdict"]) == (None, None)


def test_a_slice_with_a_limit_has_arms_of_its_own() -> None:
    """By the plan at the exposure; what lies beyond the limit is one slice."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "AB"[n % 2], plan=("x", "y", "y")[n % 3]) for n in range(60)]
    with workspace(*rows) as ws:
        result = ws.experiment("e", by="plan", limit=1, **DAYS)
        assert [(row["plan"], row["variant"], row["users"]) for row in result.rows] == [
            ("y", "A", 20), ("y", "B", 20), (None, "A", 10), (None, "B", 10),
        ]  # fmt: skip
        assert [total["flags"] for total in result.averages] == [[], ["other"]]
        spec = chart(result)
        assert [layer["mark"] for layer in spec["layer"]][1] == "rule"
        assert len(chart(result, "users")["layer"]) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"measure": "sum"}, "a sum needs property"),
        ({"measure": "ratio"}, "a ratio needs per_event"),
        ({"property": "amount"}, "property is for measure=sum or ratio, not proportion"),
        ({"cuped": 7, "measure": "ratio", "per_event": "core"}, "cuped is for measure="),
        ({"winsorize": 99}, "winsorize is for measure=count or sum"),
        ({"variants": "A"}, "variants 'A' cannot be read"),
        ({"variants": {"A": 0, "B": 0}}, "cannot be read"),
        ({"variants": {"A": "x", "B": 1}}, "cannot be read"),
        ({"variants": {"A": True, "B": 1}}, "cannot be read"),
        ({"variants": 7}, "cannot be read"),
        ({"variants": "A=1, B=1", "control": "C"}, "unknown variant 'C'"),
        ({"since": "2026-01-01"}, "a time with its zone"),
        ({"since": 5}, "a time with its zone"),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "since lies after until"),
        ({"grain": "week"}, "experiment has no week grain"),
        ({"activity": "any"}, "experiment takes no activity"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], said: str) -> None:
    """Before anything is computed."""
    with workspace() as ws, pytest.raises(QueryError, match=said):
        ws.experiment("e", **options)


def test_an_experiment_needs_a_name_and_its_numbers_are_those_of_events() -> None:
    """A user attribute is nothing to add up."""
    with workspace(saw("a", "2026-01-01T10:00:00", "A", plan="x")) as ws:
        with pytest.raises(QueryError, match="experiment needs a name"):
            ws.metric("experiment")
        with pytest.raises(QueryError, match="plan is a user attribute"):
            ws.experiment("e", measure="sum", property="plan", **DAYS)
        found = ws.experiment("e", measure="sum", property="duration_seconds", event="any", **DAYS)
        assert found.rows[0]["mean"] == 0.0


def test_variants_and_instants_are_read_from_what_people_write() -> None:
    """Equal weights where none is given."""
    assert read_variants("a, b = 3") == {"a": 1.0, "b": 3.0}
    assert read_instant(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005


def test_the_size_of_an_experiment_follows_from_what_is_known() -> None:
    """Shares and means, absolute and relative; more variants need more people each."""
    assert people_needed(baseline=0.2, mde=0.25, relative=True) == Size(0.2, 0.25, 1094, 2188, None)
    means = people_needed(baseline=10, mde=1, deviation=5, per_day=100)
    assert means.per_variant == 394
    assert means.days == 8
    assert people_needed(baseline=0.2, mde=0.05, arms=3).per_variant > 1094
    with pytest.raises(QueryError, match="no number of users is enough") as found:
        people_needed(baseline=0.2, mde=0.0)
    assert found.value.code == "out_of_reach"
    with pytest.raises(UnknownNameError):
        compare(Moments.share(1, 2), Moments.share(1, 2), better="up")  # type: ignore[arg-type]


def test_every_measure_by_hand() -> None:
    """a orders for 10 and 30 on two days and looks twice, b for 1000, c looks once, on the day after."""
    with workspace(
        saw("a", "2026-01-01T10:00:00", "A"), saw("b", "2026-01-01T10:00:00", "A"),
        saw("c", "2026-01-01T10:00:00", "A"),
        did("a", "2025-12-31T10:00:00", "purchase", amount=5), did("a", "2026-01-02T10:00:00", "purchase", amount=10),
        did("a", "2026-01-03T10:00:00", "purchase", amount=30),
        did("b", "2026-01-02T10:00:00", "purchase", amount=1000),
        did("a", "2026-01-02T11:00:00", "view"), did("a", "2026-01-03T11:00:00", "view"),
        did("c", "2026-01-02T11:00:00", "view"),
    ) as ws:  # fmt: skip

        def mean(**asked: Any) -> float:
            (row,) = ws.experiment("e", **DAYS, **asked).rows
            return float(row["mean"])

        assert mean(event="purchase") == pytest.approx(2 / 3)
        assert mean(measure="count", event="purchase", cuped=7) == 1.0
        assert mean(measure="sum", event="purchase", property="amount") == pytest.approx(1040 / 3)
        assert mean(measure="sum", event="purchase", property="amount", winsorize=50) == pytest.approx((40 + 520) / 3)
        assert mean(measure="ratio", event="purchase", property="amount", per_event="view") == pytest.approx(1040 / 3)
        assert mean(measure="ratio", event="view", per_event="purchase", per_property="amount") == pytest.approx(
            3 / 1040
        )
        assert mean(measure="active_days") == pytest.approx(4 / 3)
        assert mean(measure="retention", day=2, cuped=1) == pytest.approx(1 / 3)
        cut = ws.experiment("e", measure="sum", event="purchase", property="amount", winsorize=50, **DAYS)
        assert cut.averages[0]["cap"] == 520.0


def test_a_difference_without_a_lift_is_shown_as_it_is() -> None:
    """One purchase in the control is no number to divide by; none at all has no variance either."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "AB"[n % 2]) for n in range(40)]
    rows += [did(f"u{n}", "2026-01-02T10:00:00", "purchase") for n in range(1, 40, 4)]
    for more, word in (([], "the same value"), ([did("u0", "2026-01-02T10:00:00", "purchase")], "control")):
        with workspace(*rows, *more) as ws:
            row = ws.experiment("e", measure="count", event="purchase", **DAYS).rows[1]
        assert (row["difference"], row["lift"]) == (0.5 - 0.05 * len(more), None)
        assert (row["low"] is None, word in row["reason"]) == (not more, True)


def test_many_who_saw_several_variants_stand_beside_the_verdict() -> None:
    """From one in a hundred on, and ten of them."""
    rows = [saw(f"u{n}", "2026-01-01T10:00:00", "AB"[n % 2]) for n in range(200)]
    rows += [saw(f"u{n}", "2026-01-02T10:00:00", "A") for n in range(1, 40, 2)]
    rows += [did(f"u{n}", "2026-01-02T10:00:00", "purchase") for n in range(0, 200, 3)]
    with workspace(*rows) as ws:
        verdict = ws.experiment("e", event="purchase", **DAYS).rows[1]["verdict"]
    assert "20 users (10.0 %) saw several variants and are left out." in verdict


def test_the_ledger_counts_people_who_were_exposed() -> None:
    """Not those who were active; bots are told apart."""
    bot = {"user_id": "bot", "population": "bot"}
    events = [
        saw("a", "2026-01-01T10:00:00", "A"),
        saw("bot", "2026-01-01T10:00:00", "A"),
        did("c", "2026-01-01T10:00:00"),
    ]
    with workspace(*events, users=(bot,)) as ws:
        assert ws.experiment("e", **DAYS).population == {"total": 1, "excluded": {"bot": 1}}
