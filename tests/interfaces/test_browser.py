"""The script for web pages in a real browser, from a page of another origin to a real server."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import regulars
from regulars.interfaces.reports import generate
from tests.interfaces.asgi import Bench
from tests.interfaces.browser import BROWSER, lossy, site, visit
from tests.interfaces.servers import serving
from tests.interfaces.test_client import stored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.interfaces.servers import Server

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium, which is not installed")
DOCS = Path(__file__).parents[2] / "docs" / "collecting.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = regulars.init(tmp_path_factory.mktemp("browser") / "shop")
    with serving(folder, "--single-process") as running:
        yield running


def documented(collecting: str, **data: str) -> str:
    """The lines that the documentation tells people to put on their pages."""
    (lines,) = re.findall(r"## From a web page\n\n```html\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    attributes = "".join(f' data-{name}="{value}"' for name, value in data.items())
    return lines.replace("https://collect.example.com", collecting).replace(' data-key="rg_write_..."', attributes)


def page(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(f"<!doctype html><title>{name}</title>{content}")


def events_of(server: Server, user: str) -> list[str]:
    server.drained()
    return [
        row[0] for row in server.sql(
            "SELECT action_type FROM fact_user_actions JOIN dim_actions USING (action_key) JOIN dim_identities i "
            f"USING (identity_key) WHERE i.user_key = (SELECT user_key FROM dim_users WHERE user_id = '{user}') "
            "ORDER BY action_type"
        )
    ]  # fmt: skip


def test_what_happens_on_pages_is_counted_also_when_they_are_left_at_once(server: Server, tmp_path: Path) -> None:
    """The documented lines; the page goes away before anything was sent; the next one is the same visitor's."""
    page(tmp_path, "one.html", documented(server.collecting) + "<script>onload = () => location = 'two.html'</script>")
    page(tmp_path, "two.html", documented(server.collecting).split("<script>\n  regulars.track")[0])
    with site(tmp_path) as origin:
        visit(f"{origin}/one.html", tmp_path / "profile")
        assert events_of(server, "user-7") == ["identify", "page_view", "page_view", "sign_up"]
        assert server.sql("SELECT plan FROM dim_users WHERE user_id = 'user-7'") == [["pro"]]
        visit(f"{origin}/two.html", tmp_path / "profile")  # the browser was closed in between
    assert events_of(server, "user-7").count("page_view") == 3
    theirs = "user_key = (SELECT user_key FROM dim_users WHERE user_id = 'user-7')"
    assert stored(server, f"kind = 'anonymous' AND {theirs}") == 1


def test_requests_and_answers_that_are_lost_cost_nothing_and_double_nothing(server: Server, tmp_path: Path) -> None:
    with lossy(server.collecting, lost_requests=2, lost_answers=2) as (url, wire), site(tmp_path) as origin:
        lines = documented(server.collecting, url=url).replace("user-7", "user-8")
        page(tmp_path, "lossy.html", lines)
        visit(f"{origin}/lossy.html", tmp_path / "profile", milliseconds=60_000)
        assert wire.requests >= 5
    assert events_of(server, "user-8") == ["identify", "page_view", "sign_up"]
    assert server.numbers()["events_duplicates"] >= 3


# Every answer, or that there is none, is known a second late; so somebody leaves and comes back while events are sent.
SLOW = """<script>
  const quick = fetch;
  fetch = (...all) => quick(...all).finally(() => new Promise((done) => setTimeout(done, 1000)));
  const turn = (state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  };
  const away = (when) => {
    setTimeout(turn, when, "hidden");
    setTimeout(() => { turn("visible"); regulars.track("share"); }, when + 100);
  };
</script>"""


LINK = "?email=ada%40example.com&utm_source=mail&token=secret&utm_content=a%20b&gclid=7&utm_id=1&href=x&ref=ada&ref"
CAMPAIGN = "?utm_source=mail&utm_content=a%20b&gclid=7&ref=ada"


@pytest.mark.parametrize(
    ("data", "link", "kept"),
    [
        ({}, LINK, (CAMPAIGN, "/from.html")),
        ({}, "?token=secret", ("", "/from.html")),
        ({"search": "all"}, LINK, (LINK, "/from.html?token=secret")),
    ],
    ids=["campaign", "nothing", "all"],
)
def test_a_page_view_keeps_campaigns_and_no_secrets(server: Server, tmp_path: Path, data, link, kept) -> None:
    """Of the link that led to a page, and of the one before it, unless the page asks for all."""
    search, referrer = kept
    user = f"user-{len(search)}-{len(data)}"
    page(tmp_path, "from.html", f"<script>onload = () => {{ location = 'to.html{link}#here' }}</script>")
    page(tmp_path, "to.html", documented(server.collecting, **data).replace("user-7", user))
    with site(tmp_path) as origin:
        visit(f"{origin}/from.html?token=secret", tmp_path / "profile")
    server.drained()
    theirs = f"i.user_key = (SELECT user_key FROM dim_users WHERE user_id = '{user}')"
    told = server.sql(
        "SELECT action_metadata FROM fact_user_actions JOIN dim_actions USING (action_key) JOIN dim_identities i "
        f"USING (identity_key) WHERE action_type = 'page_view' AND {theirs}"
    )
    assert json.loads(told[0][0]) == {"title": "to.html", "search": search, "referrer": origin + referrer}


