"""A model folder is taken whole and unchanged, or refused with a sentence that helps."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from stance import artifact as module
from stance.artifact import (
    MANIFEST,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    default_model,
    load_artifact,
    resolve_model,
)
from stance.classifier import Classifier
from stance.errors import ModelError

FILES = {
    "model.xml": b"<net>not read here</net>",
    "model.bin": bytes(range(200)),
    "tokenizer.json": b"{}",
    "schema.json": json.dumps(tiny.SCHEMA.to_dict()).encode(),
}
EXTRA = {"weights.safetensors": {"sha256": "0" * 64, "bytes": 5, "required": False}}


def write(folder: Path, **changes: Any) -> Path:
    """A sound folder, but for these changes of the manifest."""
    return tiny.write_folder(folder, FILES, tiny.manifest(**changes))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Change the written manifest."""
    data = json.loads((folder / MANIFEST).read_text())
    change(data)
    (folder / MANIFEST).write_text(json.dumps(data))
    return folder


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("sound") / "model", files=EXTRA)


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "model")
    return tmp_path / "model"


def test_a_sound_folder_is_read_whole(sound: Path) -> None:
    artifact = load_artifact(sound)
    assert artifact.contents == FILES
    assert artifact.schema == tiny.SCHEMA
    assert artifact.path == sound
    assert artifact.manifest.name == "tiny"
    assert artifact.manifest.calibration["harbour"].curve[0] == (0.2, 0.7, 1.0)


def test_a_manifest_comes_back_from_its_own_json(sound: Path) -> None:
    manifest = load_artifact(sound).manifest
    again = json.loads(json.dumps(manifest.model_dump(mode="json")))
    assert type(manifest).model_validate(again) == manifest


