"""The page in a browser: sizes, light and dark, print, scripts off, hover, zoom, downloads."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dlcc.evaluation import Evaluation
from dlcc.records import HealthRecord
from dlcc.report.page import html
from tests.report.page.small_graph import DOSSIER, GRAPH
from tests.report.test_sections import FORECAST, NEIGHBOURHOOD, RERUNS

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
SIZES = {"desk": (1280, 800), "phone": (390, 844), "wide": (3840, 2160)}


@pytest.fixture(scope="module")
def address(evaluated: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Page of the collapsed example with every section filled."""
    file = tmp_path_factory.mktemp("page") / "report.html"
    text = html.render(
        evaluated.report,
        evaluated.evaluated_run,
        evaluated.record(HealthRecord),
        forecast=FORECAST,
        neighbourhood=NEIGHBOURHOOD,
        reruns=RERUNS,
        landscape=evaluated.measured_landscape,
        graph=GRAPH,
        dossier=DOSSIER,
    )
    file.write_text(text, encoding="utf-8")
    return file.as_uri()


def opened(browser: Any, address: str, size: str = "desk", **options: Any) -> Any:
    """Page at a size; what it asks for from outside, and its errors, end the test."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    page.troubles = []
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.troubles.append(m.text))
    page.on(
        "request",
        lambda r: r.url.startswith(("file:", "data:", "blob:")) or page.troubles.append(r.url),
    )
    page.goto(address)
    return page


def drawn(page: Any) -> Any:
    """Scroll through the page until every chart that can be seen is drawn."""
    for figure in page.query_selector_all("figure.chart"):
        if figure.is_visible():
            figure.scroll_into_view_if_needed()
            page.wait_for_selector(f"#{figure.get_attribute('id')}.alive")
    for walk in page.query_selector_all("#walk"):  # a page of many runs has none
        walk.scroll_into_view_if_needed()
        page.wait_for_selector("#walk.alive")
    page.evaluate("scrollTo(0, 0)")
    return page


def holds(page: Any, expression: str) -> None:
    """Wait until an expression is true.

    `wait_for_function` polls by an `eval` within the page, which the page's policy refuses.
    """
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_is_wider_than_the_screen_or_too_small_to_read(
    browser: Any, address: str, size: str, scheme: str
) -> None:
    page = drawn(opened(browser, address, size, color_scheme=scheme))
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    small = page.evaluate(
        """() => [...document.querySelectorAll("body *")].filter((e) =>
          [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.offsetParent &&
          parseFloat(getComputedStyle(e).fontSize) < 10).map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert small == []
    assert page.troubles == []


@pytest.mark.parametrize(
    ("size", "scheme"),
    [
        ("desk", "dark"),
        ("phone", "light"),
        pytest.param("desk", "light", marks=pytest.mark.slow),
        pytest.param("phone", "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_no_violation(browser: Any, address: str, size: str, scheme: str) -> None:
    page = drawn(opened(browser, address, size, color_scheme=scheme))
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    drawn(page)
    # what is scrolled out of a table's frame has no ground to be held against
    page.add_style_tag(content=".scroll { overflow: visible !important; }")
    found = axe.Axe().run(page)
    said = [
        (v["id"], v["impact"], [n["html"][:120] for n in v["nodes"]][:3])
        for v in found.response["violations"]
    ]
    assert said == []
    undecided = [
        (v["id"], n["html"][:120], n["any"][0]["message"][:120] if n["any"] else "")
        for v in found.response["incomplete"]
        for n in v["nodes"]
    ]
    assert undecided == []


def test_the_first_screen_holds_verdict_samples_health_and_answers(
    browser: Any, address: str
) -> None:
    page = opened(browser, address)
    # wherever the run lies, its path takes one line
    page.evaluate(
        "for (const c of document.querySelectorAll('.actions code')) c.append('/x'.repeat(99))"
    )
    for found in ("h1", ".scale", ".actions", ".specimens img", "#fig-health", ".answers"):
        box = page.query_selector(found).bounding_box()
        assert box["y"] + box["height"] <= 805, found


def test_without_scripts_everything_is_drawn(browser: Any, address: str) -> None:
    page = opened(browser, address, java_script_enabled=False)
    for figure in page.query_selector_all("figure.chart"):
        if figure.is_visible():
            assert figure.query_selector(".plot svg path").bounding_box()["width"] > 0
            assert figure.query_selector(".legend").is_visible()
    assert not page.query_selector_all("button")


def test_print_shows_the_still_drawings(browser: Any, address: str) -> None:
    page = drawn(opened(browser, address))
    page.emulate_media(media="print")
    assert page.query_selector("#fig-health .drawing").is_visible()
    assert not page.query_selector("nav").is_visible()
    assert not page.query_selector("#fig-health .live").is_visible()
    assert len(page.pdf()) > 20_000


def test_hover_tells_the_values_and_all_charts_of_steps_follow(browser: Any, address: str) -> None:
    page = drawn(opened(browser, address))
    page.query_selector("#fig-series-loss").scroll_into_view_if_needed()
    page.hover("#fig-series-loss .u-over")
    own = page.inner_text("#fig-series-loss .u-legend")
    assert "(" in own
    assert "-" not in own.split("discriminator")[1][:4]
    step = page.inner_text("#fig-series-loss .u-legend .u-value >> nth=0")
    other = page.inner_text("#fig-series-grad-norm .u-legend .u-value >> nth=0")
    assert step == other != "-"


def test_a_drag_zooms_and_the_button_undoes_it(browser: Any, address: str) -> None:
    page = drawn(opened(browser, address))
    page.query_selector("#fig-series-loss").scroll_into_view_if_needed()
    box = page.query_selector("#fig-series-loss .u-over").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.4 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], middle, steps=5)
    page.mouse.up()
    back = page.query_selector("#fig-series-loss .unzoom")
    assert back.is_visible()
    back.click()
    assert not page.query_selector("#fig-series-loss .unzoom").is_visible()


def test_the_scale_can_be_logarithmic(browser: Any, address: str) -> None:
    page = drawn(opened(browser, address))
    button = page.query_selector("#fig-series-grad-norm .log")
    before = button.get_attribute("aria-pressed")
    button.click()
    assert button.get_attribute("aria-pressed") != before
    assert page.troubles == []


def saved(page: Any, selector: str) -> tuple[str, bytes]:
    with page.expect_download() as waiting:
        page.click(selector)
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_downloads_hold_the_right_numbers(
    browser: Any, address: str, evaluated: Evaluation
) -> None:
    page = drawn(opened(browser, address, accept_downloads=True))
    name, content = saved(page, "#fig-health .save-csv")
    assert name == "health.csv"
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    health = evaluated.record(HealthRecord)
    assert health is not None
    covered = [float(r["share"]) for r in rows if r["series"] == "coverage of the real data"]
    assert covered == pytest.approx(list(health.coverage), abs=1e-4)
    assert [int(r["step"]) for r in rows][: len(covered)] == list(health.checkpoints)
    name, content = saved(page, "#fig-health .save-svg")
    texts = [
        e.text for e in ElementTree.fromstring(content).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert "Health over time" in texts
    assert "coverage of the real data" in texts
    page.click("#fig-health .log")
    page.wait_for_selector("#fig-health .log[aria-pressed=true]")
    logarithmic = saved(page, "#fig-health .save-svg")[1]
    assert logarithmic != content
    page.click("#fig-health .log")
    name, content = saved(page, "#fig-health .save-png")
    assert content.startswith(b"\x89PNG")
    name, content = saved(page, ".save-report")
    assert json.loads(content) == json.loads(evaluated.report.to_json())
    assert page.troubles == []


def test_a_link_to_what_is_folded_unfolds_it(browser: Any, address: str) -> None:
    page = opened(browser, f"{address}#fig-series-fake")
    page.wait_for_selector("#all-series[open]")
    assert page.query_selector("#fig-series-fake").is_visible()


def test_the_colours_of_the_paper_are_a_choice(browser: Any, address: str) -> None:
    page = drawn(opened(browser, address))
    read = "getComputedStyle(document.documentElement).getPropertyValue('--fifth1')"
    before = page.evaluate(read)
    page.check("#paper-colours")
    assert page.evaluate(read) != before


def test_colours_of_series_hold_three_to_one_against_both_grounds(
    browser: Any, address: str
) -> None:
    page = opened(browser, address)
    names = [f"c{k}" for k in range(1, 7)] + [f"fifth{k}" for k in range(1, 6)]
    names += ["healthy", "weak", "oscillating", "collapsed"]
    read = "n => getComputedStyle(document.documentElement).getPropertyValue('--' + n).trim()"
    for ground in ("#ffffff", "#15171c"):
        for name in names:
            assert contrast(page.evaluate(read, name), ground) >= 3, (name, ground)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours by WCAG 2.1."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
