"""The ONNX folder alone gives the float model's answers, or is not written."""

from __future__ import annotations

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tiny
from tokenizers import Tokenizer

from stance.encoding import ArticleEncoder
from stance.errors import ModelError, UsageError
from stance.pooling import PoolingParameters, merge_segments, pool_document, segment_sums
from stance.records import Article
from stance.wide import WIDE
from training import onnx_export
from training.onnx_export import NUMBERS, ONNX, ExportReport, export_onnx
from training.package import PARITY_FILE
from training.weights import load_lens

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def exported(
    tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, ExportReport]:
    out = tmp_path_factory.mktemp("export") / "onnx"
    return out, export_onnx(tiny_model, out)


def test_the_folder_alone_gives_the_float_models_logits(
    exported: tuple[Path, ExportReport], tiny_model: Path
) -> None:
    folder, _ = exported
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [ONNX, NUMBERS, WIDE, "tokenizer.json", "schema.json"]
    )
    numbers = json.loads((folder / NUMBERS).read_text())
    encoder = ArticleEncoder(
        Tokenizer.from_file(str(folder / "tokenizer.json")), window_tokens=numbers["window_tokens"]
    )
    session = onnxruntime.InferenceSession(str(folder / ONNX), providers=["CPUExecutionProvider"])
    parameters = PoolingParameters(
        **{name: np.array(values) for name, values in numbers["pooling"].items()}
    )
    n_topics = len(numbers["pooling"]["bias"])
    rows = [json.loads(line) for line in (tiny_model / PARITY_FILE).read_text().splitlines()]
    for row in rows:
        article = encoder.encode([Article(text=row["text"], title=row["title"])])[0]
        windows = list(encoder.pack(article.token_ids))
        batch = encoder.batch(windows)
        (outputs,) = session.run(
            None, {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
        )
        sums = segment_sums(outputs[batch.content_mask], batch.segment_starts, n_topics)
        owner = np.array([s.sentence for window in windows for s in window.segments])
        merged = merge_segments(sums, owner, len(article.sentences))
        scores = pool_document(merged, parameters)
        presence, stance = counted(exported[0] / WIDE, article.token_ids)
        np.testing.assert_allclose(scores.presence + presence, row["presence"], atol=1e-3)
        np.testing.assert_allclose(scores.stance + stance, row["stance"], atol=1e-3)


def counted(file: Path, sentences: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    """The wide part's logits, counted as `docs/onnx.md` says."""
    keys = Counter(a for ids in sentences for a in ids)
    keys.update((a + 1) * 2**31 + b for ids in sentences for a, b in itertools.pairwise(ids))
    with np.load(file, allow_pickle=False) as arrays:
        values = arrays["idf"] * np.array([keys[key] for key in arrays["keys"].tolist()])
        values = values / (np.sqrt((values**2).sum()) or 1.0)
        presence = np.tensordot(values, arrays["presence"], axes=1) + arrays["presence_bias"]
        stance = np.tensordot(values, arrays["stance"], axes=1) + arrays["stance_bias"]
    return presence, stance


def test_the_numbers_are_those_of_the_model(
    exported: tuple[Path, ExportReport], tiny_model: Path
) -> None:
    numbers = json.loads((exported[0] / NUMBERS).read_text())
    artifact = load_lens(tiny_model)[2]
    told = artifact.manifest.model_dump(mode="json")
    for name in ("pooling", "calibration", "uncertainty", "window_tokens"):
        assert numbers[name] == told[name]
    assert numbers["model"] == artifact.digest
    assert numbers["columns"] == {
        "attention": [0, 2],
        "presence": [2, 4],
        "stance_attention": [4, 6],
        "stance": [6, 8],
    }


def test_the_report_tells_how_exact_it_is(exported: tuple[Path, ExportReport]) -> None:
    folder, report = exported
    assert report.path == folder
    assert report.windows >= 16
    assert report.largest_difference < 1e-4
    assert str(folder) in str(report)
    assert f"{report.windows} windows" in str(report)


def cheap(monkeypatch: pytest.MonkeyPatch, exported: Path) -> None:
    """Take the graph from an earlier export."""
    monkeypatch.setattr(
        onnx_export, "write_onnx", lambda _, path: shutil.copyfile(exported / ONNX, path)
    )


def test_a_graph_that_differs_is_not_written(
    exported: tuple[Path, ExportReport],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cheap(monkeypatch, exported[0])
    monkeypatch.setattr(onnx_export, "load_lens", lambda folder: other_lens(folder))
    with pytest.raises(ModelError, match=r"differs from the float model by .* nothing is written"):
        export_onnx(tiny_model, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def other_lens(folder: Path):  # type: ignore[no-untyped-def]
    """The model's parts, but with the weights of another one."""
    _, encoder, artifact = load_lens(folder)
    return tiny.lens(seed=3), encoder, artifact


def test_an_earlier_export_is_replaced_and_nothing_else(
    exported: tuple[Path, ExportReport],
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cheap(monkeypatch, exported[0])
    out = tmp_path / "out"
    export_onnx(tiny_model, out)
    (out / "old").write_text("x")
    export_onnx(tiny_model, out)
    assert not (out / "old").exists()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(UsageError, match="name another folder"):
        export_onnx(tiny_model, tmp_path / "letters")
    assert (tmp_path / "letters" / "dear.txt").is_file()


def test_a_model_without_float_weights_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "model")
    (tmp_path / "model" / "weights.safetensors").unlink()
    with pytest.raises(ModelError, match=r"needs weights\.safetensors"):
        export_onnx(tmp_path / "model", tmp_path / "out")
    assert not (tmp_path / "out").exists()