@given(data=st.data())
def test_any_changed_byte_is_found(sound: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(FILES)))
    content = bytearray(FILES[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        (sound / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}: it is not the file .* copy the folder"):
            load_artifact(sound)
    finally:
        (sound / name).write_bytes(FILES[name])


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("change", ["longer", "shorter", "empty", "gone", "a folder"])
def test_a_file_of_another_size_or_none_is_found(folder: Path, name: str, change: str) -> None:
    file = folder / name
    if change in {"gone", "a folder"}:
        file.unlink()
    if change == "a folder":
        file.mkdir()
    elif change != "gone":
        content = {"longer": FILES[name] + b" ", "shorter": FILES[name][:-1], "empty": b""}[change]
        file.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        load_artifact(folder)
    assert name in str(caught.value)
    if change != "a folder":
        assert "copy the folder again" in str(caught.value)


def test_a_missing_folder_and_a_file_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone: .* found nothing there; name a folder that"):
        load_artifact(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match=r"file: .* found a file; name a folder that"):
        load_artifact(tmp_path / "file")
    with pytest.raises(ModelError, match=rf"it has no {MANIFEST}; expected a folder that"):
        load_artifact(tmp_path)


def set_(*path: str, to: Any) -> Callable[[dict[str, Any]], object]:
    """Put a value at a place of the manifest."""

    def change(data: dict[str, Any]) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


SAME = {"sha256": "0" * 64, "bytes": 5}
DIGEST = FILES["schema.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_("format_version", to=3), "the model has format 3, .* upgrade stance"),
        (set_("format_version", to=10**30), "upgrade stance"),
        (set_("format_version", to=0), "format_version: expected 1 to 2, found 0"),
        (set_("format_version", to=True), "format_version: expected 1 to 2, found True"),
        (set_("format_version", to="1"), "format_version: expected 1 to 2, found '1'"),
        (lambda data: data.pop("format_version"), "format_version: expected 1 to 2, found None"),
        (set_("kind", to="forest"), "kind: "),
        (lambda data: data.pop("name"), "name: Field required"),
        (set_("colour", to="red"), "colour: Extra inputs are not permitted"),
        (set_("pooling", "colour", to=[1]), "pooling.colour: Extra inputs"),
        (set_("files", "model.bin", "mode", to=7), "files.model.bin.mode: Extra inputs"),
        (set_("calibration", "harbour", "thresold", to=0.5), "calibration.harbour.thresold: "),
        (set_("calibration", "harbour", "threshold", to=1.5), "harbour.threshold: "),
        (set_("calibration", "harbour", "slope", to=0.0), "harbour.slope: "),
        (set_("calibration", "harbour", "temperature", to=-1.0), "harbour.temperature: "),
        (set_("calibration", "harbour", "slope", to=float("nan")), "NaN, which is not JSON"),
        (set_("calibration", "harbour", "slope", to=1e7), "harbour.slope: "),
        (set_("calibration", "harbour", "temperature", to=1e-300), "harbour.temperature: "),
        (set_("calibration", "harbour", "curve", to=[[2.0, 0.5, 0.5]]), "harbour.curve.0.0: "),
        (set_("calibration", "harbour", "offset", to=float("inf")), "Infinity, which is not"),
        (set_("pooling", "gate", to=[1.0, 1e7]), r"pooling.gate.1: "),
        (set_("pooling", "gate", to=[1.0]), "pooling.gate: expected 2 numbers, found 1"),
        (set_("pooling", to=None), "a lens model needs pooling"),
        (set_("window_tokens", to=None), "a lens model needs pooling and window_tokens"),
        (set_("window_tokens", to=513), "window_tokens: "),
        (lambda data: data["calibration"].pop("harbour"), "calibration: expected the topics"),
        (set_("calibration", "tides", to={}), "calibration: .* found .*tides"),
        (set_("schema_digest", to="0" * 64), r"schema.json: expected the schema that"),
        (set_("files", "model.bin", "bytes", to=MAX_FILE_BYTES + 1), "files.model.bin.bytes: "),
        (set_("files", "model.bin", "bytes", to=-1), "files.model.bin.bytes: "),
        (set_("files", "model.bin", "sha256", to="A" * 64), "files.model.bin.sha256: "),
        (lambda data: data["files"].pop("schema.json"), "schema.json is not listed"),
        (set_("files", "schema.json", "required", to=False), "schema.json must be required"),
        (set_("files", to=["model.bin"]), "files: "),
    ],
)
def test_a_manifest_that_is_not_sound_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        load_artifact(edit(folder, change))
    assert MANIFEST in str(caught.value) or "schema.json" in str(caught.value)
    assert "copy the folder again" in str(caught.value) or "upgrade" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 3


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/etc/hostname",
        "inner/model.bin",
        "..",
        ".",
        "",
        "\\\\server\\share",
        "C:\\x",
        ".hidden",
        "a\0b",
        "new\nline",
        "x" * 300,
        MANIFEST,
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused_before_any_file_is_read(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_read", lambda *_: pytest.fail("read a file"))
    with pytest.raises(ModelError, match=r"manifest\.json: files: expected plain names"):
        load_artifact(edit(folder, set_("files", name, to=SAME)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected JSON"),
        (b"{", "expected JSON"),
        (b"\xff\xfe{}", "expected JSON"),
        (b"[" * 100_000, "expected JSON"),
        (b"1" * 5_000, "expected JSON"),
        (b"[]", "format_version: expected 1 to 2, found None"),
        (b'"model"', "format_version: expected 1 to 2, found None"),
        (b"null", "format_version: expected 1 to 2, found None"),
        (b" " * (MAX_MANIFEST_BYTES + 1), "expected at most 4,000,000 bytes, found 4,000,001"),
    ],
    ids=["empty", "cut", "not UTF-8", "deep", "huge number", "list", "text", "null", "large"],
)
def test_a_manifest_that_is_no_json_object_is_refused(
    folder: Path, content: bytes, words: str
) -> None:
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ModelError, match=rf"manifest\.json: {words}.*copy the folder again"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "schema.json: expected JSON"),
        (b"\xff", "schema.json: expected JSON"),
        (b"[" * 100_000, "schema.json: expected JSON"),
        (b"[]", "schema.json: expected an object"),
        (b'{"topics": [], "stances": []}', "schema.json: topics: expected 1 to"),
        (json.dumps(tiny.THREE.to_dict()).encode(), "schema.json: expected the schema that"),
    ],
    ids=["cut", "not UTF-8", "deep", "list", "no topics", "another schema"],
)
def test_a_schema_that_is_not_the_models_is_refused(
    tmp_path: Path, content: bytes, words: str
) -> None:
    files = {**FILES, "schema.json": content}
    with pytest.raises(ModelError, match=rf"{words}.*copy the folder again"):
        load_artifact(tiny.write_folder(tmp_path / "m", files, tiny.manifest()))


