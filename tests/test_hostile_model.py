"""Model folders of strangers: every file changed by chance and by intent, digests made anew.

A folder is refused with a `ModelError`, or it answers; nothing else may come of it, and no memory
is taken for what a file only claims. `python -m benchmarks.attack_models` tries more of the same.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny

pytest.importorskip("benchmarks", reason="the benchmarks lie in the checkout alone")

from benchmarks import attack_models
from benchmarks.attack_models import OTHER, REFUSED, SAME, Attack, Files, attacked, with_digests
from stance.artifact import MANIFEST, MAX_FILE_BYTES, MAX_FILES, MAX_MANIFEST_BYTES, load_artifact
from stance.classifier import Classifier
from stance.errors import ModelError
from stance.schema import Schema, Stance, Topic
from stance.session import GRAPH, WEIGHTS
from stance.wide import WIDE

TOKENIZER = "tokenizer.json"
TRIES = 24
FILES = (GRAPH, MANIFEST, TOKENIZER, WEIGHTS, WIDE, "schema.json")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tiny.write_whole_model(tmp_path_factory.mktemp("sound") / "model")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def expected(sound: Files, tmp_path_factory: pytest.TempPathFactory) -> str:
    return attack_models.answers(attack_models.write(tmp_path_factory.mktemp("expected"), sound))


def made(folder: Path, sound: Files, **changes: bytes | dict[str, Any]) -> Path:
    """A folder with other files, and with the digests of these."""
    files = dict(sound)
    for name, content in changes.items():
        (key,) = (file for file in sound if re.sub(r"\W", "_", file) == name)
        files[key] = content if isinstance(content, bytes) else json.dumps(content).encode()
    with_digests(files)
    return attack_models.write(folder / "model", files)


@pytest.mark.parametrize("made_anew", [False, True], ids=["damaged", "digests made anew"])
@pytest.mark.parametrize("name", FILES)
def test_a_file_changed_by_chance_is_refused_or_answers(
    sound: Files, expected: str, tmp_path: Path, name: str, made_anew: bool
) -> None:
    for number in range(TRIES):
        attack = Attack(file=name, made_anew=made_anew, number=number)
        folder = attack_models.write(tmp_path / "model", attacked(sound, attack))
        result = attack_models.outcome(folder, expected)
        assert result in {REFUSED, SAME, OTHER}, f"{attack}: {result}"
        # Nothing but the manifest itself can change unseen, and that only makes another model.
        if not made_anew and name != MANIFEST:
            assert result != OTHER, attack


def test_each_file_gets_past_its_digest_and_is_refused_by_what_reads_it(
    sound: Files, tmp_path: Path
) -> None:
    """Else the attacks with new digests would test the digests alone."""
    for name in FILES[:-1]:
        if name == MANIFEST:
            continue
        files = {**sound, name: b"\0" * 64}
        with_digests(files)
        folder = attack_models.write(tmp_path / name, files)
        load_artifact(folder)
        with pytest.raises(ModelError, match=r"graph|tokenizer|arrays|cannot be (run|compiled)"):
            Classifier.from_pretrained(folder).predict("The quay thrives.")


def topics(n: int) -> dict[str, Any]:
    return {**tiny.SCHEMA.to_dict(), "topics": [{"name": f"t{number}"} for number in range(n)]}


def deep(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_json": topics(100_000)}, "topics: expected 1 to 1,000, found 100,000"),
        (
            {"schema_json": b" " * (MAX_MANIFEST_BYTES + 1)},
            r"schema\.json: expected at most 4,000,000 bytes, found 4,000,001",
        ),
        ({"schema_json": deep(101)}, "nested too deeply, in more than 100 levels"),
        ({"schema_json": deep(100_000)}, "nested too deeply, in more than 100 levels"),
        ({"schema_json": b'{"topics": NaN}'}, "NaN, which is not JSON"),
        ({"schema_json": b'{"a": 1, "a": 2}'}, "the key 'a' twice"),
        ({"manifest_json": deep(150)}, "nested too deeply, in more than 100 levels"),
        ({"tokenizer_json": deep(100_000)}, "not a tokenizer"),
        ({"tokenizer_json": b"{}"}, "not a tokenizer"),
        ({"tokenizer_json": b"\xff"}, "not a tokenizer"),
        # What OpenVINO would read as well, and what names other files.
        ({"model_xml": b"\x08\x07\x12\x04onnx"}, "does not begin as XML"),
    ],
)
def test_a_file_out_of_all_bounds_is_refused_with_its_limit(
    sound: Files, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        Classifier.from_pretrained(made(tmp_path, sound, **changes))
    assert len(str(caught.value)) < 1_500
    assert "\n" not in str(caught.value)


def listed(sound: Files, change: Callable[[dict[str, Any]], object]) -> bytes:
    manifest = json.loads(sound[MANIFEST])
    change(manifest["files"])
    return json.dumps(manifest).encode()


def test_claims_of_sizes_are_added_up_before_a_file_is_read(
    sound: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"sha256": "0" * 64, "bytes": MAX_FILE_BYTES // 2 + 1}
    content = listed(sound, lambda files: files.update(a=entry, b=entry))
    folder = attack_models.write(tmp_path / "model", {**sound, MANIFEST: content})
    monkeypatch.setattr("stance.artifact._read", lambda *_: pytest.fail("read a file"))
    with pytest.raises(ModelError, match="expected at most 8,000,000,000 bytes, found 8,000,"):
        load_artifact(folder)
    content = listed(sound, lambda files: files.update({f"f{n}": entry for n in range(MAX_FILES)}))
    attack_models.write(folder, {**sound, MANIFEST: content})
    with pytest.raises(ModelError, match=f"files: expected at most {MAX_FILES}, found"):
        load_artifact(folder)


def array(header: str, body: bytes = b"") -> bytes:
    """An array's file with any header; its length is right."""
    line = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(line).to_bytes(2, "little") + line + body


