"""One row of an input file, and the faults that any file of text can have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stance.errors import Fault

# A line of 32 MiB holds some five million words; what is longer is no article but a broken file.
MAX_LINE = 32 * 1024 * 1024
_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_CONVERT = "convert the file, for example: iconv -f {old} -t UTF-8 OLD > NEW"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of an input file: its data, or what is wrong with it.

    Attributes:
        file: The file as the user named it.
        line: 1-based line of a text file, or row of a Parquet table; None where the whole file is
            meant.
        data: The parsed object; None if there is a fault.
        fault: What is wrong; None if there is data.
    """

    file: str
    line: int | None
    data: dict[str, Any] | None = None
    fault: Fault | None = None


def bad_row(
    file: str,
    line: int | None,
    *,
    expected: str,
    found: str,
    field: str | None = None,
    advice: str = "",
) -> Row:
    """A row that carries a fault."""
    fault = Fault(file=file, line=line, field=field, expected=expected, found=found, advice=advice)
    return Row(file=file, line=line, fault=fault)


def foreign_encoding(start: bytes, file: str) -> Row | None:
    """A fault for a file that is UTF-16 or UTF-32 by its first bytes."""
    name = next((name for bom, name in _BOMS.items() if start.startswith(bom)), None)
    if name:
        found = f"the byte order mark of {name}"
    elif len(start) >= 4 and b"\x00\x00" in {start[0:4:2], start[1:4:2]} and any(start[:4]):
        name, found = "UTF-16", "every other byte zero, as in UTF-16"
    else:
        return None
    return bad_row(file, 1, expected="UTF-8", found=found, advice=_CONVERT.format(old=name))


def broken_utf8(error: UnicodeDecodeError, file: str, line: int) -> Row:
    """A fault for bytes that are not UTF-8; `line` is the line at which the bytes begin."""
    raw, place = error.object, error.start
    start = raw.rfind(b"\n", 0, place) + 1
    return bad_row(
        file,
        line + raw.count(b"\n", 0, place),
        expected="UTF-8",
        found=f"byte 0x{raw[place]:02X} at byte {place - start + 1} of the line",
        advice="if the whole file is in another encoding, " + _CONVERT.format(old="LATIN1"),
    )


def too_long(file: str, line: int | None) -> Row:
    """A fault for a line that does not fit into bounded memory."""
    return bad_row(
        file,
        line,
        expected=f"at most {MAX_LINE:,} bytes",
        found="more",
        advice="a quotation mark or a line end may be missing",
    )
