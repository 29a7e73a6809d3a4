"""From a network with one output per frame to onset times, for audio of any length."""

from collections.abc import Callable, Iterable

import numpy as np

from zoo import audio
from zoo.errors import ConfigError
from zoo.inference import prediction
from zoo.inference.results import Onsets

# madmom's CNNOnsetDetector (0.16.1) smooths with np.hamming(5), whose sum is 2.24, and has the
# threshold .54. Here the kernel is divided by its sum, so that a threshold is a probability.
THRESHOLD = 0.54 / 2.24
SMOOTH = 0.05
COMBINE = 0.03

CHUNK = 512  # frames that the network takes at once: 5 s; best in TensorFlow
# Of a runtime: best in ONNX Runtime, which computes the chunks of a batch side by side.
RUNTIME_CHUNKS = {"chunk": 256, "batch": 8}


def detect(
    source: audio.Source,
    predict: Callable[[np.ndarray], np.ndarray],
    sample_rate: int,
    hop_length: int,
    context: int,
    model: str,
    chunk: int = CHUNK,
    batch: int = 1,
    **picking: float,
) -> Onsets:
    """Find the onsets in a sound.

    Args:
        source: a file, or an (array, sample_rate) pair.
        predict: (chunks, samples) float32 -> (chunks, frames, 1), a frame every `hop_length`
            samples.
        sample_rate: of the network, in Hz.
        hop_length: in samples.
        context: as in `activations`.
        model: name of the network.
        chunk: as in `activations`.
        batch: as in `activations`.
        **picking: of `pick`.

    Returns:
        `Onsets`.

    Raises:
        AudioError: what is wrong with the audio.
        ConfigError: a network with several outputs a frame, or what `pick` raises.
    """
    frame_rate = sample_rate / hop_length
    pick(np.zeros(1), frame_rate, **picking)  # checks the settings before the work
    blocks = prediction.ahead(audio.stream(source, sample_rate), prediction.WAITING)
    activation = activations(blocks, predict, hop_length, context, chunk, batch)
    if activation.shape[1] != 1:
        raise ConfigError(f"{model} has {activation.shape[1]} outputs a frame; expected one.")
    times = pick(activation[:, 0], frame_rate, **picking)
    return Onsets(times, activation[:, 0], frame_rate, audio.name_of(source), model)


def activations(
    blocks: Iterable[np.ndarray],
    predict: Callable[[np.ndarray], np.ndarray],
    hop_length: int,
    context: int,
    chunk: int = CHUNK,
    batch: int = 1,
) -> np.ndarray:
    """Predict every frame of a sound in bounded memory, with the same result as in one piece.

    The sound is cut into chunks that overlap. The frames of a chunk near a cut lack some of their
    context, so they are taken from the neighbouring chunk. All chunks of a long sound have the same
    length, and the last one is shifted back, so that a compiled network gets one shape.

    Args:
        blocks: the sound in pieces (samples,), of any length each.
        predict: (chunks, samples) -> (chunks, frames, outputs) with frames = ceil(samples /
            hop_length), for which zeros at the end of the last frame make no difference.
        hop_length: in samples.
        context: frames at either side on which an output may depend, including those that the
            windows of a spectrogram reach into.
        chunk: frames that go through the network as one row; more than twice `context`.
        batch: chunks that go through the network at once.

    Returns:
        (frames, outputs) float32.
    """
    waiting = np.zeros(0, "float32")  # samples still needed, from frame `first` on
    first = 0
    start = 0  # frame where the next chunk begins
    done = 0  # frames predicted so far
    parts: list[np.ndarray] = []
    rows: list[tuple[np.ndarray, slice]] = []  # samples of a chunk, and the frames that count

    def flush() -> None:
        if rows:
            predicted = predict(np.stack([samples for samples, _ in rows]))
            parts.extend(p[which] for p, (_, which) in zip(predicted, rows, strict=True))
            rows.clear()

    for block in blocks:
        waiting = np.concatenate([waiting, block])
        while len(waiting) > (start + chunk - first) * hop_length:  # it is not the last one
            waiting, first = waiting[(start - first) * hop_length :], start
            rows.append((waiting[: chunk * hop_length], slice(done - start, chunk - context)))
            done = start + chunk - context
            start = done - context
            if len(rows) == batch:
                flush()
    flush()
    end = first + -(-len(waiting) // hop_length)
    start = max(first, end - chunk)
    last = waiting[(start - first) * hop_length :]
    last = np.pad(last, (0, (end - start) * hop_length - len(last)))
    parts.append(predict(last[None])[0][done - start :])
    return np.concatenate(parts).astype("float32")


def pick(
    activation: np.ndarray,
    frame_rate: float,
    threshold: float = THRESHOLD,
    smooth: float = SMOOTH,
    combine: float = COMBINE,
) -> np.ndarray:
    """Pick the peaks of an activation as madmom's CNNOnsetDetector (0.16.1) does.

    A peak is a frame of the smoothed activation that reaches the threshold and is no lower than
    its two neighbours.

    Args:
        activation: (frames,), between 0 and 1.
        frame_rate: frames a second.
        threshold: of the smoothed activation, above 0. madmom's .54 is .2411 here, since the
            smoothing kernel has the sum 1.
        smooth: length of the Hamming window that smooths, in seconds; 0 for none.
        combine: of peaks that follow each other within this time, in seconds, the first stays.

    Returns:
        (onsets,) times in seconds, ascending: a frame's time is that of its middle.

    Raises:
        ConfigError: a threshold that is not between 0 and 1, or a negative time.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"threshold is {threshold}; it must be above 0 and at most 1.")
    if smooth < 0 or combine < 0:
        raise ConfigError(f"smooth is {smooth} and combine {combine}; times are not negative.")
    kernel = np.hamming(max(1, round(smooth * frame_rate)))
    smoothed = np.convolve(activation, kernel / kernel.sum())
    smoothed = smoothed[(len(kernel) - 1) // 2 :][: len(activation)]
    around = np.pad(smoothed, 1)
    is_peak = (smoothed >= threshold) & (smoothed >= np.maximum(around[:-2], around[2:]))
    times: list[float] = []
    for time in np.flatnonzero(is_peak) / frame_rate:
        if not times or time - times[-1] > combine + 1e-9:
            times.append(time)
    return np.array(times, dtype="float64")