def packed(sound: Files, method: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """The wide part with other members."""
    written = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(sound[WIDE])) as old,
        zipfile.ZipFile(written, "w", method) as new,
    ):
        for name in old.namelist():
            new.writestr(name, members.get(name.removesuffix(".npy"), old.read(name)))
    return written.getvalue()


def head(shape: str, kind: str = "<i8") -> str:
    return f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"


@pytest.mark.parametrize(
    "member",
    [
        array(head("(1000000000,)"), b"\0" * 64),
        array(head("(999999999999999999,)")),
        array(head("(99999999999999999999999999,)")),
        array(head("(-1,)")),
        array(head("(3 4,)")),
        array(head("()"), b"\0" * 8),
        array(head("(1,)", "|O"), b"cos\nsystem\n(S'id'\ntR."),
        array(head("(1,)", "<U999999999")),
        array(head("(__import__('os').getpid(),)")),
        array(head("(" * 300 + ")" * 300)),
        array(head("(1,")),
        array(""),
        b"\x93NUMPY\x03\x00" + b"\xff" * 8,
        b"",
    ],
    ids=range(14),
)
def test_an_array_takes_no_memory_for_what_it_claims(
    sound: Files, tmp_path: Path, member: bytes
) -> None:
    folder = made(tmp_path, sound, wide_npz=packed(sound, keys=member))
    Classifier.from_pretrained(made(tmp_path / "sound", sound))  # what is loaded once is loaded
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match=r"wide\.npz: keys: expected"):
            Classifier.from_pretrained(folder)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_bomb_is_not_unpacked(sound: Files, tmp_path: Path, method: int) -> None:
    bomb = packed(sound, method, keys=array(head("(4000000,)"), bytes(32_000_000)))
    folder = made(tmp_path, sound, wide_npz=bomb)
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="expected arrays without compression"):
            Classifier.from_pretrained(folder)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_zip_whose_members_share_their_bytes_is_not_unpacked(
    sound: Files, tmp_path: Path
) -> None:
    """Many entries of the directory may lead to one stretch of the file."""
    content = bytearray(packed(sound))
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    directory = bytes(content[start:end])
    content[end:end] = directory * 400
    place = end + len(directory) * 400
    count = (len(zipfile.ZipFile(io.BytesIO(sound[WIDE])).namelist()) * 401).to_bytes(2, "little")
    content[place + 8 : place + 12] = count * 2
    content[place + 12 : place + 16] = (len(directory) * 401).to_bytes(4, "little")
    assert len(zipfile.ZipFile(io.BytesIO(content)).namelist()) > 2_000
    with pytest.raises(ModelError, match="expected arrays without compression"):
        Classifier.from_pretrained(made(tmp_path, sound, wide_npz=bytes(content)))


