import threading

import numpy as np
import pytest

import zoo
from zoo.audio import Segmentation
from zoo.inference.prediction import ahead, batches, stream

CUT = Segmentation(1000, 1000)


def predictions(sources, tail=True):
    found = stream(sources, lambda batch, _: lambda: batch.sum(axis=1), 100, CUT, tail)
    return [prediction for _, prediction in found]


@pytest.mark.parametrize("segments", [1, 5, 8, 13, 16])
def test_every_segment_is_predicted_once_and_in_order(segments):
    sound = np.repeat(np.arange(segments) / 100, 1000).astype("float32")
    (found,) = predictions([(sound + 0.001, 100)])
    np.testing.assert_allclose(found.values, np.arange(segments) * 10 + 1, atol=1e-2)
    np.testing.assert_allclose(found.times, np.arange(segments) * 10.0)
    np.testing.assert_allclose(found.seconds, 10.0)


def test_the_next_batch_is_started_before_a_result_is_awaited():
    steps = []

    def start(batch, only):
        steps.append(f"start {len(batch)}" + " only" * only)

        def result():
            steps.append(f"await {len(batch)}")
            return batch.sum(axis=1)

        return result

    sounds = [(np.full(1000 * segments, 0.1, "float32"), 400) for segments in (13, 2)]
    for _ in stream(sounds, start, 400, CUT):
        steps.append("yield")  # a result does not wait for the next sound
    first = ["start 8", "start 4", "await 8", "start 1", "await 4", "await 1", "yield"]
    assert steps == [*first, "start 2 only", "await 2", "yield"]


def test_long_segments_come_one_by_one():
    sizes = []

    def start(batch, only):
        sizes.append(len(batch))
        return lambda: batch.sum(axis=1)

    for length, size in ((3008, 8), (6000, 4), (12000, 2), (29120, 1)):  # the first is pons2017's
        sizes.clear()
        sound = np.full(16 * length, 0.1, "float32")
        list(stream([(sound, 1000)], start, 1000, Segmentation(length, length)))
        assert sizes == [size] * (16 // size)


def test_batches_are_powers_of_two():
    sizes = [len(batch) for batch, _ in batches(range(23))]
    assert sizes == [8, 8, 4, 2, 1]
    assert [last for _, last in batches(range(23))] == [False] * 4 + [True]


def test_a_bad_sound_does_not_stop_the_next():
    good = (np.full(1500, 0.1, "float32"), 100)
    first, bad, last = predictions([good, "missing.wav", good])
    assert isinstance(bad, FileNotFoundError)
    np.testing.assert_array_equal(first.values, last.values)


def test_an_error_in_the_thread_is_raised_where_items_are_taken():
    def items():
        yield 1
        raise ZeroDivisionError

    taken = ahead(items(), 2)
    assert next(taken) == 1
    with pytest.raises(ZeroDivisionError):
        next(taken)


def test_the_thread_ends_when_the_consumer_stops():
    endless = ahead(iter(int, 1), 2)
    next(endless)
    endless.close()
    assert not [t for t in threading.enumerate() if t.name == "zoo-decode"]


def test_no_more_than_a_few_batches_wait():
    made = []

    def items():
        for i in range(1000):
            made.append(i)
            yield i

    taken = ahead(items(), 3)
    next(taken)
    threading.Event().wait(0.3)
    assert len(made) <= 3 + 2
    taken.close()


def test_bare_array_is_refused():
    (error,) = predictions([np.zeros(100, "float32")])
    assert isinstance(error, zoo.AudioError)
