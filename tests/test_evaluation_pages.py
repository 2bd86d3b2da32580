"""The frame of every HTML page: escaped words, a policy that fits, figures apart."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import xml.etree.ElementTree as Tree
from typing import TYPE_CHECKING

import pytest

from stance.errors import MissingExtraError
from stance.evaluation import pages
from stance.evaluation.figures import draw_svg
from stance.evaluation.layout import Table
from stance.evaluation.scorecard import Score

jinja2 = pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WILD = '<script>alert(\'1\')</script> & "$x$" id="y"'


def macro(name: str, *arguments: object) -> str:
    module = pages._environment().get_template("parts.html").module
    return str(getattr(module, name)(*arguments))


def test_a_page_runs_its_own_script_and_no_other() -> None:
    page = pages.render_page("page.html", title=WILD)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1] == (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )
    assert page.count("&lt;script&gt;alert(") == 2
    assert not re.search(r"(src|href)=\"?(?!data:)[a-z]+:", page)


def test_a_template_must_be_given_all_it_names() -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages._environment().from_string("{{ nothing }}").render()


def test_a_score_is_a_number_with_a_bar() -> None:
    words = macro("score", Score(value=0.5, low=0.25, high=0.625))
    assert "<b>0.500</b>" in words
    assert "--value:50.00;--low:25.00;--high:62.50;" in words
    assert "<small>0.250 to 0.625</small>" in words
    assert "small" not in macro("score", Score(value=0.5))
    assert macro("score", Score(value=None)).strip() == '<span class="none">n/a</span>'


def test_a_difference_has_its_zero_in_the_middle() -> None:
    words = macro("difference", Score(value=-0.05, low=-0.3, high=0.1), 0.2)
    assert "<b>-0.050</b>" in words
    assert "--value:37.50;--low:0.00;--high:75.00;--zero:50.00" in words


def test_a_table_keeps_its_words_and_sorts_by_values() -> None:
    rows = ((WILD, Score(value=0.5, low=0.4, high=0.6), "1,200"), ("b", Score(value=None), ""))
    words = macro("table", Table(title=WILD, columns=("a", WILD, "n"), rows=rows), True)
    assert "<script" not in words
    tree = Tree.fromstring(words)
    assert tree.attrib == {"class": "sortable narrow"}
    cells = tree.findall(".//td")
    assert cells[0].attrib == {"data-label": WILD, "data-sort": "0.500000"}
    assert cells[1].attrib == {"data-label": "n", "class": "number"}
    assert cells[2].get("data-sort") == ""
    heads = tree.findall(".//thead/tr/th")
    assert [head.get("class") for head in heads] == [None, None, "number"]


def line(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], marker="o", label=WILD)
    axes.set_ylim(0, 0.5)
    axes.legend()


def test_a_figure_has_no_id_of_another_and_keeps_its_words() -> None:
    one, again, other = (draw_svg(line, name=name, words=WILD) for name in ("one", "one", "other"))
    assert one == again
    ids = [{element.get("id") for element in Tree.fromstring(svg).iter()} for svg in (one, other)]
    assert len(ids[0]) > 1
    assert ids[0] & ids[1] == {None}
    tree = Tree.fromstring(one)
    assert tree.get("aria-label") == WILD
    assert tree.get("viewBox")
    assert tree.get("width") is None
    assert WILD in "".join(tree.itertext())
    used = re.findall(r'(?:url\(|href=")#([^")]*)', one)
    assert used
    assert set(used) <= {element.get("id") for element in tree.iter()}


@pytest.mark.parametrize("library", ["jinja2", "matplotlib"])
def test_a_missing_library_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(pages, "_environment", pages._environment.__wrapped__)
    needs = {
        "jinja2": lambda: pages.render_page("page.html", title=""),
        "matplotlib": lambda: draw_svg(line, name="one", words=""),
    }
    with pytest.raises(MissingExtraError, match=r'extra "report" \(\w+ is not installed\)'):
        needs[library]()