def test_a_claimed_size_is_not_believed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is much larger than listed is not read at all."""
    with (folder / "model.bin").open("wb") as stream:
        stream.truncate(3_000_000_000)
    read = Path.read_bytes

    def careful(path: Path) -> bytes:
        assert path.name != "model.bin", "read the large file"
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", careful)
    with pytest.raises(ModelError, match=r"model\.bin: it is not the file"):
        load_artifact(folder)


def test_files_that_are_not_required_are_checked_when_they_are_used(folder: Path) -> None:
    artifact = load_artifact(folder)
    name = "weights.safetensors"
    assert name not in artifact.contents
    with pytest.raises(ModelError, match=rf"export needs {name}, .* use the folder that"):
        artifact.read_optional(name, needed_for="export")
    with pytest.raises(ModelError, match=r"export needs other\.json"):
        artifact.read_optional("other.json", needed_for="export")
    (folder / name).write_bytes(b"12345")
    with pytest.raises(ModelError, match=rf"{name}: it is not the file"):
        artifact.read_optional(name, needed_for="export")
    whole = tiny.write_folder(folder / "again", {**FILES, name: b"12345"}, tiny.manifest())
    assert load_artifact(whole).read_optional(name, needed_for="export") == b"12345"


@pytest.mark.parametrize(
    "change",
    [
        {"pooling": {**tiny.manifest()["pooling"], "bias": [0.25, 0.5]}},
        {"window_tokens": 64},
        {"uncertainty": {"confidence": 0.8}},
        {"calibration": {name: {"threshold": 0.6} for name in tiny.SCHEMA.topic_names}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_tells_models_apart(sound: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    assert load_artifact(write(tmp_path / "m", **change)).digest != load_artifact(sound).digest


def test_the_digest_follows_the_files_and_not_the_story(sound: Path, tmp_path: Path) -> None:
    told = write(
        tmp_path / "told", name="other", created="2027", scores={"a": 1}, training={"seed": 3}
    )
    assert load_artifact(told).digest == load_artifact(sound).digest
    files = {**FILES, "model.bin": b"other"}
    other = tiny.write_folder(tmp_path / "other", files, tiny.manifest())
    assert load_artifact(other).digest != load_artifact(sound).digest


class NoNetwork(socket.socket):
    """A socket that nobody may make."""

    def __new__(cls, *_: Any, **__: Any) -> NoNetwork:
        raise AssertionError("touched the network")


def test_a_folder_never_touches_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = tmp_path / "owner"
    tiny.write_model(owner / "name")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(socket, "socket", NoNetwork)
    monkeypatch.setattr(socket, "create_connection", NoNetwork)
    monkeypatch.setattr(socket, "getaddrinfo", NoNetwork)
    assert resolve_model("owner/name") == Path("owner/name")
    assert Classifier.from_pretrained("owner/name").predict("The quay thrives.").topics
    for missing in (
        "owner/nobody",
        "./no/name",
        "nobody",
        "/no/name",
        "~/name",
        "a/b/c",
        "x" * 9_999,
    ):
        with pytest.raises(ModelError, match="expected a model folder or a hub name"):
            resolve_model(missing)


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelError, match="found a file"):
        resolve_model(tmp_path / "file")


def test_a_hub_name_asks_the_hub_for_kinds_of_files_that_a_model_has(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    asked: list[tuple[str, tuple[str, ...]]] = []

    def download(name: str, *, allow_patterns: list[str]) -> str:
        asked.append((name, tuple(allow_patterns)))
        return str(sound)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert resolve_model("nobody-here/model") == sound
    assert asked[0][0] == "nobody-here/model"
    assert not any("*.pkl" in pattern or pattern == "*" for pattern in asked[0][1])

    def fail(name: str, *, allow_patterns: list[str]) -> str:
        raise OSError("the wire is cut\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(
        ModelError, match=r"^nobody-here/model: no such folder, .* the wire is cut and more$"
    ):
        resolve_model("nobody-here/model")


def test_the_released_model_is_found_in_the_package_or_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "stance"
    monkeypatch.setattr(module, "resources", SimpleNamespace(files=lambda _: package))
    with pytest.raises(ModelError, match="name one with --model, or train one with: stance train"):
        default_model()
    beside = write(tmp_path / "models" / "default")
    assert resolve_model(None) == beside
    inside = write(package / "released" / "default")
    assert resolve_model(None) == inside
