"""Valid files changed by chance, for the benchmarks and tests that attack whatever reads them.

All changes are drawn from the generator that is given: the same seed gives the same file.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
from collections.abc import Callable
from typing import Any

_BYTES = (b"\0", b"\xff", b'"', b"{", b"[", b"\n", b"\r", b",", b"\\", b"\x1b[31m", b"\xed\xa0\x80")
_NUMBERS = (0, 1, -1, 2, 255, 1_000, 2**15, 2**31 - 1, 2**31, 2**32, 2**63, 10**30, -(2**63))
_VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    7,
    1e308,
    -1e308,
    5e-324,
    2**31,
    2**63,
    10**30,
    "",
    "x",
    "\x1b[31m<script>alert(1)</script>\u202e",
    "\ud800",
    "../../../../etc/passwd",
    "x" * 5_000,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
)
_OPERATIONS = ("Gather", "MatMul", "Reshape", "Softmax", "Result", "Parameter", "Loop", "Nothing")
_KINDS = ("f32", "f16", "i64", "i4", "u8", "string", "boolean", "dynamic", "nf4", "")


def mutate_bytes(content: bytes, rng: random.Random, *, other: bytes = b"") -> bytes:
    """Change a file without regard to what it holds.

    Args:
        content: The file.
        rng: Draws the change.
        other: A file of which pieces may be put in.
    """
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        place = rng.randrange(len(changed) + 1)
        size = rng.choice((1, 1, 2, 4, 8, 64, 512))
        way = rng.randrange(8)
        if way == 0 and changed:
            changed[place % len(changed)] ^= 1 << rng.randrange(8)
        elif way == 1 and changed:
            changed[place % len(changed)] = rng.randrange(256)
        elif way == 2:
            changed[place:place] = rng.choice(_BYTES) * rng.choice((1, 1, 3, 200))
        elif way == 3:
            del changed[place : place + size]
        elif way == 4:
            start = rng.randrange(len(changed) + 1)
            changed[place:place] = changed[start : start + size]
        elif way == 5:
            width = rng.choice((1, 2, 4, 8))
            number = rng.choice(_NUMBERS) % 256**width
            changed[place : place + width] = number.to_bytes(width, rng.choice(("little", "big")))
        elif way == 6 and other:
            start = rng.randrange(len(other))
            changed[place : place + size] = other[start : start + size]
        else:
            del changed[place:]
    return bytes(changed)


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Change values, keys and the shape of a JSON file; it stays JSON but for NaN and infinity."""
    document = json.loads(content)
    for _ in range(rng.choice((1, 1, 2, 3))):
        document = _mutate_value(document, rng)
    return json.dumps(document).encode()


def _mutate_value(document: Any, rng: random.Random) -> Any:
    places = list(_places(document))
    if not places:
        return rng.choice(_VALUES)
    # By depth first, since the many leaves of long lists would hide all else.
    deepest = max(depth for depth, _, _ in places)
    wanted = rng.randint(0, deepest)
    parent, key = rng.choice([(parent, key) for depth, parent, key in places if depth == wanted])
    way = rng.randrange(8)
    if way < 3:
        parent[key] = rng.choice(_VALUES)
    elif way == 3:
        del parent[key]
    elif way == 4:
        _, donor, place = rng.choice(places)
        # A copy: a value put below itself would have no end.
        parent[key] = json.loads(json.dumps(donor[place]))
    elif way == 5 and isinstance(parent, list):
        parent[key:key] = [parent[key]] * rng.choice((1, 10, 300))
    elif way == 5:
        parent[rng.choice(("", "auto_map", "__class__", "type", "\ud800", "x" * 300))] = parent[key]
    elif way == 6:
        value = parent[key]
        for _ in range(rng.choice((1, 30, 150))):
            value = [value] if rng.random() < 0.5 else {"a": value}
        parent[key] = value
    elif isinstance(parent[key], int | float) and not isinstance(parent[key], bool):
        parent[key] = rng.choice((-parent[key], parent[key] + 1, parent[key] * 1_000, 1e300))
    else:
        parent[key] = str(parent[key])
    return document


def _places(value: Any, depth: int = 0) -> Any:
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield depth, value, key
            yield from _places(value[key], depth + 1)


def mutate_graph(content: bytes, rng: random.Random) -> bytes:
    """Change numbers, types and edges of an OpenVINO graph; it stays XML for the most part."""
    text = content.decode()
    for _ in range(rng.choice((1, 1, 2, 3))):
        way = rng.randrange(6)
        if way < 2:
            text = _replace(text, r"(?<=[\" >,])-?\d+(?=[\",<])", _numbers(rng), rng)
        elif way == 2:
            text = _replace(text, r"(?<= type=\")\w+", lambda _: rng.choice(_OPERATIONS), rng)
        elif way == 3:
            text = _replace(text, r"(?<=_type=\")\w+", lambda _: rng.choice(_KINDS), rng)
        elif way == 4:
            text = _replace(text, r"<(?:edge|dim|data)[^\n]*\n", lambda _: "", rng)
        else:
            text = _replace(
                text, r"<(edge|dim|data|layer)[^\n]*\n", lambda match: match[0] * 2, rng
            )
    return text.encode()


def _numbers(rng: random.Random) -> Callable[[re.Match[str]], str]:
    return lambda match: str(rng.choice((*_NUMBERS, int(match[0]) + 1, int(match[0]) - 1)))


def _replace(
    text: str, pattern: str, change: Callable[[re.Match[str]], str], rng: random.Random
) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + change(match) + text[match.end() :]


def mutate_arrays(content: bytes, rng: random.Random) -> bytes:
    """Change the arrays of an `.npz` file, whose checksums are made anew; their names, too."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    way = rng.randrange(5)
    head = members[name][:128]
    if way == 0:
        members[name] = mutate_bytes(members[name], rng, other=members[rng.choice(sorted(members))])
    elif way == 1:
        members[name] = mutate_bytes(head, rng) + members[name][128:]
    elif way == 2:
        shape = rng.choice((b"(9999999999,)", b"(-1,)", b"(0,)", b"()", b"(2, 2)", b"(1e9,)"))
        members[name] = re.sub(rb"\([\d, ]*\)", shape, head) + members[name][128:]
    elif way == 3:
        kind = rng.choice((b"|O", b"<f8", b">i4", b"<U9", b"|V8", b"<m8", b"<c8", b"<f16"))
        members[name] = re.sub(rb"[<|>=]\w\d+", kind, head) + members[name][128:]
    else:
        members[rng.choice(("../keys.npy", "keys", "x" * 300))] = members.pop(name)
    packed = io.BytesIO()
    ways = (zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(packed, "w", rng.choice(ways)) as archive:
        for key, value in members.items():
            archive.writestr(key, value)
    return packed.getvalue()


def mutate_tensors(content: bytes, rng: random.Random) -> bytes:
    """Change the header of a safetensors file, whose length is made anew."""
    (size,) = struct.unpack("<Q", content[:8])
    header = mutate_json(content[8 : 8 + size], rng)
    return struct.pack("<Q", len(header)) + header + content[8 + size :]
