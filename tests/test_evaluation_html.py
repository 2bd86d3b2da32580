"""The page of a report: words of strangers stay words, and a browser finds no fault."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from stance.evaluation import Report, evaluate, render_html
from stance.evaluation.faults import Training
from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("datasketch")

WILD = "<img src=http://a.example/x onerror=alert(1)></script>&amp;$x_{y}$ \"'"
LONG = "treaties_on_strategic_arms_and_their_verification"
UNBROKEN = "unbroken" * 30
SCHEMA = Schema(
    topics=tuple(Topic(name=name) for name in ("visas", LONG, "night trains", "weather", "trains")),
    stances=(
        Stance(name="negative"),
        Stance(name="cautiously favourable"),
        Stance(name="positive"),
        Stance(name="neutral", predicted=False),
    ),
)
SENTENCE = f"Rain {WILD} fell."


def wild_report(texts: int = 120) -> Report:
    """A report with every section, long names, and markup in every field of a stranger."""
    records, predictions = [], []
    stances = SCHEMA.predicted_stances
    for number in range(texts):
        text = f"{number} Ships came in. {SENTENCE} {UNBROKEN if number % 7 == 0 else 'Quiet.'}"
        start = text.index(SENTENCE)
        shown = Evidence(
            sentence=SENTENCE,
            part="text",
            start=start,
            end=start + len(SENTENCE),
            presence=1.0,
            stance=0.5,
        )
        labels, findings = [], []
        for place, topic in enumerate(SCHEMA.topic_names):
            if (number + place) % 3 == 0:
                gold = "neutral" if number % 31 == 5 else stances[(number + place) % 2 * 2]
                quotes = (SENTENCE,) if number % 2 else (f"{number} Ships came in.",)
                sure = number % 11 != 0
                labels.append(Label(topic=topic, stance=gold, evidence=quotes, sure=sure))
            found = (number * 7 + place * 3) % 10 < 5 or (number + place) % 3 == 0
            top = 0.4 + (number * 13 + place) % 50 / 100
            chosen = (number * 5 + place) % 7 % 3
            others = (1 - top) / 2
            findings.append(
                Finding(
                    topic=topic,
                    probability=min(0.99, 0.5 * found + (number * 17 + place) % 50 / 100),
                    stance=stances[chosen],
                    stance_probabilities={
                        name: top if at == chosen else others for at, name in enumerate(stances)
                    },
                    uncertain=top < 0.5,
                    evidence=(shown,) if found else (),
                )
            )
        name = f"{number}-{UNBROKEN}" if number % 9 == 0 else f"{number}{WILD}"
        records.append(
            Record(
                id=name,
                article=Article(
                    text=text,
                    title=WILD if number % 2 else None,
                    id=name,
                    extra={"source": [WILD, UNBROKEN, "wire"][number % 3]},
                ),
                labels=tuple(labels),
                kind=[WILD, "headline"][number % 2],
                pair=f"p{number // 2}",
            )
        )
        predictions.append(
            Prediction(
                id=name,
                topics=tuple(item for item in findings if item.evidence),
                below=tuple(item for item in findings if not item.evidence),
                scores={item.topic: item.probability for item in findings},
            )
        )
    report = evaluate(
        records,
        predictions,
        SCHEMA,
        resamples=50,
        about={
            "data": WILD,
            "data_digest": "ab" * 32,
            "split": UNBROKEN,
            "model": WILD,
            "model_digest": "cd" * 32,
            "thresholds": dict.fromkeys(SCHEMA.topic_names, 0.5),
            "date": "2030-01-01",
        },
        slices=["source"],
        training=Training(source=WILD, records=records[:40]),
    )
    history = ({"epoch": 1.0, "joint_f1": 0.5}, {"epoch": 2.0, "joint_f1": 0.6})
    return replace(report, history=history, promise={"promised": True, "error_bound": 0.1})


@pytest.fixture(scope="module")
def page() -> str:
    return render_html(wild_report())


class Reader(HTMLParser):
    """Collects the elements of a page and what is read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


def test_words_of_strangers_stay_words(page: str) -> None:
    reader = read(page)
    tags = [tag for tag, _ in reader.elements]
    assert tags.count("script") == 1
    assert not {"img", "iframe", "object", "embed", "form", "base"} & set(tags)
    for tag, attributes in reader.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name) or "#"
            assert target.startswith("#") or (tag, target) == ("link", "data:,"), (tag, target)
    words = "".join(reader.words)
    assert WILD in words
    assert UNBROKEN in words


