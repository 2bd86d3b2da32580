"""A report into its folder: JSON, Markdown, and HTML where its libraries are installed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from stance.errors import MissingExtraError, StanceError
from stance.evaluation.html import render_html
from stance.evaluation.markdown import render_markdown
from stance.evaluation.report import Report
from stance.files import reason, replacing


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What `write_report` wrote.

    Attributes:
        files: The files.
        left_out: Why there is no `report.html`, and what to do about it; empty if there is one.
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
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StanceError(f"{folder}: cannot make the folder: {reason(error)}") from None
    data = json.dumps(report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    texts = {
        folder / "report.json": data + "\n",
        folder / "report.md": render_markdown(report),
    }
    left_out = ""
    try:
        texts[folder / "report.html"] = render_html(report)
    except MissingExtraError as error:
        left_out = str(error)
    for path, text in texts.items():
        # Half a surrogate pair in somebody's text must not cost the report.
        with replacing(path, "wb") as stream:
            stream.write(text.encode("utf-8", errors="replace"))
    return Written(files=tuple(texts), left_out=left_out)
