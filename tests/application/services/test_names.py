"""The services by name: all there, with the methods that programs rely on, and light to import."""

import subprocess
import sys

import pytest

from regulars import application
from regulars.application import ConversionAnalyzer, UserDirectory
from regulars.errors import QueryError

METHODS = {
    "EventTracker": ("track_event", "get_user_events", "get_session_events"),
    "SessionManager": ("start_session", "end_session", "get_active_session"),
    "UserDirectory": ("identify", "get_user", "list_active_users"),
    "EngagementAnalyzer": ("calculate_engagement_metrics", "calculate_dau", "calculate_wau", "calculate_mau"),
    "ConversionAnalyzer": ("calculate_funnel_metrics", "get_conversion_rate"),
    "RetentionAnalyzer": ("calculate_retention_metrics", "analyze_cohort"),
    "UserSegmentation": ("classify", "members", "set_rules"),
    "NPSManager": ("record_nps_response", "calculate_nps"),
    "ABTestManager": ("create_test", "assign_variant", "record_conversion", "get_results"),
    "ReportGenerator": ("generate_summary_report", "generate_engagement_report", "generate_conversion_report"),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_service_has_its_methods_each_with_words(name):
    """No more and no fewer; the rules of segments can be read."""
    service = getattr(application, name)
    public = [each for each, value in vars(service).items() if not each.startswith("_") and callable(value)]
    assert public == list(METHODS[name])
    assert all(getattr(service, each).__doc__ for each in public)


def test_services_are_loaded_when_used():
    """And a name that is none is an ordinary mistake."""
    assert dir(application) == application.__all__ == sorted(METHODS)
    with pytest.raises(AttributeError, match="no attribute 'EventTrackr'"):
        application.EventTrackr  # noqa: B018 -- reading it is the test
    heavy = "[name for name in ('duckdb', 'msgspec', 'sqlglot') if name in sys.modules]"
    code = f"import sys, regulars.application, regulars.domain; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "ask",
    [
        lambda house: ConversionAnalyzer(house.ws).get_conversion_rate(by="country"),
        lambda house: UserDirectory(house.ws).list_active_users(by="country"),
        lambda house: house.service.get_conversion_metrics("a -> b", by="country"),
        lambda house: house.service.get_retention_metrics(by="country"),
        lambda house: house.service.analyze_cohort(by="country"),
        lambda house: house.service.calculate_nps(by="country"),
    ],
    ids=["rate", "people", "funnel", "retention", "cohort", "score"],
)
def test_a_record_has_no_slices(memory, ask):
    """One slice is picked with where; all of them are asked of the workspace."""
    memory.did("ada", "03-02")
    with pytest.raises(QueryError, match="a record has no slices") as found:
        ask(memory)
    assert found.value.code == "bad_option"


def test_one_slice_is_picked_with_where(house):
    """As in any question."""
    house.service.users.identify("ada", {"plan": "paid"})
    house.service.users.identify("ben", {"plan": "free"})
    house.did("ada", "03-01", "03-02", event_type="purchase")
    house.did("ben", "03-02")
    service, paid = house.reopen(), {"where": "plan = 'paid'"}
    assert service.users.list_active_users(**paid) == ["ada"]
    assert service.conversion.get_conversion_rate(**paid) == 1.0
    assert service.conversion.get_conversion_rate() == 0.5
    assert service.get_retention_metrics(**paid)["cohort_size"] == 1
    assert service.segmentation.members("new_user", **paid) == ["ada"]