def test_every_id_is_there_once_and_every_link_leads_to_one(page: str) -> None:
    elements = read(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in elements:
        target = attributes.get("href") or ""
        if target.startswith("#"):
            assert target[1:] in ids


def test_the_page_has_every_section_and_the_warnings_first(page: str) -> None:
    heads = re.findall(r'<h2 id="([a-z]+)">', page)
    assert heads == [
        "faults",
        "what",
        "topics",
        "stance",
        "calibration",
        "slices",
        "evidence",
        "pairs",
        "learning",
        "errors",
    ]
    assert page.index("letter for letter 40") < page.index('class="figures"')
    assert page.count("<svg") == 1 + 2 * len(SCHEMA.topics) + 1 + 3 + 1
    assert 'class="shown annotated"' in page


def test_an_empty_set_has_a_page() -> None:
    page = render_html(evaluate([], [], SCHEMA))
    assert "There are no texts, so every score is undefined." in page
    assert "No answer is wrong." in page
    assert '<h2 id="faults">' not in page


def test_the_same_report_is_the_same_page() -> None:
    assert render_html(wild_report(12)) == render_html(wild_report(12))


CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
WIDTHS = {"phone": 390, "desktop": 1280, "tablet": 810}
# Looks into frames of the page at three widths, from outside, since the page lets no script in.
PROBE = """<!doctype html><title>probe</title><body>
<iframe src="report.html" style="border:0;width:390px;height:900px"></iframe>
<iframe src="report.html" style="border:0;width:1280px;height:900px"></iframe>
<iframe src="report.html" style="border:0;width:810px;height:900px"></iframe>
<script>
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument, width = page.documentElement.clientWidth;
    const wide = [...page.querySelectorAll("body *")].filter((item) => {
      const box = item.getBoundingClientRect(), style = frame.contentWindow.getComputedStyle(item);
      return box.width > 1 && style.clipPath === "none" && !item.closest("thead, svg")
        && (box.right > width + 1 || box.left < -1);
    }).map((item) => item.tagName + "." + item.className + " " + item.textContent.slice(0, 40));
    const overlaps = [];
    let smallest = 100;
    for (const svg of page.querySelectorAll("svg")) {
      const texts = [...svg.querySelectorAll("text")], boxes = texts.map((item) =>
        item.getBoundingClientRect());
      const edge = svg.getBoundingClientRect();
      boxes.forEach((box, one) => {
        const size = parseFloat(frame.contentWindow.getComputedStyle(texts[one]).fontSize);
        smallest = Math.min(smallest, size * edge.width / svg.viewBox.baseVal.width);
        if (box.left < edge.left - 2 || box.right > edge.right + 2)
          overlaps.push("cut: " + texts[one].textContent);
        boxes.slice(one + 1).forEach((other, at) => {
          const across = Math.min(box.right, other.right) - Math.max(box.left, other.left);
          const down = Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top);
          if (across > 2 && down > 4)
            overlaps.push(texts[one].textContent + " / " + texts[one + 1 + at].textContent);
        });
      });
    }
    const table = page.querySelector("table.errors");
    const column = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[5].textContent));
    const button = table.tHead.rows[0].cells[5].querySelector("button");
    const before = column();
    button.click();
    const rising = column();
    button.click();
    return { width, scroll: page.documentElement.scrollWidth, wide, overlaps, smallest, before,
      rising, falling: column(), state: button.parentElement.getAttribute("aria-sort") };
  });
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
</script>"""


@pytest.fixture(scope="module")
def seen(page: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a browser says of the page: its layout, its log, and what it asked for."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "report.html").write_text(page, encoding="utf-8")
    (folder / "probe.html").write_text(PROBE, encoding="utf-8")
    net_log = folder / "net.json"
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-extensions",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--hide-scrollbars",
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
            f"--log-net-log={net_log}",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1800,1000",
            "--virtual-time-budget=10000",
            "--dump-dom",
            (folder / "probe.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    match = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-2000:]
    frames = json.loads(unescape(match[1]))
    log = json.loads(net_log.read_text(encoding="utf-8"))
    # The browser asks for things of its own, too: those name no page as their initiator.
    asked = [
        event["params"]["url"]
        for event in log["events"]
        if event.get("params", {}).get("initiator", "not an origin") != "not an origin"
    ]
    return {
        "phone": frames[0],
        "desktop": frames[1],
        "tablet": frames[2],
        "console": [line for line in done.stderr.splitlines() if "CONSOLE" in line],
        "asked": asked,
    }


@browser
@pytest.mark.parametrize("screen", ["phone", "tablet", "desktop"])
def test_nothing_overflows_or_overlaps(seen: dict[str, Any], screen: str) -> None:
    found = seen[screen]
    assert found["scroll"] <= found["width"] == WIDTHS[screen]
    assert found["wide"] == []
    assert found["overlaps"] == []
    # CSS pixels.
    assert found["smallest"] >= 8.5


@browser
def test_nothing_is_fetched_and_the_console_stays_empty(seen: dict[str, Any]) -> None:
    assert not [url for url in seen["asked"] if not url.startswith(("file:", "data:"))]
    assert seen["console"] == []


@browser
@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_the_errors_sort(seen: dict[str, Any], screen: str) -> None:
    found = seen[screen]
    assert len(found["before"]) == 50
    assert found["rising"] == sorted(found["before"])
    assert found["falling"] == sorted(found["before"], reverse=True)
    assert found["state"] == "descending"
