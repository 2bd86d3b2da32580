"""The engine's session takes only the graph that it expects, and gives the tokens' outputs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tiny

from stance.encoding import ArticleEncoder
from stance.errors import ModelError
from stance.session import GRAPH, WEIGHTS, Session, load_engine

TABLE = tiny.token_table()


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    folder = tmp_path_factory.mktemp("graph")
    tiny.write_graph(folder, TABLE)
    return (folder / GRAPH).read_bytes(), (folder / WEIGHTS).read_bytes()


@pytest.fixture(scope="module")
def session(graph: tuple[bytes, bytes]) -> Session:
    return Session(*graph, n_columns=TABLE.shape[1], threads=1)


def windows(encoder: ArticleEncoder) -> list[list[int]]:
    made = encoder.tokenizer
    texts = ["The quay thrives.", "Snow.", "Our orchard of the village declines in the town."]
    return [made.encode(text, add_special_tokens=False).ids for text in texts]


def test_outputs_are_those_of_the_content_tokens_row_by_row(session: Session) -> None:
    encoder = tiny.encoder()
    ids = windows(encoder)
    batch = encoder.batch([window for one in ids for window in encoder.pack([one])])
    outputs = session.run(batch)
    expected = []
    for one in ids:
        # [CLS] and [SEP] are in the window's mean, as they are in an encoder's attention.
        frame = [tiny.vocabulary().index("[CLS]"), *one, tiny.vocabulary().index("[SEP]")]
        expected.append(TABLE[one] + 0.05 * TABLE[frame].mean(axis=0))
    np.testing.assert_allclose(outputs, np.concatenate(expected), rtol=1e-5, atol=1e-5)


def test_a_window_gives_the_same_alone_as_padded(session: Session) -> None:
    encoder = tiny.encoder()
    packed = [window for one in windows(encoder) for window in encoder.pack([one])]
    together = session.run(encoder.batch(packed))
    alone = np.concatenate([session.run(encoder.batch([window])) for window in packed])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_an_earlier_result_is_not_written_over(session: Session) -> None:
    encoder = tiny.encoder()
    first, second, _ = (encoder.batch([*encoder.pack([one])]) for one in windows(encoder))
    kept = session.run(first)
    before = kept.copy()
    session.run(second)
    np.testing.assert_array_equal(kept, before)


def test_threads_are_limited(session: Session) -> None:
    compiled = session._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


@pytest.mark.parametrize("content", [b"", b"<?xml", b"<net></net>", b"\x00\xff"])
def test_what_is_no_graph_is_refused(content: bytes, graph: tuple[bytes, bytes]) -> None:
    with pytest.raises(ModelError, match=r"model\.xml: not a graph that OpenVINO reads"):
        Session(content, graph[1], n_columns=8)


def test_other_inputs_are_refused(tmp_path: Path) -> None:
    tiny.write_graph(tmp_path, TABLE, names=("input_ids", "token_type_ids"))
    with pytest.raises(ModelError, match="expected the inputs input_ids and attention_mask"):
        Session((tmp_path / GRAPH).read_bytes(), (tmp_path / WEIGHTS).read_bytes(), n_columns=8)


def test_another_width_is_refused(graph: tuple[bytes, bytes]) -> None:
    with pytest.raises(ModelError, match=r"expected an output 9 wide, .*, found .*8\]"):
        Session(*graph, n_columns=9)


def test_a_width_that_is_not_fixed_is_refused(tmp_path: Path) -> None:
    engine = load_engine()
    ops = engine.opset13
    ports = [
        ops.parameter([-1, -1], np.int64, name=name) for name in ("input_ids", "attention_mask")
    ]
    for port, name in zip(ports, ("input_ids", "attention_mask"), strict=True):
        port.output(0).get_tensor().set_names({name})
    added = ops.convert(ops.add(*ports), "f32")
    engine.save_model(engine.Model([ops.result(added)], ports, "open"), tmp_path / GRAPH)
    with pytest.raises(ModelError, match="expected an output 8 wide"):
        Session((tmp_path / GRAPH).read_bytes(), (tmp_path / WEIGHTS).read_bytes(), n_columns=8)


def test_loading_the_engine_bars_its_converter_for_nobody_else() -> None:
    load_engine()
    assert sys.modules.get("openvino.tools.ovc", load_engine) is not None
    assert sys.modules["openvino_telemetry"] is None
