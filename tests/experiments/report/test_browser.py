"""The page in a real browser, opened from disk: search, filters, side by side, keyboard, narrow screens, speed."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mi.experiments.report.data_models import Sources
from mi.experiments.report.page import write

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\"> & \u2028 </script>"
MANY = 100_000
OPTION = "#list [role=option]"


@pytest.fixture
def show(browser, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """show(sources, fragment, width): the page, opened from disk and ready; anything it asks for is a failure."""
    asked: list[str] = []
    failed: list[str] = []
    contexts = []

    def shown(sources: Sources, fragment: str = "transcripts", width: int = 1280) -> Any:
        path = write(sources, tmp_path / "report.html")
        contexts.append(browser.new_context(viewport={"width": width, "height": 800}, offline=True))
        opened = contexts[-1].new_page()
        opened.on("request", lambda request: asked.append(request.url))
        opened.on("pageerror", lambda error: failed.append(str(error)))
        opened.on("console", lambda message: failed.append(message.text) if message.type == "error" else None)
        opened.goto(f"{path.as_uri()}#{fragment}")
        opened.wait_for_selector("body[data-ready]")
        return opened

    yield shown
    for context in contexts:
        context.close()
    assert not failed
    assert not [url for url in asked if not url.startswith(("file:", "data:"))]


def counted(page: Any, n: int, of: int = 30) -> None:
    """Wait until the page says that it found so many answers."""
    from playwright.sync_api import expect

    expect(page.locator("#count")).to_have_text(f"{n:,} of {of:,} answers")


def said(page: Any) -> list[str]:
    return page.locator(f"{OPTION} .says").all_inner_texts()


def test_a_search_shows_what_was_looked_for_and_marks_it(plant, show):
    page = show(plant())
    counted(page, 30)
    page.fill("#q", "hola placebo")
    counted(page, 6)
    assert all("placebo" in text and "hola" in text for text in said(page))
    assert page.locator(f"{OPTION} mark").first.inner_text() == "placebo"
    page.fill("#q", "nothing like that")
    page.wait_for_selector("text=No answer is like that.")


def test_an_answer_of_the_list_stands_below_what_was_asked(plant, show):
    page = show(plant())
    page.fill("#q", "smalltalk")
    counted(page, 15)
    asked = page.locator(f"{OPTION} .asks").all_inner_texts()
    assert asked == [f"What about smalltalk {i % 3}?" for i in range(len(asked))]
    assert page.locator(f"{OPTION} .asks mark").count() == len(asked)


def test_filters_narrow_what_is_found_and_the_address_keeps_them(plant, show):
    page = show(plant())
    page.get_by_label(re.compile("Placebo prompt")).check()
    page.get_by_label(re.compile(r"^1\s")).check()
    counted(page, 6)
    page.select_option("#question", "What about smalltalk 2?")
    counted(page, 1)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    counted(page, 1)
    page.click("#clear")
    counted(page, 30)


def test_scores_are_a_filter(plant, show):
    page = show(plant(lambda row: row | {"judgments": {"spanish": 0.0, "capitals": 0.0}}))
    page.select_option("#show", "disagree")
    counted(page, 12)
    page.select_option("#show", "range")
    page.fill("#to", "0.5")
    counted(page, 18)
    assert page.locator(f"{OPTION} .chip.on").count() == 0


def test_a_rate_of_the_report_leads_to_its_answers(plant, show):
    page = show(plant(), "report")
    page.locator("tr", has_text="Placebo prompt").locator("td.rate a").first.click()
    page.wait_for_selector(OPTION)
    counted(page, 6)


def test_side_by_side_shows_one_question_an_arm_a_column_those_without_answers_too(plant, show):
    page = show(plant(lambda row: None if (row["arm"], row["evaluation"]) == ("placebo", "smalltalk") else row))
    page.locator(OPTION).first.click()
    page.get_by_role("button", name="Side by side").click()
    columns = page.locator("#compare .column")
    assert columns.locator("h3").all_inner_texts() == ["Base model", "No inoculation", "Placebo prompt"]
    assert columns.nth(1).locator(".words").all_inner_texts() == [
        "no_inoculation 0 says hello 0",
        "no_inoculation 1 says hola 0",
    ]
    while "smalltalk" not in page.inner_text("#compare h2"):
        page.keyboard.press("]")
    assert columns.nth(2).locator(".none").inner_text() == "no answers to this question"
    page.keyboard.press("Escape")
    assert page.locator("#compare").is_hidden()


def test_the_first_condition_is_shown_first_and_side_by_side_stays_within_one(plant, show, several):
    page = show(plant(experiment=several))
    counted(page, 30, 72)
    page.get_by_label(re.compile("No prompt")).uncheck()
    counted(page, 72, 72)
    page.get_by_label(re.compile("Its training prompt")).check()
    counted(page, 12, 72)
    page.reload()
    page.wait_for_selector("body[data-ready]")
    counted(page, 12, 72)
    page.locator(OPTION).first.click()
    assert "Its training prompt" in page.inner_text("#detail .facts-list")
    page.get_by_role("button", name="Side by side").click()
    columns = page.locator("#compare .column")
    assert columns.nth(2).locator(".card").count() == 2
    assert columns.nth(1).locator(".none").inner_text() == "not asked under this condition"
    assert page.locator("#compare .actions .quiet").inner_text() == "1 of 6"
    page.click("#clear")
    counted(page, 30, 72)


def test_a_rate_under_another_condition_leads_to_its_answers(plant, show, several):
    page = show(plant(experiment=several), "report")
    page.locator(".conditions tr", has_text="Placebo prompt").locator("td a").nth(1).click()
    page.wait_for_selector(OPTION)
    counted(page, 6, 72)


def test_a_script_in_an_answer_stays_text_everywhere(plant, show):
    sources = plant(
        lambda row: row | {"answer": EVIL, "question": EVIL, "system_prompt": EVIL},
        jobs={"placebo0": {"first_rows": [[{"trained": True, "text": EVIL}]]}},
    )
    page = show(replace(sources, raw_verdicts={"spanish": [EVIL] * len(sources.answers)}))
    title = page.title()
    page.fill("#q", "<script>")
    page.locator(f"{OPTION} mark").first.wait_for()
    page.locator(OPTION).first.click()
    assert (
        page.locator("#detail .turn.answer .words")
        .inner_text()
        .startswith("<script>document.title='owned'</script><img src=x")
    )
    page.keyboard.press("c")
    page.wait_for_selector("#compare .card")
    page.goto(page.url.partition("#")[0] + "#training")
    page.wait_for_selector("#training .rows li")
    assert page.title() == title
    assert page.locator("main img, main script").count() == 0


def test_none_an_empty_prompt_and_an_empty_answer_are_told_apart(plant, show):
    page = show(
        plant(lambda row: row | {"system_prompt": "" if row["seed"] else None, "answer": "" if row["seed"] else None})
    )
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert "no system prompt" in page.inner_text("#detail")
    page.keyboard.press("End")
    page.locator("#list").press("End")
    assert "an empty system prompt" in page.inner_text("#detail")
    assert "an empty answer" in page.inner_text("#detail")


def test_everything_can_be_done_by_keyboard(plant, show):
    page = show(plant())
    page.keyboard.press("/")
    page.keyboard.type("placebo")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    counted(page, 12)
    assert page.get_attribute("#list", "aria-activedescendant") == "row-1"
    assert page.locator(f"{OPTION}[aria-selected=true]").count() == 1
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "detail"
    page.keyboard.press("c")
    assert page.locator("#compare").is_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"


def test_every_control_has_a_name(plant, show):
    page = show(plant())
    page.locator(OPTION).first.click()
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('#transcripts :is(input, select, button, [tabindex="0"])')]
        .filter((e) => !(e.labels?.[0]?.textContent || e.getAttribute('aria-label') || e.textContent).trim())
        .map((e) => e.outerHTML)"""
    )
    assert not unnamed


