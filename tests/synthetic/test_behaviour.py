"""What the made-up people do: the chances that the options state can be measured again."""

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from regulars.synthetic.activity import DAY, days_of_month, present, session_chance, weekdays
from regulars.synthetic.billing import billing_events
from regulars.synthetic.events import ENROLL, FAILED, IDENTIFY, LOGIN, PAID, QUIZ, VIDEO
from regulars.synthetic.generate import draw_events, generate
from regulars.synthetic.options import GeneratorOptions
from regulars.synthetic.population import BLOCK_USERS, draw_population
from regulars.synthetic.sessions import session_events
from regulars.synthetic.truth import Truth


def block(draw=session_events, **options):
    chosen = GeneratorOptions(**{"n_users": BLOCK_USERS, **options})
    people = draw_population(chosen, 0)
    return chosen, people, draw(chosen, people, 0)


def near(share, expected, n):
    """Within five standard deviations of a share of n independent cases."""
    return abs(share - expected) <= 5 * (expected * (1 - expected) / n) ** 0.5


def test_churners_stop_at_their_churn_day():
    """From the churn day on there is no event of any kind, and before it there are some."""
    options, people, events = block(draw_events, churn_base_rate=1.0)
    day = events.second // DAY
    assert (day < people.churn_day[events.user]).all()
    churned = people.churn_day < options.days
    assert churned.mean() > 0.5
    assert people.churn_day[churned].min() >= options.days // 4
    assert np.isin(np.flatnonzero(churned), events.user).mean() > 0.98


def test_nobody_churns_when_the_rate_is_zero():
    """A base rate of 0 keeps everybody to the end."""
    options, people, _ = block(churn_base_rate=0.0)
    assert (people.churn_day == options.days).all()


def test_paying_and_engaged_users_churn_less():
    """Plan and engagement lower the chance of churn as the formula says."""
    options = GeneratorOptions(n_users=20 * BLOCK_USERS)
    blocks = [draw_population(options, number) for number in range(20)]
    churned = np.concatenate([people.churn_day < options.days for people in blocks])
    paid = np.concatenate([people.paid for people in blocks])
    engagement = np.concatenate([people.engagement for people in blocks])
    chance = 0.35 * np.where(paid, 0.75, 1) * (0.4 + 1.4 * (1 - engagement) ** 1.6)
    for group in (paid, ~paid, engagement < 0.3, engagement > 0.6):
        assert near(churned[group].mean(), chance[group].mean(), group.sum())


@pytest.mark.parametrize("ratio", [0.0, 0.2, 0.35, 1.0])
def test_the_paid_share_is_the_one_asked_for(ratio):
    """As many users pay as the ratio says, give or take chance."""
    options = GeneratorOptions(n_users=BLOCK_USERS, paid_ratio=ratio)
    assert near(draw_population(options, 0).paid.mean(), ratio, BLOCK_USERS)


