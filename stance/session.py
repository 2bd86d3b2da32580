"""Runs the token graph: the only module that knows the inference engine."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.encoding import TokenBatch
from stance.errors import ModelError, cut, in_words, listing

GRAPH = "model.xml"
WEIGHTS = "model.bin"
INPUTS = ("input_ids", "attention_mask")


def load_engine() -> ModuleType:
    """Import OpenVINO without its model converter and without its telemetry.

    Its own `__init__` imports the converter, which reports the import to OpenVINO's makers and
    costs half of the time; it goes on without where the converter cannot be had. Every import of
    the engine in this project goes through here, since the first one decides.
    """
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    # None makes an import fail, and what asks for telemetry has a silent stand-in for that.
    modules.setdefault("openvino_telemetry", None)
    converter = "openvino.tools.ovc"
    hidden = converter not in modules
    if hidden:
        modules[converter] = None
    try:
        import openvino
    finally:
        if hidden:
            del modules[converter]
    return openvino  # type: ignore[no-any-return]


class Session:
    """The compiled graph of one model.

    Args:
        graph: OpenVINO IR, as bytes.
        weights: Its weights, as bytes.
        n_columns: Width of the output (see `stance.pooling.output_columns`).
        threads: Most threads to use; None for all cores.
    """

    def __init__(
        self, graph: bytes, weights: bytes, *, n_columns: int, threads: int | None = None
    ) -> None:
        """Compile the graph.

        Raises:
            ModelError: If it is not a graph with the inputs and the output that are expected.
        """
        ov = load_engine()
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            # The released numbers are int8 by int8; a processor's bf16 must not move the rest.
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        # The engine would look for the other formats that it reads, some of which name files.
        if not graph.startswith(b"<?xml"):
            raise ModelError(f"{GRAPH}: not a graph that OpenVINO reads: it does not begin as XML")
        core = ov.Core()
        try:
            tensor = ov.Tensor(np.frombuffer(weights, dtype=np.uint8))
            model = core.read_model(model=graph, weights=tensor)
            names = [cut(port.get_any_name()) for port in model.inputs]
            shapes = [port.partial_shape for port in model.outputs]
        except Exception as error:  # RuntimeError, and what the bindings raise on a broken graph
            raise ModelError(
                f"{GRAPH}: not a graph that OpenVINO reads: {in_words(error)}"
            ) from None
        if sorted(names) != sorted(INPUTS) or len(shapes) != 1:
            raise ModelError(
                f"{GRAPH}: expected the inputs {' and '.join(INPUTS)} and one output, "
                f"found {listing(sorted(names))} and {len(shapes)}"
            )
        (shape,) = shapes
        static = shape.rank.is_static and shape.rank.get_length() and shape[-1].is_static
        if not static or shape[-1].get_length() != n_columns:
            raise ModelError(
                f"{GRAPH}: expected an output {n_columns} wide, as the schema asks, "
                f"found the shape {cut(str(shape))}"
            )
        self._n_columns = n_columns
        try:
            self._request = core.compile_model(model, "CPU", options).create_infer_request()
        except Exception as error:
            raise ModelError(f"{GRAPH}: cannot be compiled: {in_words(error)}") from None

    def run(self, batch: TokenBatch) -> NDArray[np.float32]:
        """Outputs of the content tokens, row by row: shape (content tokens, columns), all finite.

        Raises:
            ModelError: If the graph cannot be run, or gives something else.
        """
        try:
            outputs: NDArray[np.float32] = self._request.infer(
                {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask},
                share_inputs=True,
            )[0]
        except Exception as error:
            raise ModelError(f"{GRAPH}: cannot be run: {in_words(error)}") from None
        expected = (*batch.content_mask.shape, self._n_columns)
        if outputs.shape != expected or outputs.dtype != np.float32:
            raise ModelError(
                f"{GRAPH}: expected an output of float32 in the shape {expected}, "
                f"found {outputs.dtype} {outputs.shape}"
            )
        found = outputs[batch.content_mask]
        if not np.isfinite(found).all():
            raise ModelError(
                f"{GRAPH}: expected finite outputs, found others; do not use this model"
            )
        return found
