"""HTML pages of one design: the frame, the style, numbers with bars, tables that sort.

A page is a template that extends `page.html` and draws with the macros of `parts.html`. It stands
in one file: style and script are inside, a policy in its head forbids it to fetch anything or to
run any other script, and every value is escaped unless it is an SVG of `stance.evaluation.figures`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from stance._version import __version__
from stance.errors import MissingExtraError
from stance.evaluation.layout import Table

if TYPE_CHECKING:
    from jinja2 import Environment

_FOLDER = "templates"
_COUNT = re.compile(r"[+-]?[0-9][0-9,]*(\.[0-9]+)?( %)?")


def render_page(template: str, *, title: str, **values: Any) -> str:
    """Fill a template.

    Args:
        template: Name of a file in `stance/evaluation/templates`; it extends `page.html`.
        title: Of the document; the heading too, unless the template has a header of its own.
        values: What the template names. Strings are escaped.

    Returns:
        The page as one HTML document.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    environment = _environment()
    from markupsafe import Markup

    style, script = _read("page.css"), _read("page.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template(template).render(
        title=title,
        # Our own files, not a stranger's words.
        style=Markup(style),
        script=Markup(script),
        script_digest=digest,
        version=__version__,
        **values,
    )


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise MissingExtraError("The HTML report", "report", "jinja2") from None
    environment = Environment(
        loader=PackageLoader("stance.evaluation", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number_columns"] = _number_columns
    return environment


def _read(name: str) -> str:
    return resources.files("stance.evaluation").joinpath(_FOLDER, name).read_text("utf-8")


def _number_columns(table: Table) -> set[int]:
    """The columns of counts, which stand right; those of scores are no counts."""
    found = set()
    for column in range(1, len(table.columns)):
        cells = [row[column] for row in table.rows if row[column] != ""]
        if cells and all(isinstance(cell, str) and _COUNT.fullmatch(cell) for cell in cells):
            found.add(column)
    return found
