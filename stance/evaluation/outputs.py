"""Reports into their folders: JSON, Markdown, and HTML where its libraries are installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stance.errors import MissingExtraError
from stance.evaluation.comparison import Comparison
from stance.evaluation.comparison_html import render_comparison_html
from stance.evaluation.comparison_words import render_comparison
from stance.evaluation.html import render_html
from stance.evaluation.markdown import render_markdown
from stance.evaluation.report import Report
from stance.files import write_texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written.

    Attributes:
        files: The files.
        left_out: Why there is no page, and what to do about it; empty if there is one.
    """

    files: tuple[Path, ...]
    left_out: str = ""


def write_report(report: Report, folder: str | Path) -> Written:
    """Write `report.json`, `report.md` and `report.html`, each whole or not at all.

    Args:
        report: What to write.
        folder: Where to; made if need be.

    Raises:
        StanceError: If they cannot be written.
    """
    return _write(
        Path(folder),
        "report",
        data=report.to_dict(),
        markdown=render_markdown(report),
        page=lambda: render_html(report),
    )


def write_comparison(comparison: Comparison, folder: str | Path, *, texts: int) -> Written:
    """Write `compare.json`, `compare.md` and `compare.html`, each whole or not at all.

    Args:
        comparison: What to write.
        folder: Where to; made if need be.
        texts: How many of the texts that not all are right on Markdown and page list.

    Raises:
        StanceError: If they cannot be written.
    """
    return _write(
        Path(folder),
        "compare",
        data=comparison.to_dict(),
        markdown=render_comparison(comparison, texts=texts),
        page=lambda: render_comparison_html(comparison, texts=texts),
    )


def _write(
    folder: Path, stem: str, *, data: Mapping[str, Any], markdown: str, page: Callable[[], str]
) -> Written:
    texts = {
        folder / f"{stem}.json": json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
        + "\n",
        folder / f"{stem}.md": markdown,
    }
    left_out = ""
    try:
        texts[folder / f"{stem}.html"] = page()
    except MissingExtraError as error:
        left_out = str(error)
    write_texts(texts)
    return Written(files=tuple(texts), left_out=left_out)