def test_what_happens_while_events_are_sent_is_not_taken_for_sent(server: Server, tmp_path: Path) -> None:
    """A request is under way, the page is hidden and shown again: what comes then is in neither of the two."""
    lines = documented(server.collecting).replace("user-7", "user-10")
    page(tmp_path, "back.html", f"{SLOW}{lines}<script>onload = () => away(800)</script>")
    with site(tmp_path) as origin:
        visit(f"{origin}/back.html", tmp_path / "profile")
    assert events_of(server, "user-10") == ["identify", "page_view", "share", "sign_up"]


def test_what_is_lost_on_both_ways_is_sent_again(server: Server, tmp_path: Path) -> None:
    """Nobody hears of a lost beacon, but the request that was under way is known to have failed."""
    with lossy(server.collecting, lost_requests=2, lost_answers=0) as (url, wire), site(tmp_path) as origin:
        lines = documented(server.collecting, url=url).replace("user-7", "user-11")
        page(tmp_path, "both.html", f"{SLOW}{lines}<script>onload = () => away(800)</script>")
        visit(f"{origin}/both.html", tmp_path / "profile", milliseconds=20_000)
        assert wire.requests >= 3
    assert events_of(server, "user-11") == ["identify", "page_view", "share", "sign_up"]


@pytest.mark.parametrize("user", ["user-stays", "user-leaves"])
def test_an_event_for_which_all_are_refused_costs_only_itself(server: Server, tmp_path: Path, user: str) -> None:
    """What nests so deep is refused with its neighbours; they go one by one then, also when the page is left."""
    deep = "let deep = {}; for (let n = 0; n < 300; n++) deep = { deep }; regulars.track('like', deep);"
    lines = documented(server.collecting).replace("user-7", user)
    leaving = "onload = () => away(1800)" if user == "user-leaves" else ""
    page(tmp_path, "deep.html", f"{SLOW}{lines}<script>{deep} {leaving}</script>")
    with site(tmp_path) as origin:
        visit(f"{origin}/deep.html", tmp_path / "profile", milliseconds=20_000)
    found = events_of(server, user)
    assert [name for name in found if name != "share"] == ["identify", "page_view", "sign_up"]


def test_a_beacon_takes_as_much_as_the_browser_lets_it(server: Server, tmp_path: Path) -> None:
    """64 KiB, in bytes: letters outside of ASCII have two or three of them."""
    wide = "for (let n = 0; n < 15; n++) regulars.track('like', { text: '\u0436'.repeat(3000) });"
    lines = documented(server.collecting).replace("user-7", "user-wide")
    page(tmp_path, "wide.html", f"{lines}<script>onload = () => {{ {wide} location = 'end.html' }}</script>")
    page(tmp_path, "end.html", "")
    with site(tmp_path) as origin:
        visit(f"{origin}/wide.html", tmp_path / "profile")
    assert events_of(server, "user-wide").count("like") >= 5


def test_events_that_are_rejected_one_by_one_are_not_sent_again(server: Server, tmp_path: Path) -> None:
    with lossy(server.collecting, lost_requests=0, lost_answers=0) as (url, wire), site(tmp_path) as origin:
        lines = documented(server.collecting, url=url, auto="off").split("<script>\n  regulars.track")[0]
        page(tmp_path, "bad.html", f"{lines}<script>regulars.track(''); regulars.track('');</script>")
        visit(f"{origin}/bad.html", tmp_path / "profile", milliseconds=20_000)
        assert wire.requests == 1


def test_pages_of_other_origins_may_send_with_headers_and_cookies(server: Server, tmp_path: Path) -> None:
    """What libraries of others ask a browser for: a preflight request, credentials, a body that is JSON."""
    ask = """
      fetch(URL, {method: "POST", credentials: "include", body: '{"user_id": "user-9", "event_type": "like"}',
                  headers: {"Content-Type": "application/json", "X-Api-Key": "any", "Idempotency-Key": "k1"}})
        .then((answer) => answer.json()).then((told) => { document.title = "accepted " + told.accepted; });
    """
    page(tmp_path, "other.html", f"<script>{ask.replace('URL', repr(server.collecting + '/v1/track'))}</script>")
    with site(tmp_path) as origin:
        assert "<title>accepted 1</title>" in visit(f"{origin}/other.html", tmp_path / "profile")
    assert events_of(server, "user-9") == ["like"]


PWNED = "document.documentElement.dataset.pwned = 1"
HOSTILE = (
    f"<script>{PWNED}</script>", f"</title></style></svg><script>{PWNED}</script>", f"<img src=x onerror='{PWNED}'>",
    f"\"><svg onload='{PWNED}'>", f"<a href=\"javascript:{PWNED}\" autofocus onfocus='{PWNED}'>x</a>",
    f"javascript:{PWNED}", f"&lt;script&gt;{PWNED}&lt;/script&gt;", f"]]><script>{PWNED}</script>",
    f"{{{{constructor.constructor('{PWNED}')()}}}}",
)  # fmt: skip
REPORTS = {"engagement": {}, "conversion": {"steps": ["login", "purchase"]}}


