"""Reports: the numbers of the command line, in files that need nothing else and can be trusted with any text."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import msgspec
import pytest

import regulars
from regulars.errors import MissingExtraError, QueryError, UnknownNameError
from regulars.interfaces.cli.report import _FORMATS, _NAMES
from regulars.interfaces.reports import FORMATS, NAMES, generate
from regulars.interfaces.reports.palette import DARK, INK, MUTED, PAPER, SHADES, contrast, shade
from regulars.synthetic.generate import GeneratorOptions
from regulars.synthetic.generate import generate as make_up
from tests.interfaces.cli import call, environment, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from regulars.workspace import Workspace

EVERY = list(itertools.product(NAMES, FORMATS))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up product: 250 people, 110 days that end in the middle of a week."""
    folder = tmp_path_factory.mktemp("reports") / "shop"
    regulars.init(folder)
    made = make_up(GeneratorOptions(n_users=250, days=110, seed=7, signups="growing"), folder / "raw", "parquet")
    with regulars.open(folder) as ws:
        ws.load(str(made.users))
        ws.load(str(made.events))
    return folder


@pytest.fixture(scope="module")
def pages(shop: Path) -> dict[str, str]:
    """Every report of it, as HTML."""
    with regulars.open(shop, read_only=True) as ws:
        return {name: generate(ws, name).decode() for name in NAMES}


@pytest.fixture
def small() -> Iterator[Workspace]:
    """Three people on two days, the second of which is not over."""
    with regulars.open(clock=lambda: datetime(2026, 1, 6, 12, tzinfo=UTC)) as ws:
        ws.load(
            [
                {"user_id": who, "event_type": kind, "timestamp": f"2026-01-0{day}T09:00:00Z", "country": "DE"}
                for who, kind, day in (("ada", "login", 5), ("ada", "like", 6), ("ben", "login", 6), ("cyd", "view", 5))
            ]
        )
        yield ws


def parsed(page: str) -> ET.Element:
    """The page as a tree; that it is well-formed XML is half of the test."""
    return ET.fromstring(page.removeprefix("<!DOCTYPE html>"))  # noqa: S314 -- our own


def text_of(element: ET.Element) -> str:
    """The words in an element."""
    return "".join(element.itertext())


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_the_one_that_the_command_line_gives_for_the_same_question(
    shop: Path, pages: dict[str, str], name: str, tmp_path: Path
) -> None:
    """Each cell says which cell of which answer it is; the question goes through the command line again."""
    tree = parsed(pages[name])
    main = tree.find(".//main")
    answers = {}
    for key, question in json.loads(main.get("data-questions")).items():
        (tmp_path / "question.json").write_text(json.dumps(question))
        answers[key] = call("metric", "--query", tmp_path / "question.json", "--format", "json", "-w", shop).json
    found = [each for each in tree.iter() if each.get("data-from")]
    for each in found:
        question, part, row, column = each.get("data-from").split(":")
        value = answers[question][part][int(row)][column]
        assert (None if value is None else repr(value)) == each.get("data-value"), each.get("data-from")
        assert_reads_as(text_of(each), value)
    assert len(found) > 150
    assert {each.get("data-from").split(":")[0] for each in found} <= set(answers)


def assert_reads_as(text: str, value: float | None) -> None:
    """The text is the value, rounded as far as it is written out."""
    if value is None:
        assert text == "\N{EN DASH}"
        return
    match = re.fullmatch(r"(-?[\d,]+(?:\.(\d+))?)(%?)[*^?]*", text)
    if match is None:
        assert re.search(r"\d+ (d|h|min|s)\b", text), text  # a duration
        return
    shown, places = float(match[1].replace(",", "")), len(match[2] or "")
    assert abs(shown - value * (100 if match[3] else 1)) <= 0.5 * 10**-places + 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_numbers_without_a_source_are_the_change_between_two_beside_them(pages: dict[str, str], name: str) -> None:
    """Nothing else stands in a table that does not say where it comes from."""
    for line in parsed(pages[name]).iter("tr"):
        cells = list(line)
        if line.find("td") is None:
            continue
        for cell in cells[1:]:
            text = text_of(cell)
            if cell.get("data-from") or text in ("", "0", "\N{EN DASH}"):
                continue
            now, before = (float(each.get("data-value")) for each in cells[1:3])
            assert abs(float(text.replace("\N{MINUS SIGN}", "-").strip("±+%")) - 100 * (now / before - 1)) < 0.051


