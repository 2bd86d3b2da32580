"""The exported graphs give what the torch module gives, for any number and length of windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import tiny
import torch
from numpy.typing import NDArray

from stance.encoding import TokenBatch
from stance.pooling import output_columns
from stance.records import Article
from stance.session import GRAPH, INPUTS, WEIGHTS, Session, load_engine
from training.export import OUTPUT, write_onnx
from training.network import LensModel
from training.quantise import HEADS, head_nodes, write_graph

pytestmark = pytest.mark.training

ENCODER = tiny.encoder()
COLUMNS = 8


@pytest.fixture(scope="module")
def lens() -> LensModel:
    return tiny.lens()


@pytest.fixture(scope="module")
def onnx(lens: LensModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(lens, path)
    return path


@pytest.fixture(scope="module")
def engine(onnx: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def graph(onnx: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graph")
    windows = [
        window
        for article in ENCODER.encode([record.article for record in tiny.records(20, seed=4)])
        for window in ENCODER.pack(article.token_ids)
    ]
    write_graph(onnx, folder, ENCODER, windows)
    return folder


def batch_of(*texts: str) -> TokenBatch:
    """A window for each text."""
    articles = ENCODER.encode([Article(text=text) for text in texts])
    windows = [window for article in articles for window in ENCODER.pack(article.token_ids)]
    assert len(windows) == len(texts)
    return ENCODER.batch(windows)


SHORT = "Snow."
MIDDLE = "The quay of the village thrives."
LONG = "Our apples of the town suffers. The library opens after lunch. Snow covers the road."


def onnx_outputs(engine: onnxruntime.InferenceSession, batch: TokenBatch) -> NDArray[Any]:
    feeds = dict(zip(INPUTS, (batch.input_ids, batch.attention_mask), strict=True))
    outputs: NDArray[Any] = engine.run([OUTPUT], feeds)[0]
    return outputs


def torch_outputs(lens: LensModel, batch: TokenBatch) -> NDArray[Any]:
    with torch.inference_mode():
        outputs: NDArray[Any] = lens.token_outputs(
            torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
        ).numpy()
    return outputs


@pytest.mark.parametrize("texts", [[SHORT], [LONG], [MIDDLE, SHORT], [LONG, SHORT, MIDDLE, SHORT]])
def test_onnx_gives_what_torch_gives(
    lens: LensModel, engine: onnxruntime.InferenceSession, texts: list[str]
) -> None:
    batch = batch_of(*texts)
    ours, theirs = onnx_outputs(engine, batch), torch_outputs(lens, batch)
    assert ours.shape == (*batch.input_ids.shape, COLUMNS)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_onnx_gives_a_window_the_same_alone_as_padded(
    engine: onnxruntime.InferenceSession,
) -> None:
    batch = batch_of(LONG, SHORT, MIDDLE)
    together = onnx_outputs(engine, batch)[batch.content_mask]
    alone = [
        onnx_outputs(engine, one)[one.content_mask] for one in map(batch_of, (LONG, SHORT, MIDDLE))
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-5)


def test_the_mask_is_in_the_graph(engine: onnxruntime.InferenceSession) -> None:
    batch = batch_of(LONG, SHORT)
    shown = TokenBatch(
        input_ids=batch.input_ids,
        attention_mask=np.ones_like(batch.attention_mask),
        content_mask=batch.content_mask,
        segment_starts=batch.segment_starts,
    )
    difference = np.abs(onnx_outputs(engine, batch) - onnx_outputs(engine, shown))
    assert difference[0].max() < 1e-6
    assert difference[1].max() > 1e-3


def test_the_file_stands_alone_with_open_dimensions(
    onnx: Path, engine: onnxruntime.InferenceSession
) -> None:
    assert [path.name for path in onnx.parent.iterdir()] == [onnx.name]
    assert [item.name for item in engine.get_inputs()] == list(INPUTS)
    for item in engine.get_inputs():
        assert item.type == "tensor(int64)"
        assert not any(isinstance(size, int) for size in item.shape)
    (output,) = engine.get_outputs()
    assert output.name == OUTPUT
    assert output.shape[-1] == COLUMNS


def test_the_heads_are_found_from_the_output_and_nothing_else(onnx: Path) -> None:
    model = load_engine().Core().read_model(onnx)
    names = set(head_nodes(model))
    kinds = [(node.get_type_name(), node.get_friendly_name() in names) for node in model.get_ops()]
    products = [inside for kind, inside in kinds if kind == "MatMul"]
    # Attention, presence, stance attention; hidden, shared and own part of the stance.
    assert sum(products) == HEADS + 2
    # Two layers of query, key, value, output and two of the wide map; two products of attention.
    assert len(products) - sum(products) == 2 * 8
    assert [inside for kind, inside in kinds if kind == "Softmax"] == [False, False]


def test_the_encoder_is_in_int8_and_the_heads_are_not(graph: Path) -> None:
    model = load_engine().Core().read_model(graph / GRAPH)
    quantised = [node for node in model.get_ops() if node.get_type_name() == "FakeQuantize"]
    assert len(quantised) > 8
    heads = set(head_nodes(model))
    assert heads
    assert not heads & {node.get_friendly_name() for node in quantised}


def test_the_int8_graph_is_near_the_float_module(lens: LensModel, graph: Path) -> None:
    session = Session(
        (graph / GRAPH).read_bytes(), (graph / WEIGHTS).read_bytes(), n_columns=COLUMNS, threads=1
    )
    batch = batch_of(LONG, SHORT, MIDDLE)
    ours = session.run(batch)
    theirs = torch_outputs(lens, batch)[batch.content_mask]
    for part in output_columns(2, 1):
        error = np.abs(ours[:, part] - theirs[:, part]).mean()
        assert error < 0.1 * theirs[:, part].std() + 0.01
    alone = np.concatenate([session.run(one) for one in map(batch_of, (LONG, SHORT, MIDDLE))])
    np.testing.assert_allclose(ours, alone, atol=1e-4)


def test_quantising_leaves_only_the_graph_and_says_nothing(
    onnx: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    windows = list(ENCODER.pack([[70, 71, 72]]))
    write_graph(onnx, tmp_path, ENCODER, windows)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([GRAPH, WEIGHTS])
    assert capfd.readouterr().out == ""
