"""Runs the token graph: the only module that knows the inference engine."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.encoding import TokenBatch
from stance.errors import ModelError

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
        core = ov.Core()
        try:
            tensor = ov.Tensor(np.frombuffer(weights, dtype=np.uint8))
            model = core.read_model(model=graph, weights=tensor)
            names = {port.get_any_name() for port in model.inputs}
            width = model.outputs[0].partial_shape[-1]
        except RuntimeError as error:
            raise ModelError(f"{GRAPH}: not a graph that OpenVINO reads: {error}") from None
        if names != set(INPUTS) or len(model.outputs) != 1:
            raise ModelError(
                f"{GRAPH}: expected the inputs {' and '.join(INPUTS)} and one output, "
                f"found {', '.join(sorted(names))} and {len(model.outputs)}"
            )
        if not width.is_static or width.get_length() != n_columns:
            raise ModelError(
                f"{GRAPH}: expected an output {n_columns} wide, as the schema asks, found {width}"
            )
        self._request = core.compile_model(model, "CPU", options).create_infer_request()

    def run(self, batch: TokenBatch) -> NDArray[np.float32]:
        """Outputs of the content tokens, row by row: shape (content tokens, columns)."""
        outputs: NDArray[np.float32] = self._request.infer(
            {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask},
            share_inputs=True,
        )[0]
        return outputs[batch.content_mask]
