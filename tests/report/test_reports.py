"""What every report format says, and that untrusted text stays text in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from paydrill.report.html import html
from paydrill.report.junit import junit
from paydrill.report.markdown import markdown
from paydrill.report.terminal import terminal
from paydrill.report.traffic import traffic_line
from paydrill.verdict import LoadResult

ALL = [html, junit, markdown, terminal]
WORDS = ("pass", "fail", "inconclusive", "not_run")
VOID = {"meta", "br", "img", "link", "input", "hr"}
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Page(HTMLParser):
    """Collects tags and attributes, and checks that tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        self.words.append(data)


@pytest.mark.parametrize("render", ALL)
@pytest.mark.parametrize("word", WORDS)
def test_every_report_says_the_verdict_and_the_scenario(render, word, make):
    text = render(make(word))
    assert word in text.lower()
    assert "psp-response-lost" in text


@pytest.mark.parametrize("render", ALL)
def test_hostile_text_brings_no_control_characters(render, hostile):
    assert CONTROL.findall(render(hostile)) == []


# -- html


def test_html_is_well_formed_and_hostile_text_makes_no_tag(hostile, make):
    page, calm = Page(html(hostile)), Page(html(make("fail")))
    assert page.open == []
    assert page.tags == calm.tags
    assert not {"script", "img", "iframe", "object", "link", "a", "form"} & set(page.tags)


def test_html_has_no_event_handler_no_inline_style_and_no_address(hostile):
    text = html(hostile)
    page = Page(text)
    names = {name for _, name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not {"src", "href", "style", "action", "srcset"} & names
    assert not re.search(r"url\(|@import", text)
    assert not re.search(r"https?://", text)


def test_html_allows_nothing_but_its_own_style(make):
    import base64
    import hashlib

    text = html(make("pass"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_html_tells_the_story_of_a_broken_order(make):
    page = Page(html(make("fail")))
    words = " ".join(page.words)
    assert "PSP capture 4998 USD" in words
    assert "(decides)" in words
    assert "49.98 USD" in words


def test_html_draws_the_faults_over_the_load(make):
    text = html(make("fail"))
    assert text.count('<rect class="band') == 2
    assert '<rect class="band unseen"' in text
    assert "kill (not witnessed)" in text
    assert 'class="ok-line"' in text and 'class="p99-line"' in text


def test_html_of_thousands_of_findings_stays_small(make):
    text = html(make("fail", "x" * 5000, findings=3000))
    assert len(text.encode()) < 300_000
    assert "and 2990 more broken orders" in text


def test_html_of_a_run_without_load_says_so(make):
    from dataclasses import replace

    from paydrill.report.series import Series

    report = replace(make("inconclusive"), series=Series(1.0, 0.0, (), ()))
    text = html(report)
    assert "No load was recorded" in text
    assert Page(text).open == []


# -- traffic classes


def test_every_report_tells_the_traffic_in_a_line(make):
    told = "398 of 400 arrivals of 2 traffic classes ended as declared; never tried what it is for: hot_sku"
    assert f"traffic: {told}; not offered by the target: challenge" in terminal(make("pass"))
    assert "Traffic: 398 of 400 arrivals" in markdown(make("pass"))


def test_html_has_a_row_for_every_traffic_class(make):
    text = html(make("pass"))
    assert "2 traffic classes" in text
    assert '<code>hot_sku</code></td><td class="num">100</td><td class="num">100</td>' in text
    assert "Left out, because the target does not offer it: <code>challenge</code>" in text


def test_a_run_without_traffic_has_no_line_of_it():
    assert traffic_line(LoadResult()) == ""


# -- junit


def test_junit_has_one_case_for_every_check_with_its_outcome(make):
    root = ElementTree.fromstring(junit(make("fail")).encode())
    cases = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert cases == {
        "I-01 no standing double charge": ["failure"],
        "I-04 psp-response-lost": ["error"],
        "I-28 outbox complete": ["skipped"],
        "load_ran": [],
        "windows_hit": ["error"],
        "availability": [],
        "p99_ms": ["failure"],
    }
    suite = root.find("testsuite")
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "7", "failures": "2", "errors": "2", "skipped": "1"}


def test_junit_with_hostile_names_is_well_formed_and_keeps_them_as_text(hostile):
    root = ElementTree.fromstring(junit(hostile).encode())
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "error", "skipped",
    }  # fmt: skip
    assert "<script>alert(1)</script>" in root.find("testsuite").get("name")


def test_junit_tells_a_crash_of_the_judging(make):
    from dataclasses import replace

    from paydrill.verdict import Reason

    report = make("pass", findings=0)
    crash = Reason("checker_crashed", "the SLOs could not be judged: KeyError")
    verdict = replace(
        report.verdict, verdict="inconclusive", reasons=(crash,), invariants=(), guards=(), slos=()
    )
    root = ElementTree.fromstring(junit(replace(report, verdict=verdict)).encode())
    assert [(case.get("name"), case[0].tag) for case in root.iter("testcase")] == [("judging", "error")]


# -- markdown


def test_markdown_is_short_and_names_the_worst(make):
    text = markdown(make("fail", findings=50))
    assert len(text.splitlines()) < 50
    assert "Money at risk" in text and "and 42 more" in text


def test_markdown_cannot_be_broken_out_of(hostile):
    text = markdown(hostile)
    assert "<" not in text.replace("&#60;", "")
    assert "@all" not in text and "](" not in text and "://" not in text.replace("&#58;//", "")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {5}


# -- terminal


def test_terminal_without_a_tty_is_plain_and_unwrapped(make):
    text = terminal(make("fail", findings=7))
    assert "\x1b" not in text
    assert text.startswith("FAIL  psp-response-lost on lb-2 (local, seed 7")
    assert "money at risk: 1,000 JPY + 99.96 USD in 7 broken orders" in text
    assert "and 4 more" in text
    assert text.rstrip().endswith("report: /tmp/reports/run/report.html")


def test_terminal_says_why_nothing_was_proven(make):
    from dataclasses import replace

    from paydrill.verdict import Reason

    report = make("inconclusive", findings=0)
    verdict = replace(report.verdict, reasons=(Reason("window_missed", "windows_hit: hit 2 times"),))
    text = terminal(replace(report, verdict=verdict, money=()))
    assert "window_missed  windows_hit: hit 2 times" in text
    assert "money at risk" not in text


def test_terminal_colours_only_what_it_writes_itself(hostile):
    text = terminal(hostile, colour=True)
    assert "\x1b[" in text
    assert "\x1b[31m\x00" not in text
    assert "[31m" not in re.sub(r"\x1b\[[0-9;]*m", "", text).replace("�[31m", "")