def test_a_hostile_name_that_was_collected_is_text_in_a_report(tmp_path: Path) -> None:
    """Event types, features and countries that would run, shown in a real browser: nothing runs, all can be read."""
    bench = Bench(regulars.init(tmp_path / "shop"))
    events = [
        {"user_id": f"u{n}", "event_type": kind, "country": name, "feature": name, "properties": {"amount": 3},
         "timestamp": f"2026-02-{day:02}T09:00:00Z"}
        for n, name in enumerate(HOSTILE) for day, kind in ((2, "login"), (9, name), (10, "purchase"), (25, name))
    ]  # fmt: skip
    bench.now = dt.datetime(2026, 3, 1)
    assert bench.send("/v1/batch", events).json["accepted"] == len(events)
    bench.store.close()
    with regulars.open(tmp_path / "shop", clock=lambda: dt.datetime(2026, 3, 1, tzinfo=dt.UTC)) as ws:
        for name, chosen in REPORTS.items():
            (tmp_path / f"{name}.html").write_bytes(generate(ws, name, by="country", title=HOSTILE[0], **chosen))
    # What would run if it were no text: so that the test is known to see it.
    page(tmp_path, "control.html", HOSTILE[2] + "&lt;script>")
    frames = "".join(f"<iframe id={name} src={name}.html></iframe>" for name in (*REPORTS, "control"))
    # One page with all of them tells afterwards what was found in each.
    look = """<script>onload = () => { document.title = [...document.querySelectorAll("iframe")].map((frame) => {
      const inside = frame.contentDocument;
      return frame.id + " " + inside.querySelectorAll("script, img, iframe").length + " "
        + (inside.documentElement.dataset.pwned || "well") + " " + inside.body.textContent.includes("<script>");
    }).join(", "); }</script>"""
    (tmp_path / "all.html").write_text(f"<!doctype html><title></title>{look}{frames}")
    with site(tmp_path) as origin:
        seen = visit(f"{origin}/all.html", tmp_path / "profile")
    assert "<title>engagement 0 well true, conversion 0 well true, control 1 1 true</title>" in seen


def test_a_report_can_be_read_on_a_telephone(tmp_path: Path) -> None:
    """Words stay whole, charts keep the size of their text, names of tables stay, and no name runs out of a chart."""
    names = ("WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW", "The United Kingdom of Great Britain and Northern Ireland", "DE")
    with regulars.open(clock=lambda: dt.datetime(2026, 4, 1, tzinfo=dt.UTC)) as ws:
        ws.load([
            {"user_id": f"u{n}", "event_type": "like", "country": names[n % 3],
             "timestamp": f"2026-{month:02}-{day:02}T09:00:00Z"}
            for n in range(9) for month in (1, 2, 3) for day in range(1 + n % 4, 28, 3)
        ])  # fmt: skip
        (tmp_path / "report.html").write_bytes(generate(ws, "summary", by="country"))
    look = """<script>onload = () => { document.title = [...document.querySelectorAll("iframe")].map((frame) => {
      const inside = frame.contentDocument, box = (each) => each.getBoundingClientRect();
      const all = (what) => [...inside.querySelectorAll(what)];
      const lines = (each) => { const range = inside.createRange();
        range.selectNodeContents(each.firstChild.firstChild);
        return new Set([...range.getClientRects()].map((one) => Math.round(one.top))).size; };
      const broken = all("tbody th").filter((each) => /^\\w{1,12}$/.test(each.textContent) && lines(each) > 1);
      all(".scroll").forEach((each) => { each.scrollLeft = 9999; });
      const away = all(".caption, caption, figcaption").filter((each) => box(each).left < 0
        || box(each).right > frame.clientWidth);
      const letters = Math.min(...all("figure svg").map((each) => 11 * box(each).width / each.viewBox.baseVal.width));
      const out = all("figure svg text").filter((each) => box(each).left < box(each.closest("svg")).left);
      const cut = all(".drawing").filter((each) => each.scrollHeight > each.clientHeight);
      const aside = inside.documentElement.scrollWidth > frame.clientWidth;
      return [frame.id, all("table").length > 3 && all("figure svg").length > 3, broken.length, away.length,
              letters >= 9, out.length, cut.length, aside].join(" ");
    }).join(", "); }</script>"""
    frames = "".join(
        f"<iframe id=w{width} src=report.html style='border:0;width:{width}px;height:900px'></iframe>"
        for width in (390, 1440)
    )
    (tmp_path / "all.html").write_text(f"<!doctype html><title></title>{look}{frames}")
    with site(tmp_path) as origin:
        seen = visit(f"{origin}/all.html", tmp_path / "profile")
    title = re.search("<title>(.*?)</title>", seen)[1]
    assert title == "w390 true 0 0 true 0 0 false, w1440 true 0 0 true 0 0 false"
