"""A comparison in words: its tables for the terminal, and its Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from stance.evaluation.comparison import TESTED, Comparison, Row, SliceRow, Test
from stance.evaluation.layout import UNDEFINED, Cell, Table
from stance.evaluation.markdown import facts, markdown_cell, markdown_table
from stance.evaluation.resampling import Path
from stance.evaluation.scorecard import ALL, MAIN, Score

_HEADS = {"f1": "F1", "macro_f1": "macro F1", "top_hit": "top hit"}
_VIEWS = {MAIN: "", ALL: ", all labels"}


def comparison_tables(comparison: Comparison, *, texts: int) -> list[Table]:
    """The tables: tested scores, slices, other scores, and `texts` of the texts.

    Differences stand in words, since a cell that is a score runs from 0 to 1.
    """
    tables = []
    several = len(comparison.names) > 2
    for place, name in enumerate(comparison.names[1:], 1):
        title = f"{name} against {comparison.names[0]}" if several else "Scores"
        tables.append(_tested(comparison, place, title))
    for place, name in enumerate(comparison.names[1:], 1):
        title = f"Slices, joint F1: {name}" if several else "Slices, joint F1"
        if comparison.slices:
            tables.append(_slices(comparison, place, title))
    tables.append(_details(comparison))
    if comparison.splits and texts:
        tables.append(_texts(comparison, texts))
    return tables


def render_comparison(comparison: Comparison, *, texts: int) -> str:
    """The comparison as Markdown."""
    lines = [f"# {heading(comparison)}", "", f"`{comparison.signature}`", ""]
    about = {"compared on": comparison.about.get("data", ""), **comparison.about}
    about.pop("data", None)
    lines += [f"- {markdown_cell(key)}: {markdown_cell(words)}" for key, words in facts(about)]
    for name in comparison.names:
        own = ", ".join(f"{key} {words}" for key, words in facts(comparison.contenders[name]))
        lines.append(f"- {markdown_cell(name)}: {markdown_cell(own)}")
    lines += ["", *verdicts(comparison), "", method_words(comparison), ""]
    if comparison.notes:
        lines += ["## Notes", "", *(f"- {markdown_cell(note)}" for note in comparison.notes), ""]
    for table in comparison_tables(comparison, texts=texts):
        lines += markdown_table(table)
    return "\n".join(lines)


def heading(comparison: Comparison) -> str:
    """What is compared with what."""
    first, *others = comparison.names
    return f"{' and '.join(others)} against {first}"


def verdicts(comparison: Comparison) -> list[str]:
    """One sentence for each contender but the first: on which scores it is better or worse."""
    sentences = []
    for place, name in enumerate(comparison.names[1:]):
        better: list[str] = []
        worse: list[str] = []
        for row in comparison.rows:
            if row.tests and row.tests[place].sure:
                up = (row.differences[place].value or 0) > 0
                (better if up else worse).append(TESTED[row.path])
        parts = [
            f"{word} on {'; '.join(found)}"
            for word, found in (("better", better), ("worse", worse))
            if found
        ]
        if not comparison.resamples:
            words = "not tested"
        else:
            words = "; and ".join(parts) or "no difference that chance would not make"
        sentences.append(f"{name} against {comparison.names[0]}: {words}.")
    return sentences


def method_words(comparison: Comparison, *, where: str = "In parentheses") -> str:
    """What intervals and tests are, and where the intervals stand."""
    if not comparison.resamples:
        return "No intervals were computed and no tests done."
    return (
        f"{where} 95 % intervals: percentiles over {comparison.resamples:,} bootstrap "
        "samples of the texts, the same samples for all, so that differences are paired. Yes-or-no "
        "scores of whole texts are tested by McNemar's exact test, the others by approximate "
        f"randomisation with {comparison.resamples:,} permutations; p is two-sided and corrected "
        "after Holm for all tests of the scores, and for all tests of the slices."
    )


def difference_words(score: Score) -> str:
    """A difference with its sign: `+0.021 (+0.004 to +0.039)`."""
    if score.value is None:
        return UNDEFINED
    words = f"{score.value:+.3f}"
    if score.low is None or score.high is None:
        return words
    return f"{words} ({score.low:+.3f} to {score.high:+.3f})"


def p_words(p: float) -> str:
    """A p value to three places; never 0."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def winner(row: Row, place: int, names: Sequence[str]) -> str:
    """Who is better by the test, or that nobody surely is.

    Args:
        row: The scores.
        place: Which of the contenders but the first, from 0.
        names: Of all contenders.
    """
    if not row.tests:
        return ""
    if not row.tests[place].sure:
        return "no clear difference"
    return names[place + 1] if (row.differences[place].value or 0) > 0 else names[0]


def test_words(test: Test) -> str:
    """Which test, with the counts of McNemar's."""
    if test.only_first is None:
        return test.name
    return f"{test.name}: {test.only_first:,} against {test.only_other:,} texts"


def score_name(path: Path) -> str:
    """The name of a score in words, such as `topics, visas: F1`."""
    view, *rest = path
    words = [word for word in rest if word not in ("each", "topics")]
    last = _HEADS.get(words[-1], words[-1].replace("_", " "))
    head = ", ".join(["topics", *words[:-1]] if view == "topics" else words[:-1])
    return f"{head}: {last}{_VIEWS.get(view, '')}"


def _tested(comparison: Comparison, place: int, title: str) -> Table:
    names = (comparison.names[0], comparison.names[place])
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.rows:
        cells: list[Cell] = [TESTED[row.path], row.scores[0], row.scores[place]]
        cells.append(difference_words(row.differences[place - 1]))
        if row.tests:
            test = row.tests[place - 1]
            cells += [p_words(test.corrected), winner(row, place - 1, comparison.names)]
        rows.append(tuple(cells))
    columns: tuple[str, ...] = ("score", *names, "difference")
    if comparison.resamples:
        columns += ("p, corrected", "better")
    return Table(title=title, columns=columns, rows=tuple(rows))


def _slices(comparison: Comparison, place: int, title: str) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            f"{item.field}: {item.value}",
            f"{item.texts:,}",
            item.row.scores[0],
            item.row.scores[place],
            difference_words(item.row.differences[place - 1]),
            slice_verdict(item, place - 1, comparison.names),
        )
        for item in comparison.slices
    ]
    columns = ("slice", "texts", comparison.names[0], comparison.names[place], "difference")
    return Table(title=title, columns=(*columns, "better"), rows=tuple(rows))


def slice_verdict(item: SliceRow, place: int, names: Sequence[str]) -> str:
    """Who is better on a slice; a small one is not tested."""
    return winner(item.row, place, names) if item.row.tests else "not tested"


def _details(comparison: Comparison) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (score_name(row.path), *row.scores, *map(difference_words, row.differences))
        for row in comparison.details
        if any(score.value is not None for score in row.scores)
    ]
    heads = [f"{name}, difference" for name in comparison.names[1:]]
    if len(heads) == 1:
        heads = ["difference"]
    columns = ("score", *comparison.names, *heads)
    return Table(title="All other scores", columns=columns, rows=tuple(rows), detail=True)


def _texts(comparison: Comparison, texts: int) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            item.id,
            item.labelled,
            *(
                f"{answer}{'' if right else ' (wrong)'}"
                for answer, right in zip(item.answers, item.right, strict=True)
            ),
            item.text,
        )
        for item in comparison.splits[:texts]
    ]
    title = f"Texts that not all are right on: {len(rows):,} of {len(comparison.splits):,}"
    columns = ("id", "labelled", *comparison.names, "text")
    return Table(title=title, columns=columns, rows=tuple(rows), detail=True)