def test_sessions_are_hours_apart_and_events_minutes():
    """Between two events of a user lie either seconds to minutes or more than two hours."""
    _, _, events = block()
    gap = np.diff(events.second)[np.diff(events.user) == 0]
    starts = events.kind[1:][np.diff(events.user) == 0] == LOGIN
    assert gap[~starts].min() >= 20
    assert gap[~starts].max() <= 15 * 60
    assert gap[starts].min() >= 30 * 60
    same_day = starts & (np.diff(events.second // DAY)[np.diff(events.user) == 0] == 0)
    assert gap[same_day].min() >= 2 * 3600


def test_a_day_has_one_to_three_sessions_and_stays_inside_midnight():
    """A session's events have the same day as its login, and the three counts are equally frequent."""
    _, _, events = block()
    session = np.cumsum(events.kind == LOGIN)
    day = events.user * 1000 + events.second // DAY
    assert all(len(set(day[session == number])) == 1 for number in range(1, 500))
    _, counts = np.unique(day[events.kind == LOGIN], return_counts=True)
    _, first = np.unique(session, return_index=True)
    assert (day == day[first][session - 1]).all()
    assert set(counts) == {1, 2, 3}
    assert all(near((counts == count).mean(), 1 / 3, len(counts)) for count in (1, 2, 3))


def test_evenings_are_busier_than_nights():
    """Sessions follow a profile over the hours of the day."""
    _, _, events = block()
    hours = np.bincount(events.second[events.kind == LOGIN] % DAY // 3600, minlength=24)
    assert hours[17:21].sum() > 4 * hours[1:5].sum()


def test_a_session_holds_what_engagement_says():
    """Videos and quizzes are as frequent, as long and as good as the formulas state."""
    options, people, events = block()
    engagement = people.engagement[events.user[events.kind == LOGIN]]
    n = len(engagement)
    assert near((events.kind == VIDEO).sum() / n, (0.5 + 0.4 * engagement).mean(), n)
    assert near((events.kind == QUIZ).sum() / n, (0.25 + 0.35 * engagement).mean(), n)
    minutes, scores = events.measure[events.kind == VIDEO], events.measure[events.kind == QUIZ]
    assert minutes.min() >= 1
    assert minutes.max() <= 240
    assert (scores.min(), scores.max()) >= (0, 90)
    assert scores.max() <= 100
    assert minutes.mean() == pytest.approx(
        (20 + 40 * people.engagement[events.user[events.kind == VIDEO]]).mean(), 0.01
    )
    assert options.days == 120


def test_the_first_session_enrolls_in_a_course():
    """Everybody enrols in the first session; later sessions are about the course enrolled in last."""
    _, _, events = block()
    for user in range(50):
        mine = events.user == user
        kinds, courses = events.kind[mine], events.course[mine]
        if not len(kinds):
            continue
        assert kinds[:2].tolist() == [LOGIN, ENROLL]
        current = None
        for kind, course in zip(kinds, courses, strict=True):
            current = course if kind == ENROLL else current
            assert course == (-1 if kind == LOGIN else current)


def test_growing_signups_have_no_events_before_them():
    """With growing sign-ups most users join inside the window and do nothing before they do."""
    options, people, events = block(draw_events, signups="growing", n_users=BLOCK_USERS)
    assert (events.second // DAY >= people.signup_day[events.user]).all()
    inside = people.signup_day >= 1
    assert near(inside.mean(), 0.6 * (options.days - 1) / options.days, BLOCK_USERS)
    assert (people.churn_day >= people.signup_day).all()


def test_signups_before_the_window_fill_the_spread():
    """By default nobody signs up after the first day, nor earlier than the spread allows."""
    _, people, _ = block(signup_spread_days=10)
    assert set(-people.signup_day) == set(range(10))


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.7, 10.0])
def test_the_weekend_factor_keeps_the_weekly_mean(factor):
    """Activity moves inside the week, and every user's mean over a whole week stays."""
    plain = GeneratorOptions(n_users=500, days=7)
    moved = GeneratorOptions(n_users=500, days=7, weekend_factor=factor)
    people = draw_population(plain, 0)
    chance = session_chance(moved, people)
    assert chance.mean(axis=1) == pytest.approx(session_chance(plain, people).mean(axis=1))
    assert chance.min() >= 0
    assert chance.max() <= 1 + 1e-12
    unlimited = chance.max(axis=1) < 1 - 1e-9
    weekend = weekdays(moved) >= 5
    ratio = chance[unlimited][:, weekend].mean(axis=1) / chance[unlimited][:, ~weekend].mean(axis=1)
    assert ratio == pytest.approx(factor)


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"engagement_a": 1.0}, {"engagement_a": 4.0}),
        ({"engagement_b": 4.0}, {"engagement_b": 1.0}),
        ({"activity_base": 0.05}, {"activity_base": 0.15}),
        ({"activity_slope": 0.4}, {"activity_slope": 0.8}),
    ],
)
def test_more_engagement_makes_more_active_days(less, more, tmp_path):
    """Each engagement parameter moves the measured and the expected activity the same way."""
    found = {}
    for name, changed in (("less", less), ("more", more)):
        options, people, events = block(draw_events, **changed)
        truth = Truth(options)
        truth.add(people, events, {})
        found[name] = truth.as_json()
    assert found["less"]["active_user_days"] < found["more"]["active_user_days"]
    assert found["less"]["expected_active_day_rate"] < found["more"]["expected_active_day_rate"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("payments", ["monthly_days", "once"])
@pytest.mark.parametrize("signups", ["before", "growing"])
def test_the_expected_active_day_rate_is_met(payments, signups):
    """The rate in truth.json is the mean of the active days that the events show."""
    options, people, events = block(draw_events, payments=payments, signups=signups, weekend_factor=0.5)
    truth = Truth(options)
    truth.add(people, events, {})
    told = truth.as_json()
    user_days = BLOCK_USERS * options.days
    active = len(np.unique(events.user * options.days + events.second // DAY))
    assert told["active_user_days"] == active
    assert near(active / user_days, told["expected_active_day_rate"], user_days)


def test_paid_users_pay_on_the_first_three_days_of_a_month():
    """By default each of the three days has one payment event per paying user, 93 % of them successful."""
    options, people, events = block(billing_events, start_date=dt.date(2025, 1, 2))
    due = present(options, people) & people.paid[:, None] & (days_of_month(options) <= 3)
    assert len(events) == due.sum()
    assert due[events.user, events.second // DAY].all()
    assert near((events.kind == PAID).mean(), 0.93, len(events))


def test_a_single_payment_is_retried_only_after_a_failure():
    """With `once` a month has an attempt on day 1, and one more on days 2 and 3 while they fail."""
    options, people, events = block(billing_events, payments="once", days=365)
    month_day = days_of_month(options)[events.second // DAY]
    assert (month_day == 1).sum() == (present(options, people) & people.paid[:, None])[
        :, days_of_month(options) == 1
    ].sum()
    retried = 0
    rows = list(zip(events.user, events.second // DAY, events.kind, month_day, strict=True))
    for (user, day, kind, number), (next_user, next_day, _, next_number) in pairwise(rows):
        if next_number > 1:
            assert (next_user, next_day, next_number, kind) == (user, day + 1, number + 1, FAILED)
            retried += 1
    assert retried > 50


def test_support_tickets_are_rare_and_need_no_session():
    """One user-day in two hundred has a ticket, whether or not the user was active."""
    options, people, events = block(draw_events, n_users=BLOCK_USERS, activity_base=0.0, activity_slope=0.0)
    user_days = present(options, people).sum()
    tickets = (events.kind > FAILED).sum()
    assert near(tickets / user_days, 0.005, user_days)
    assert not np.isin(events.kind, [LOGIN, IDENTIFY]).any()


def test_a_product_without_any_event_is_written_all_the_same(tmp_path):
    """Nobody active is a table with a header and no rows."""
    idle = GeneratorOptions(n_users=1, days=1, activity_base=0, activity_slope=0, paid_ratio=0)
    data = generate(idle, tmp_path)
    assert data.event_count == 0
    assert data.events.read_text().count("\n") == 1
    assert generate(idle, tmp_path, "parquet").event_count == 0
