"""How many int8 operations a second the processor reaches in one large matrix product.

The engine that stance runs on runs the product, through the same kernels: the input is rounded to
int8, multiplied by int8 weights, and given out as float. A product of an m x k and a k x n matrix
counts as 2 m k n operations. The best of many runs is taken: what can be reached, not a mean, and
below what the processor's data sheet would say.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.measuring import positive

SIZES = (
    (1_024, 1_024, 1_024),
    (4_096, 1_024, 1_024),
    (1_024, 4_096, 1_024),
    (2_048, 2_048, 2_048),
    (4_096, 4_096, 4_096),
)
"""Rows, inner width and columns of the products."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON object: the products, each with its operations a second and its kernel."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--threads", type=positive, default=2)
    parser.add_argument("--seconds", type=positive, default=2, help="for each product")
    options = parser.parse_args(arguments)
    products = [measure(*size, options.threads, options.seconds) for size in SIZES]
    print(json.dumps({"products": products}))
    return 0


def measure(m: int, k: int, n: int, threads: int, seconds: float) -> dict[str, Any]:
    """Run one product again and again for a while."""
    from stance.session import load_engine

    ov = load_engine()
    compiled = ov.Core().compile_model(
        _product(ov, m, k, n),
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
        },
    )
    request = compiled.create_infer_request()
    left = np.random.default_rng(1).uniform(-1, 1, (m, k)).astype(np.float32)
    best = float("inf")
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        started = time.perf_counter()
        request.infer({0: left}, share_inputs=True, share_outputs=True)
        best = min(best, time.perf_counter() - started)
    return {
        "size": [m, k, n],
        "kernel": _kernel(compiled),
        "operations_per_second": 2 * m * k * n / best,
    }


def _product(ov: Any, m: int, k: int, n: int) -> Any:
    """A graph as quantisation leaves it: rounding to 256 levels, int8 weights with their scale."""
    ops = ov.opset13
    left = ops.parameter([m, k], np.float32, name="left")
    low, high = np.float32(-1.28), np.float32(1.27)
    rounded = ops.fake_quantize(left, low, high, low, high, 256)
    weights = np.random.default_rng(0).integers(-127, 128, (n, k), dtype=np.int8)
    scale = ops.constant(np.full((n, 1), 0.01, np.float32))
    right = ops.multiply(ops.convert(ops.constant(weights), "f32"), scale)
    return ov.Model([ops.matmul(rounded, right, False, True)], [left], "product")


def _kernel(compiled: Any) -> str:
    """The kernel that the engine chose for the product."""
    for node in compiled.get_runtime_model().get_ordered_ops():
        info = node.get_rt_info()
        if info["layerType"].astype(str) in {"FullyConnected", "MatMul"}:
            return str(info["primitiveType"].astype(str))
    return "unknown"


if __name__ == "__main__":
    sys.exit(main())
