"""Experiments on the command line: written down, run, read, planned."""

from __future__ import annotations

import json

import pytest

from regulars.domain.inference.assignment import Allocation, assign
from tests.interfaces.cli import call

RAIL = '{"measure": "retention", "day": 1, "tolerated": 50}'


def deeds(number):
    """What one person saw and did."""
    user, variant = f"u{number}", assign(Allocation("checkout"), f"u{number}").variant
    later = {"user_id": user, "timestamp": "2025-11-04T09:00:00Z"}
    for seen in ("CONTROL", "VARIANT_A") if number == 7 else (variant,):
        yield {
            "user_id": user, "event_type": "experiment_viewed", "timestamp": "2025-11-03T09:00:00Z",
            "experiment": "checkout", "variant": seen, "plan": "paid" if number % 3 else "free",
        }  # fmt: skip
    if number % (2 if variant == "VARIANT_A" else 6) == 0:
        yield {**later, "event_type": "purchase", "amount": 10}
    if number % 5 < 2:
        yield {**later, "event_type": "like"}


@pytest.fixture
def shop(tmp_path):
    """An experiment begun in November, with four hundred people, a week of data, and one who saw both variants."""
    folder = tmp_path / "shop"
    assert call("init", folder).code == 0
    rows = [row for number in range(400) for row in deeds(number)]
    rows.append({"user_id": "later", "event_type": "like", "timestamp": "2025-11-12T09:00:00Z"})
    (tmp_path / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert call("import", tmp_path / "events.jsonl", "-w", folder).code == 0
    asked = ("-o", "event=purchase", "-o", "within=3 days", "--planned-size", 300, "--guardrail", RAIL)
    made = call("experiment", "create", "checkout", *asked, "--hypothesis", "fewer steps", "-w", folder)
    assert made.out == "checkout: draft, phase 1; CONTROL 50%, VARIANT_A 50%, of 100%\n", made.err
    return folder


def started(shop):
    """The same, running since before the first exposure."""
    done = call("experiment", "start", "checkout", "--at", "2025-11-01T00:00:00Z", "-w", shop)
    assert done.out.startswith("checkout: running since 2025-11-01 00:00 UTC, phase 1"), done.err
    return shop


def test_an_experiment_is_run_and_listed(shop):
    """Every step says where it stands; a step that cannot be is refused."""
    assert call("experiment", "assign", "checkout", "u1", "-w", shop).out == "no variant (not running)\n"
    started(shop)
    placed = call("experiment", "assign", "checkout", "u1", "--format", "json", "-w", shop).json
    assert placed["variant"] == assign(Allocation("checkout"), "u1").variant
    changed = call(
        "experiment", "change", "checkout", "--variants", "CONTROL=9, VARIANT_A=1", "--coverage", "0.5", "-w", shop
    )
    assert "phase 2; CONTROL 90%, VARIANT_A 10%, of 50%" in changed.out
    assert call("experiment", "stop", "checkout", "-q", "-w", shop).out == ""
    assert call("experiment", "archive", "checkout", "-w", shop).out.startswith("checkout: archived")
    (listed,) = call("experiment", "list", "--format", "json", "-w", shop).json
    assert [phase["status"] for phase in listed["phases"]] == ["stopped", "archived"]
    assert call("experiment", "list", "-w", shop).out.startswith("checkout: archived")
    refused = call("experiment", "start", "checkout", "-w", shop)
    assert (refused.code, "is archived" in refused.err) == (2, True)


def test_a_list_without_experiments_says_how_to_make_one(tmp_path):
    """A hint, and no error."""
    assert call("init", tmp_path / "s").code == 0
    assert "regulars experiment create NAME" in call("experiment", "list", "-w", tmp_path / "s").out


def test_an_exposure_is_logged_when_asked_for(shop):
    """And then it is an event like those that were imported."""
    started(shop)
    assert "(assigned)" in call("experiment", "assign", "checkout", "new", "--log", "-w", shop).out
    sql = "SELECT variant FROM fact_exposures WHERE user_id = 'new'"
    assert call("sql", sql, "--format", "csv", "-q", "-w", shop).out.splitlines()[1] in ("CONTROL", "VARIANT_A")


def test_results_show_variants_split_verdict_and_guardrails(shop):
    """Then what is left out."""
    done = call("experiment", "results", "checkout", "-w", started(shop))
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split() for line in done.out.splitlines() if line.startswith(("CONTROL", "VARIANT"))}
    assert {"CONTROL", "VARIANT_A", "VARIANT_A:"} == set(rows)
    assert "split as planned (p " in done.out
    assert "intervals: fixed" in done.out
    assert "VARIANT_A: The variant is better" in done.out
    assert "guardrail retention, VARIANT_A: The guardrail holds" in done.out
    assert "people who saw several variants, and are left out of all: 1" in done.out


