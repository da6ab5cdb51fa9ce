"""Churn risk, usage interval and survival as people read them."""

from __future__ import annotations

import pytest

from tests.interfaces.cli import call, make_workspace


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("risk"))


def lines(*arguments):
    done = call("metric", *arguments)
    assert done.code == 0, done.err
    return [line.split() for line in done.out.splitlines()]


def test_a_list_of_people_has_scores_with_one_digit_and_no_bars(shop):
    """Ada came on two days of three, the others once, Cyd last."""
    found = lines("churn_risk", "-o", "show=people", "-w", shop)
    people = {line[0]: line[1:7] for line in found if line and line[0] in {"ada", "bob", "cyd"}}
    assert list(people) == ["bob", "ada", "cyd"]
    assert people["ada"] == ["medium", "0.3", "1", "2", "0.67", "increasing"]


def test_the_rows_that_sum_an_answer_up_stand_below_it(shop):
    """The grain is what the question is asked for."""
    found = lines("usage_interval", "-w", shop)
    assert ["users", "median", "days", "days", "of", "four", "in", "five", "suggested", "grain"] in found
    assert ["1", "1", "1", "day"] in found


def test_what_cannot_be_tested_has_no_value_and_the_rest_its_name(shop):
    """One slice and everybody else: Ada leaves after a day, Bob at once, so one of two in Germany and France."""
    asked = ("survival", "--by", "country", "--limit", "1", "-o", "silent_days=1", "-w", shop)
    found = [line for line in lines(*asked) if "(all" in line or "DE" in line]
    averages = found[-2:]
    assert averages[0][:4] == ["DE", "1", "1", "1"]
    assert averages[1][:4] == ["other", "(all", "the", "rest)"]
    alone = lines("survival", "-o", "silent_days=1", "--where", "country = 'FR'", "-w", shop)
    assert ["users", "churned", "median", "days"] in alone
    assert ["1", "1", "0"] in alone