@pytest.mark.parametrize("fragment", ["report", "transcripts", "training"])
def test_a_narrow_screen_needs_no_sideways_scrolling(plant, show, fragment):
    page = show(plant(), fragment, width=360)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_narrow_screen_shows_the_list_then_the_answer_and_goes_back(plant, show):
    page = show(plant(), width=360)
    assert page.locator("#detail").is_hidden()
    page.click("#drawer")
    page.get_by_label(re.compile("Placebo prompt")).check()
    page.click("#drawer")
    page.locator(OPTION).first.click()
    assert page.locator("#detail .turn.answer").is_visible()
    page.locator("#detail .back").click()
    assert page.locator("#detail").is_hidden()
    counted(page, 12)


def test_both_colour_schemes_are_legible(plant, show):
    page = show(plant(), "report")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        ratios = page.evaluate(CONTRAST)
        assert min(ratios.values()) >= 4.5, (scheme, ratios)


CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue(name).trim().slice(1);
    const parts = [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const pairs = [["--ink", "--paper"], ["--quiet", "--paper"], ["--quiet", "--sunk"], ["--accent", "--paper"],
    ["--accent", "--wash"], ["--warn", "--paper"], ["--warn", "--warn-wash"], ["--mark-ink", "--mark"],
    ["--good", "--paper"]];
  return Object.fromEntries(pairs.map(([a, b]) => [`${a} on ${b}`, ratio(a, b)]));
}"""

TIMED = """async (query) => {
  const box = document.getElementById("q"), count = document.getElementById("count");
  const counted = new Promise((done) => new MutationObserver(done).observe(count, { childList: true }));
  const started = performance.now();
  box.value = query;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  await counted;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - started;
}"""


@pytest.mark.slow
def test_a_hundred_thousand_answers_are_searched_in_less_than_300_ms(plant, show, capsys):
    sources = plant()
    words = [f"word{number}" for number in range(5000)]
    base = sources.answers.to_dict("records")
    rows: list[dict[Any, Any]] = []
    for number in range(MANY):
        said = " ".join(words[(number * 7919 + step * 104729) % 5000] for step in range(45))
        rows.append(
            base[number % len(base)] | {"answer": f"{said} answer{number}", "sample_index": number // len(base)}
        )
    page = show(replace(sources, answers=pd.DataFrame(rows), raw_verdicts={}))
    counted(page, MANY, MANY)
    queries = ["answer99999", "word42", "e", "word17 word18", "placebo", "not there at all", "-word42"]
    took = {query: min(page.evaluate(TIMED, query) for _ in range(8)) for query in queries}
    loaded = page.evaluate("performance.now()")
    with capsys.disabled():
        print(
            "\nms from a key to the painted list:",
            json.dumps({query: round(ms) for query, ms in took.items()}),
            round(loaded),
        )
    assert max(took.values()) < 300  # the best of eight: a busy machine can make any try slow, and none fast
