"""Networks in ONNX Runtime and in OpenVINO: a forward pass to one or more stages of a graph.

Both are imported when a session is made, and only the one that is asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo.errors import ConfigError
from zoo.utils import cores
from zoo.utils.lazy import required

SIDE_BY_SIDE = 8  # segments at most; each takes memory for its intermediate results


@dataclass(frozen=True)
class Forward:
    """A forward pass: (batch, samples) float32 -> each of the stages, (batch, ...) float32.

    Attributes:
        start: takes a batch, and whether no other is computed beside it, and returns a function
            that waits for its result. ONNX Runtime computes meanwhile, so that no core waits for
            the last segment of a batch.
    """

    start: Callable[[np.ndarray, bool], Callable[[], list[np.ndarray]]]

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        """Compute a batch."""
        return self.start(batch, True)()


def onnx(
    model: bytes | str,
    stages: Sequence[str],
    arrays: Mapping[str, np.ndarray] | None = None,
    samples: int | None = None,
    threads: int | None = None,
) -> Forward:
    """Open a network in ONNX Runtime.

    Args:
        model: an ONNX model, or the path of one.
        stages: the outputs to compute.
        arrays: initializers that the model does not hold; they are shared, not copied.
        samples: length of the input, if it is always the same; None for any.
        threads: that compute an operation, one segment after the other; None for one per core, and
            several segments at the same time.

    Returns:
        The forward pass. Its first call opens the network, unless `threads` is given.

    Raises:
        ConfigError: ONNX Runtime is not installed, or refuses the model.
    """
    ort = required(
        "onnxruntime",
        "ONNX Runtime cannot be imported ({error}): pip install onnxruntime, or use "
        "runtime='keras' (--runtime keras).",
    )
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in (arrays or {}).values()]

    def opened(threads: int | None) -> Any:
        options = ort.SessionOptions()
        options.log_severity_level = 3  # errors, not warnings
        # Decoding needs cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if threads:
            options.intra_op_num_threads = threads
        if samples is not None:
            options.add_free_dimension_override_by_name("samples", samples)
        if values:
            options.add_external_initializers(list(arrays or {}), values)
        try:
            return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime has classes of its own, without a common base
            reason = str(error).partition("\n")[0]
            raise ConfigError(f"ONNX Runtime cannot open the network: {reason}") from error

    def start(session: Any, mapped: Callable, batch: np.ndarray) -> Callable:
        # Each segment is a run: pons2017 took 0.91 s of CPU so for 11 segments, 1.24 by 8.
        names = list(stages)
        batch = np.ascontiguousarray(batch, "float32")
        found = mapped(lambda x: session.run(names, {"waveform": x[None]}), batch)
        return lambda: [np.concatenate(parts) for parts in zip(*found, strict=True)]

    count = cores.available()
    if threads is not None or count == 1:
        session = opened(threads)
        return Forward(lambda batch, _: start(session, map, batch))
    # Several segments run side by side, each with few threads: on two cores a song of 410 s took
    # 0.80 s so with lee2009 and 2.79 with pons2017, 0.92 and 3.09 one by one with all threads.
    # A single segment has all threads, unless only the other session is open already; the results
    # of both differ by rounding.
    alone: Any = None
    together: Any = None
    pool = ThreadPoolExecutor(min(count, SIDE_BY_SIDE))

    def choose(batch: np.ndarray, only: bool) -> Callable[[], list[np.ndarray]]:
        nonlocal alone, together
        if only and len(batch) == 1 and (alone or not together):
            alone = alone or opened(None)
            return start(alone, map, batch)
        together = together or opened(max(count // SIDE_BY_SIDE, 1))
        return start(together, pool.map, batch)

    return Forward(choose)


def openvino(
    model: bytes | str,
    stages: Sequence[str],
    samples: int | None = None,
    dtype: str = "float32",
    threads: int | None = None,
) -> Forward:
    """Open a network in OpenVINO.

    Args:
        model: an ONNX model with its weights, or the path of one or of an .xml file.
        stages: the outputs to compute.
        samples: length of the input, if it is always the same; None for any.
        dtype: "float32", or "bfloat16" for processors that have it.
        threads: that compute an operation, one batch after the other; None for one per core, and
            parts of a batch at the same time.

    Returns:
        The forward pass.

    Raises:
        ConfigError: OpenVINO is not installed, or refuses the model.
    """
    advice = "OpenVINO cannot be imported ({error}): pip install 'music-zoo[openvino]'."
    openvino = required("openvino", advice)
    # Parts of a batch side by side, each with few threads: on two cores a segment of pons2017 in
    # bfloat16 took 20 ms so, 24 with both threads in each operation.
    count = cores.available()
    streams = 1 if threads else min(count, SIDE_BY_SIDE)
    core = openvino.Core()
    hints = {
        "INFERENCE_PRECISION_HINT": "bf16" if dtype == "bfloat16" else "f32",
        "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": threads or count,
    }
    try:
        network = core.read_model(model)
        network.reshape({"waveform": openvino.PartialShape([-1, samples or -1])})
        compiled = core.compile_model(network, "CPU", hints)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ConfigError(f"OpenVINO cannot open the network: {reason}") from error

    free: list[Any] = []  # requests that no batch uses

    def start(batch: np.ndarray, only: bool) -> Callable[[], list[np.ndarray]]:
        batch = np.ascontiguousarray(batch, "float32")
        parts = np.array_split(batch, min(streams, len(batch)))
        used = [free.pop() if free else compiled.create_infer_request() for _ in parts]
        for request, part in zip(used, parts, strict=True):
            request.start_async({"waveform": part})

        def result() -> list[np.ndarray]:
            for request in used:
                request.wait()
            # Copies: the next batch writes there.
            found = [np.concatenate([r.get_tensor(s).data for r in used]) for s in stages]
            free.extend(used)
            return found

        return result

    return Forward(start)
