"""What the generator injects, the checks find: each fault by its check, in exactly the number that truth.json tells."""

import json
import time

import pytest

import regulars
from regulars.application import load as load_module
from regulars.application.quality import check_import
from regulars.domain.quality.catalogue import CHECKS
from regulars.synthetic.generate import generate
from regulars.synthetic.options import GeneratorOptions

KNOBS = {
    "duplicates": ("duplicate_rows", "duplicates"),
    "late": ("late_events", "late"),
    "out_of_order": ("out_of_order", "out_of_order"),
    "clock_skew": ("clock_skew", "clock_skew_events"),
    "malformed": ("rejected_rows", "malformed"),
    "test_accounts": ("test_accounts", "test_accounts"),
    "anonymous": ("anonymous_events", "anonymous_events"),
    "unknown_types": ("unknown_types", "unknown_types"),
}


def checked(folder, **options):
    """The report on generated files, and what was injected into them."""
    data = generate(GeneratorOptions(**{"n_users": 150, "days": 40, **options}), folder)
    with regulars.open() as ws:
        ws.load(str(data.users))
        ws.load(str(data.events))
        return ws.check(), json.loads(data.truth.read_text())["injected"]


def test_generated_data_is_clean_by_default(tmp_path):
    """Nothing fails, not even what is only worth knowing."""
    report, injected = checked(tmp_path, n_users=400, days=120)
    assert report.failed == ()
    assert report["key_drift"].status == report["volume_anomalies"].status == "passed"
    assert not any(injected.values())


@pytest.mark.parametrize("knob", KNOBS)
def test_a_fault_is_found_by_its_check_in_its_number(knob, tmp_path):
    """And no error is reported that was not made."""
    report, injected = checked(tmp_path, **{knob: 0.1})
    name, counted = KNOBS[knob]
    assert (report[name].status, report[name].count) == ("failed", injected[counted])
    assert injected[counted] > 0
    graver = [result.check for result in report.failed if result.severity == "error"]
    assert graver == (["rejected_rows"] if knob == "malformed" else [])


def test_the_people_behind_a_fault_are_counted_too(tmp_path):
    """Every skewed clock is one row of the check's sample, every anonymous person one of its people."""
    report, injected = checked(tmp_path / "clocks", clock_skew=0.02)
    assert len(report["clock_skew"].sample) == injected["clock_skew_users"] == 3
    assert all(row[2] >= 5 for row in report["clock_skew"].sample)  # minutes: the least that the generator draws
    report, injected = checked(tmp_path / "anonymous", anonymous=0.3)
    (row,) = report["anonymous_events"].sample
    assert row[:3] == ("identified later", injected["anonymous_events"], injected["anonymous_users"])


def test_the_checks_after_an_import_take_less_than_a_twentieth_of_it(tmp_path, monkeypatch):
    """Processor time of both, in an import of some ten thousand events; the best of a few, as others work here too."""
    spent, shares = [], []

    def timed(*arguments):
        begun = time.process_time()
        found = check_import(*arguments)
        spent.append(time.process_time() - begun)
        return found

    monkeypatch.setattr(load_module, "check_import", timed)
    data = generate(GeneratorOptions(n_users=100, days=40), tmp_path)
    for _ in range(4):
        with regulars.open() as ws:
            ws.load(str(data.users))
            begun = time.process_time()
            ws.load(str(data.events))
            shares.append(spent[-1] / (time.process_time() - begun))
    assert 0 < min(shares) < 1 / 20


def test_every_knob_has_a_check():
    """A new knob is to be found as well."""
    knobs = [name for name in GeneratorOptions().as_json() if name in KNOBS]
    assert sorted(knobs) == sorted(KNOBS)
    assert {name for name, _ in KNOBS.values()} <= set(CHECKS)