@pytest.mark.parametrize("name", [MANIFEST, GRAPH, "schema.json"])
def test_a_link_that_leads_out_is_refused_and_not_read(
    sound: Files, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = attack_models.write(tmp_path / "model", sound)
    (tmp_path / "outside").write_bytes(sound[name])
    (folder / name).unlink()
    (folder / name).symlink_to("../outside")
    read = Path.read_bytes

    def careful(path: Path) -> bytes:
        assert path.name != name, "followed the link"
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", careful)
    with pytest.raises(ModelError, match=rf"{name}: expected .* found a link that leads out of it"):
        load_artifact(folder)


def test_links_within_the_folder_and_to_it_are_followed(sound: Files, tmp_path: Path) -> None:
    folder = attack_models.write(tmp_path / "model", sound)
    (folder / GRAPH).rename(folder / "graph.old")
    (folder / GRAPH).symlink_to("graph.old")
    (tmp_path / "current").symlink_to("model")
    assert load_artifact(tmp_path / "current").contents[GRAPH] == sound[GRAPH]


def test_a_folder_of_the_hubs_cache_links_to_its_contents(sound: Files, tmp_path: Path) -> None:
    cache = tmp_path / "models--somebody--model"
    folder, blobs = cache / "snapshots" / "1f0e", cache / "blobs"
    attack_models.write(blobs, sound)
    folder.mkdir(parents=True)
    for name in sound:
        (folder / name).symlink_to(f"../../blobs/{name}")
    assert load_artifact(folder).contents[GRAPH] == sound[GRAPH]
    (folder / GRAPH).unlink()
    (tmp_path / GRAPH).write_bytes(sound[GRAPH])
    (folder / GRAPH).symlink_to(f"../../../{GRAPH}")
    with pytest.raises(ModelError, match="found a link that leads out of it"):
        load_artifact(folder)


@pytest.mark.parametrize("name", [MANIFEST, GRAPH])
def test_a_pipe_is_not_waited_for(sound: Files, tmp_path: Path, name: str) -> None:
    empty = listed(sound, lambda files: files[GRAPH].update(bytes=0))
    folder = attack_models.write(tmp_path / "model", {**sound, MANIFEST: empty})
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(ModelError, match=rf"{name}: expected a file, found a pipe"):
        load_artifact(folder)


class OpenedError(Exception):
    pass


def test_no_object_is_unpickled(
    sound: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pickle

    def opened(*_: Any, **__: Any) -> Any:
        raise OpenedError

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, opened)
    content = io.BytesIO()
    np.save(content, np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(ModelError, match="expected a NumPy array"):
        Classifier.from_pretrained(
            made(tmp_path, sound, wide_npz=packed(sound, keys=content.getvalue()))
        )
    assert Classifier.from_pretrained(made(tmp_path / "sound", sound)).predict("The quay thrives.")


def graph_files(folder: Path, table: np.ndarray[Any, Any]) -> dict[str, bytes]:
    tiny.write_graph(folder, table)
    return {
        "model_xml": (folder / GRAPH).read_bytes(),
        "model_bin": (folder / WEIGHTS).read_bytes(),
    }


def test_a_graph_that_gives_no_numbers_is_refused(sound: Files, tmp_path: Path) -> None:
    table = tiny.token_table()
    table[:] = np.nan
    classifier = Classifier.from_pretrained(
        made(tmp_path, sound, **graph_files(tmp_path / "graph", table))
    )
    with pytest.raises(ModelError, match=r"model\.xml: expected finite outputs"):
        classifier.predict("The quay thrives.")


def test_a_graph_that_gives_another_shape_is_refused(sound: Files, tmp_path: Path) -> None:
    graph = sound[GRAPH].decode()
    # The mean over each window alone: one row where there should be one for every token.
    (mean,) = re.findall(r'<layer id="(\d+)" name="[^"]*" type="Divide"', graph)
    (result,) = re.findall(r'<layer id="(\d+)" name="[^"]*" type="Result"', graph)
    changed = re.sub(
        rf'<edge from-layer="\d+" from-port="\d+" to-layer="{result}" to-port="0" />',
        f'<edge from-layer="{mean}" from-port="2" to-layer="{result}" to-port="0" />',
        graph,
    )
    assert changed != graph
    classifier = Classifier.from_pretrained(made(tmp_path, sound, model_xml=changed.encode()))
    with pytest.raises(
        ModelError, match=r"expected an output of float32 in the shape \(1, \d+, 8\)"
    ):
        classifier.predict("The quay thrives.")


def test_a_tokenizer_that_fails_on_a_text_or_panics_is_refused(
    sound: Files, tmp_path: Path
) -> None:
    data = json.loads(sound[TOKENIZER])
    data["model"]["unk_token"] = "nowhere"
    with pytest.raises(ModelError, match=r"tokenizer: cannot read a text: .*UNK"):
        Classifier.from_pretrained(made(tmp_path, sound, tokenizer_json=data))
    data = json.loads(sound[TOKENIZER])
    # A template that names a token which is not listed: the library panics.
    data["post_processor"]["single"][0]["SpecialToken"]["id"] = "[NONE]"
    with pytest.raises(ModelError, match="tokenizer"):
        Classifier.from_pretrained(made(tmp_path, sound, tokenizer_json=data))


def test_a_tokenizer_of_any_size_is_not_parsed(
    sound: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stance.encoding.MAX_TOKENIZER_BYTES", 100)
    with pytest.raises(ModelError, match=r"tokenizer\.json: expected at most 100 bytes, found 2,"):
        Classifier.from_pretrained(made(tmp_path, sound))


def test_numbers_that_would_overflow_are_refused(sound: Files, tmp_path: Path) -> None:
    for place, value in (("temperature", 5e-324), ("slope", 1e308), ("offset", -1e308)):
        manifest = json.loads(sound[MANIFEST])
        manifest["calibration"]["harbour"][place] = value
        with pytest.raises(ModelError, match=f"harbour.{place}: Input should be"):
            load_artifact(made(tmp_path, sound, manifest_json=manifest))


def test_the_largest_schema_that_is_allowed_is_read(tmp_path: Path) -> None:
    """So that the limit is the one that is named."""
    names = tuple(Topic(name=f"t{number}") for number in range(1_000))
    schema = Schema(topics=names, stances=(Stance(name="a"), Stance(name="b")))
    content = {"schema.json": json.dumps(schema.to_dict()).encode()}
    folder = tiny.write_folder(tmp_path / "m", content, tiny.manifest(schema))
    assert load_artifact(folder).schema == schema


@pytest.mark.training
class TestFloatWeights:
    """Files that training and export read."""

    @pytest.fixture(autouse=True)
    def one_thread(self) -> None:
        tiny.use_one_thread()

    @pytest.mark.parametrize("name", attack_models.FLOAT_FILES)
    def test_a_file_changed_by_chance_is_refused_or_loads(
        self, sound: Files, tmp_path: Path, name: str
    ) -> None:
        from training.weights import load_lens

        messages = []
        for number in range(TRIES):
            attack = Attack(file=name, made_anew=True, number=number)
            folder = attack_models.write(tmp_path / "model", attacked(sound, attack))
            try:
                load_lens(folder)
            except ModelError as error:
                messages.append(str(error))
        assert len(messages) > TRIES // 4
        assert not any("\n" in words for words in messages)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"hidden_size": 10**9}, "hidden_size': expected at most 100,000,000"),
            ({"num_hidden_layers": 10**6}, "num_hidden_layers': expected at most 1,000"),
            ({"vocab_size": 90_000_000, "hidden_size": 4_096}, "the weights do not fit"),
            ({"model_type": "vision-encoder-decoder"}, "no encoder can be built|a text encoder"),
            ({"model_type": "clip"}, "a text encoder|no encoder can be built"),
            ({"model_type": "nothing"}, "no encoder can be built"),
            ({"model_type": None}, "expected an object with a model_type"),
            ({"max_position_embeddings": 8}, "the weights do not fit"),
            ({"hidden_act": "import os"}, "no encoder can be built"),
            ({"num_attention_heads": 5}, "no encoder can be built|cannot be run"),
        ],
    )
    def test_a_configuration_out_of_bounds_is_refused_before_memory_is_taken(
        self, sound: Files, tmp_path: Path, change: dict[str, Any], words: str
    ) -> None:
        from training.weights import load_lens

        config = {**json.loads(sound["encoder.json"]), **change}
        with pytest.raises(ModelError, match=words):
            load_lens(made(tmp_path, sound, encoder_json=config))

    def test_no_code_of_a_stranger_is_asked_for(
        self, sound: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from transformers import dynamic_module_utils

        from training.weights import load_lens

        def fail(*_: Any, **__: Any) -> Any:
            raise AssertionError("asked for code")

        monkeypatch.setattr(dynamic_module_utils, "get_class_from_dynamic_module", fail)
        monkeypatch.setattr("builtins.input", fail)
        config = json.loads(sound["encoder.json"])
        config["auto_map"] = {"AutoModel": "somebody/code--model.Model"}
        config["_attn_implementation"] = config["attn_implementation"] = "somebody/kernel"
        lens, _, _ = load_lens(made(tmp_path, sound, encoder_json=config))
        assert type(lens.encoder).__name__ == "BertModel"
        assert lens.encoder.config._attn_implementation == "eager"

    def test_weights_that_are_no_numbers_are_refused(self, sound: Files, tmp_path: Path) -> None:
        from training.weights import load_lens

        content = bytearray(sound["weights.safetensors"])
        content[-2:] = b"\x00\x7e"  # not a number, in half precision
        with pytest.raises(ModelError, match="expected finite numbers"):
            load_lens(made(tmp_path, sound, weights_safetensors=bytes(content)))

    def test_a_tokenizer_that_knows_more_words_than_the_encoder_is_refused(
        self, sound: Files, tmp_path: Path
    ) -> None:
        from training.weights import load_lens

        data = json.loads(sound[TOKENIZER])
        data["model"]["vocab"]["zebra"] = 100_000
        with pytest.raises(ModelError, match="the encoder cannot be run: index out of range"):
            load_lens(made(tmp_path, sound, tokenizer_json=data))


def test_the_folder_as_it_is_passes_all_checks(sound: Files, expected: str, tmp_path: Path) -> None:
    folder = attack_models.write(tmp_path / "model", sound)
    assert attack_models.outcome(folder, expected) == SAME
    shutil.rmtree(folder)
    assert attack_models.outcome(folder, expected) == REFUSED