@pytest.mark.parametrize("name", NAMES)
def test_markdown_has_the_tables_of_the_page(shop: Path, pages: dict[str, str], name: str) -> None:
    """Cell by cell, and with aligned columns."""
    with regulars.open(shop, read_only=True) as ws:
        text = generate(ws, name, "md").decode()
    lines = [
        [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    lines = [[re.sub(r"\\(.)", r"\1", cell) for cell in line] for line in lines]
    for line in parsed(pages[name]).iter("tr"):
        assert [text_of(cell) for cell in line] in lines
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({len(row) for row in block.splitlines()}) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_page_needs_no_script_no_network_and_no_other_file(pages: dict[str, str], name: str) -> None:
    """Its own policy forbids them, and allows its style sheet by hash; no element has a style of its own."""
    page = pages[name]
    tags = {each.tag.rpartition("}")[2] for each in parsed(page).iter()}
    assert not tags & {"script", "link", "iframe", "img", "image", "object", "embed", "form", "foreignObject"}
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(|\sstyle=|\son\w+=|javascript:", page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    allowed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{allowed}&#x27;" in page


@pytest.mark.parametrize("name", NAMES)
def test_a_page_can_be_read_without_seeing_it(pages: dict[str, str], name: str) -> None:
    """A language, one first heading, sections with names, tables and their tab stops with heads and names, charts with
    words.
    """
    tree = parsed(pages[name])
    assert tree.get("lang") == "en"
    assert len(list(tree.iter("h1"))) == 1
    ids = [each.get("id") for each in tree.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    named = {each.get("id"): text_of(each) for each in tree.iter("p") if each.get("id")}
    stops = [each for each in tree.iter() if each.get("tabindex") is not None]
    assert [stop[0].tag for stop in stops] == ["table"] * len(list(tree.iter("table")))
    for stop in stops:
        assert (stop.get("role"), stop[0].get("aria-labelledby")) == ("region", stop.get("aria-labelledby"))
        assert named.pop(stop.get("aria-labelledby"))
        assert stop.find(".//caption") is None  # it would scroll away with the table
    for table in tree.iter("table"):
        assert all(each.get("scope") == "col" for each in table.find("thead").iter("th"))
        assert all(line[0].get("scope") == "row" for line in table.find("tbody"))
    charts = list(tree.iter("figure"))
    assert len(charts) > 2
    for chart in charts:
        svg = chart.find("div")[0]
        assert svg.get("role") == "img"
        assert {svg.get("aria-labelledby"), svg.get("aria-describedby")} <= set(ids)


def test_every_text_has_enough_contrast_in_light_and_dark() -> None:
    """4.5 to 1, also on shaded cells."""
    for color in (INK, MUTED):
        assert contrast(color, PAPER) >= 4.5
        assert contrast(DARK[color], DARK[PAPER]) >= 4.5
    for level in range(SHADES + 1):
        assert contrast(*shade(level)) >= 4.495


@pytest.mark.parametrize(("name", "form"), EVERY)
def test_the_same_data_make_the_same_bytes(shop: Path, name: str, form: str) -> None:
    """Twice, with a clock that stands still."""
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    made = []
    for _ in range(2):
        with regulars.open(shop, read_only=True, clock=lambda: clock) as ws:
            made.append(generate(ws, name, form, title="Shop"))
    assert made[0] == made[1]
    assert made[0].startswith({"html": b"<!DOCTYPE html>", "md": b"# Shop: ", "pdf": b"%PDF-"}[form])


def test_the_time_zone_of_the_machine_moves_no_day(shop: Path, pages: dict[str, str]) -> None:
    """Neither in the words nor in the charts."""
    program = (
        "import sys, regulars; from regulars.interfaces.reports import generate\n"
        "with regulars.open(sys.argv[1], read_only=True) as ws: sys.stdout.buffer.write(generate(ws, 'summary'))"
    )
    done = subprocess.run(  # noqa: S603 -- our own program
        [sys.executable, "-c", program, str(shop)], env=environment(TZ="America/New_York"), capture_output=True,
        check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.decode() == pages["summary"]


HOSTILE = (
    "<script>alert(1)</script>", "a|b", "*b* _c_ `d` [e](http://x.test)", '#panic("no") $x$ #read("/etc/passwd")',
    '"quoted" & \'single\'', "]]>\u0007</style>", "{{x}} ${y} \\", "line\nbreak",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile() -> Iterator[Workspace]:
    """People whose countries and features are written to break out of any format."""
    with regulars.open(clock=lambda: datetime(2026, 3, 1, tzinfo=UTC)) as ws:
        ws.load(
            [
                {"user_id": f"u{n}", "event_type": kind, "timestamp": f"2026-02-{day:02}T0{n}:00:00Z", "feature": text,
                 "country": text, "amount": 3}
                for n, text in enumerate(HOSTILE)
                for day, kind in ((2, "login"), (9, "view"), (10, "payment_success"), (25, text.replace("\n", " ")))
            ]
        )  # fmt: skip
        yield ws


@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_stays_text_on_a_page(hostile: Workspace, name: str) -> None:
    """Values, names of steps, and the title."""
    chosen = {"steps": ["login", {"events": [HOSTILE[0]]}]} if name == "conversion" else {}
    page = generate(hostile, name, by="country", title=HOSTILE[0], **chosen).decode()
    tree = parsed(page)
    assert not list(tree.iter("script"))
    assert text_of(tree.find(".//header")).startswith(HOSTILE[0])
    assert "<script" not in page
    assert "\u0007" not in page
    shown = {text_of(each) for each in tree.iter("th")}
    assert {HOSTILE[1], HOSTILE[3], HOSTILE[4]} <= shown


@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_stays_text_in_markdown(hostile: Workspace, name: str) -> None:
    """A pipe makes no column, a line break no line, and nothing becomes a link or HTML."""
    text = generate(hostile, name, "md", by="country", title=HOSTILE[0]).decode()
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in block.splitlines()}) == 1
    assert not re.search(r"(?<!\\)<|(?<!\\)\]\(|(?<!\\)`", text)
    assert text.splitlines()[0].startswith(r"# \<script\>alert(1)")


@pytest.mark.parametrize("name", NAMES)
def test_hostile_text_stays_text_in_a_pdf(hostile: Workspace, name: str) -> None:
    """Text that Typst would execute is data to it: it neither fails nor reads files."""
    assert generate(hostile, name, "pdf", by="country", title=HOSTILE[3]).startswith(b"%PDF-")


@pytest.mark.parametrize("name", NAMES)
def test_a_workspace_without_data_has_a_report_that_says_so(name: str) -> None:
    """One sentence, and nothing that is empty."""
    with regulars.open() as ws:
        for form in ("html", "md"):
            text = generate(ws, name, form).decode()
            assert "The workspace has no data yet." in text
            assert text.count("<section") + text.count("## ") == 0
        assert generate(ws, name, "pdf").startswith(b"%PDF-")


@pytest.mark.parametrize("form", ["html", "md"])
def test_days_without_data_have_a_report_that_says_which_days_have_some(small: Workspace, form: str) -> None:
    """Before the data and after them."""
    for name, (start, end) in itertools.product(NAMES, (("2025-01-01", "2025-01-31"), ("2026-02-01", "2026-02-28"))):
        made = generate(small, name, form, start=start, end=end)
        assert b"There are no data in these days: they reach from 5 Jan 2026 to 6 Jan 2026." in made


@pytest.mark.parametrize(("name", "form"), EVERY)
@pytest.mark.parametrize("hour", [12, 23])
def test_one_day_is_enough_for_a_report(name: str, form: str, hour: int) -> None:
    """Whether it is over or not; nothing is compared with what was before it."""
    with regulars.open(clock=lambda: datetime(2026, 1, 5 + hour // 23, 12, tzinfo=UTC)) as ws:
        ws.load([{"user_id": "ada", "event_type": "like", "timestamp": "2026-01-05T09:00:00Z"}])
        made = generate(ws, name, form)
    if form == "html":
        page = parsed(made.decode())
        assert not [each for each in page.iter() if (each.get("class") or "").startswith("change")]
        for section in page.iter("section"):
            words = [each for each in section.iter("p") if each.get("class") in ("finding", "reason")]
            assert section.get("class") in ("key", "how") or text_of(words[0])


def test_what_is_not_over_is_marked_and_never_compared(small: Workspace) -> None:
    """The second day is not over: its numbers carry a mark, and the quoted ones are of the day before."""
    tree = parsed(generate(small, "summary", start="2026-01-05", end="2026-01-06").decode())
    lines = {text_of(line[0]): [text_of(cell) for cell in line[1:]] for line in tree.iter("tr")}
    assert lines["6 Jan 2026"] == ["3*^", "3*^", "2*"]
    assert lines["5\N{EN DASH}11 Jan*^"][0] == "3"
    tiles = {text_of(tile.find("dt")): text_of(tile) for tile in tree.find(".//section[@class='key']/dl")}
    assert tiles["Daily active users"].endswith("2Mon 5 Jan 2026; the data begin on 5 Jan 2026")
    terms = {text_of(term) for term in tree.iter("dt")}
    assert {"*", "^", "People", "Days", "Comparisons", "Active users"} <= terms
    assert "6 Jan 2026 is not over yet" in text_of(tree.find(".//header"))


def test_an_optional_library_that_is_missing_is_named(small: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it; Markdown needs none."""
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    with pytest.raises(MissingExtraError, match=r"regulars\[report\]"):
        generate(small, "summary")
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(MissingExtraError, match=r"regulars\[pdf\]"):
        generate(small, "summary", "pdf")
    assert generate(small, "summary", "md")


def test_what_cannot_be_asked_is_refused_with_what_can(small: Workspace) -> None:
    """A report, a format, a property, a condition, a range."""
    with pytest.raises(UnknownNameError, match="did you mean 'summary'"):
        generate(small, "sumry")
    with pytest.raises(UnknownNameError, match="allowed: html, md, pdf"):
        generate(small, "summary", "docx")
    with pytest.raises(UnknownNameError, match="contri"):
        generate(small, "summary", by="contri")
    with pytest.raises(UnknownNameError, match="plam"):
        generate(small, "summary", where="plam = 'paid'")
    with pytest.raises(QueryError, match="at most 366 days"):
        generate(small, "summary", start="2024-01-01", end="2026-01-06")
    with pytest.raises(QueryError, match="starts on 2027-01-01, after its end 2026-01-05"):
        generate(small, "summary", start="2027-01-01")


def test_the_command_offers_what_the_reports_can() -> None:
    """Its lists are written out, so that its help needs no database library."""
    assert (_NAMES, _FORMATS) == (NAMES, FORMATS)


def test_the_command_writes_a_file_named_after_the_report_and_its_last_day(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into the current folder, and says so; the file's ending chooses the format."""
    monkeypatch.chdir(tmp_path)
    done = call("report", "summary", "-w", shop)
    assert done.code == 0, done.err
    written = next(tmp_path.glob("summary-2025-04-20.html"))
    assert done.out.startswith(f"wrote {written.name} (")
    assert "shop" in written.read_text()
    for name, start in (("r.md", b"# Acme: Retention"), ("r.pdf", b"%PDF-")):
        assert call("report", "retention", "-w", shop, "--output", name, "--title", "Acme", "-q").out == ""
        assert (tmp_path / name).read_bytes().startswith(start)


def test_the_command_asks_with_conditions_and_prints_to_a_pipe(shop: Path) -> None:
    """Only the free plan, by plan, in Markdown."""
    options = ("--where", "plan = 'free'", "--by", "plan", "--format", "md", "--output", "-")
    done = call("report", "conversion", "-w", shop, "--step", "login -> quiz_attempt", *options)
    assert done.code == 0, done.err
    assert "where plan = free" in done.out
    assert "login \N{RIGHTWARDS ARROW} quiz\\_attempt, within 14 days." in done.out
    assert "| plan " in done.out
    assert "| free " in done.out
    assert "| paid " not in done.out


def test_the_command_explains_what_is_wrong_in_one_line(shop: Path, tmp_path: Path) -> None:
    """Wrong usage is 2, no workspace is 3."""
    for arguments, code in (
        (("sumry",), 2), (("summary", "--format", "docx"), 2), (("summary", "--step", "login"), 2),
        (("summary", "--by", "contri"), 2), (("summary", "--start", "soon"), 2), (("conversion", "--step", "login"), 0),
    ):  # fmt: skip
        done = call("report", *arguments, "-w", shop, "--output", tmp_path / "x.html")
        assert done.code == code, done.err
        assert code == 0 or one_line(done.err)
    assert call("report", "summary", "-w", tmp_path).code == 3
    assert "a funnel has 2 to 20 steps, not 1" in (tmp_path / "x.html").read_text()


def test_a_question_of_the_page_is_one_that_every_face_takes(pages: dict[str, str]) -> None:
    """It is the JSON form of a query."""
    for page in pages.values():
        questions = json.loads(parsed(page).find(".//main").get("data-questions"))
        assert questions
        for question in questions.values():
            assert msgspec.convert(question, regulars.Query).metric