def test_results_by_slice_and_by_another_measure(shop):
    """A mean instead of a share; the slices have verdicts of their own."""
    options = ("-o", "measure=sum", "-o", "property=amount", "--by", "plan", "--limit", "1", "-q")
    done = call("experiment", "results", "checkout", *options, "-w", started(shop))
    assert done.code == 0, done.err
    assert "paid: VARIANT_A: " in done.out
    assert "other: VARIANT_A: " in done.out
    assert "mean" in done.out
    none = call("experiment", "results", "checkout", "-o", "event=like", "-o", "within=1 hours", "-w", shop)
    assert "There is no verdict" in none.out
    alone = call("experiment", "results", "checkout", "-o", "control=VARIANT_A", "--format", "json", "-w", shop).json
    assert [row["variant"] for row in alone["rows"]] == ["VARIANT_A", "CONTROL"]


def test_results_before_anything_happened(shop):
    """Not started is an error, nobody there is none."""
    refused = call("experiment", "results", "checkout", "-w", shop)
    assert (refused.code, "has not been started" in refused.err) == (2, True)
    assert call("experiment", "create", "other", "-q", "-w", shop).code == 0
    assert call("experiment", "start", "other", "-q", "-w", shop).code == 0
    assert "no rows" in call("experiment", "results", "other", "-q", "-w", shop).out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--guardrail", "{"), "is not valid JSON"),
        (("create", "x", "--guardrail", "[]"), "must be a JSON object"),
        (("create", "x", "-o", "measure=nothing"), "option measure must be one of"),
        (("create", "x", "--coverage", "3"), "coverage is a share"),
        (("create", "checkout"), "there is an experiment 'checkout' already"),
        (("results", "checkouts"), "did you mean 'checkout'?"),
        (("start", "checkout", "--at", "yesterday"), "a time with its zone"),
        (("power", "--baseline", "0.2", "--mde", "0"), "no number of users is enough"),
        (("power", "--baseline", "2", "--mde", "0.1"), "a share is a number from 0 to 1"),
    ],
)
def test_a_mistake_is_said_in_a_line(arguments, said, shop):
    """With what is allowed."""
    where = () if arguments[0] == "power" else ("-w", shop)
    done = call("experiment", *arguments, *where)
    assert done.code == 2, done.out
    assert said in done.err


def test_the_size_of_an_experiment_is_planned_with_bare_numbers():
    """As people read it, and for programs."""
    done = call("experiment", "power", "--baseline", "0.2", "--mde", "0.25", "--relative", "--per-day", "200")
    assert "1,094 users per variant, 2,188 users in all" in done.out
    assert "11 days at 200 users a day" in done.out
    told = call("experiment", "power", "--baseline", "10", "--mde", "1", "--deviation", "5", "--format", "json").json
    assert (told["per_variant"], told["days"]) == (394, None)


def test_an_audit_fails_where_something_else_decides(shop):
    """One of four hundred saw both variants."""
    done = call("experiment", "audit", "checkout", "-w", started(shop))
    assert (done.code, done.out) == (1, "400 ids exposed, 1 to another variant than theirs: u7\n")
    assert call("experiment", "audit", "checkout", "--format", "json", "-w", shop).json["mismatches"] == ["u7"]
    assert call("experiment", "change", "checkout", "--seed", "again", "-q", "-w", shop).code == 0
    assert call("experiment", "audit", "checkout", "-w", shop).code == 0
