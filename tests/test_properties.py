"""What holds for every input: segmentation, resampling, excerpts, division, metrics, peaks."""

import itertools
import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from zoo import audio
from zoo.audio import Segmentation
from zoo.data.division import divide
from zoo.errors import ConfigError
from zoo.evaluation import metrics
from zoo.inference.onsets import pick

# The same examples in every run; no limit for one, since these machines are shared.
few = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
RATES = st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000])


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype("float32")


@st.composite
def cuts(draw) -> Segmentation:
    segment = draw(st.integers(1, 400))
    pad = draw(st.integers(0, max((segment - 1) // 3, 0)))
    return Segmentation(segment, draw(st.integers(1, segment)), pad)


@few
@given(cuts(), st.integers(1, 3000), st.booleans())
def test_segments_are_cuts_of_the_padded_sound(cut, samples, tail):
    sound = noise(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of short sounds
        found = list(audio.segments((sound, 1000), 1000, cut, tail=tail))
    padded = np.pad(sound, cut.pad)
    assert found
    for i, segment in enumerate(found):
        assert segment.samples.shape == (cut.segment,)
        if len(padded) >= cut.segment:
            place = round(segment.start * 1000)
            np.testing.assert_array_equal(
                segment.samples, padded[place : place + cut.segment], err_msg=str(i)
            )
    assert all(a.start < b.start for a, b in itertools.pairwise(found))
    if tail:
        assert sum(s.fresh for s in found) == pytest.approx(samples / 1000)


@few
@given(RATES, RATES, st.integers(2000, 30000))
def test_resampling_keeps_length_and_is_the_same_in_blocks(rate, wanted, samples):
    sound = noise(samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of empty bands
        whole = audio.load((sound, rate), wanted)
    assert abs(len(whole) - samples * wanted / rate) <= 1
    assert np.isfinite(whole).all()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A sound of four seconds in several formats, and its samples at several rates."""
    folder = tmp_path_factory.mktemp("sounds")
    found = {}
    for suffix in ("wav", "flac", "ogg", "mp3"):
        soundfile.write(folder / f"a.{suffix}", noise(4 * 44100), 44100)
        found[suffix] = folder / f"a.{suffix}"
    return found


@few
@given(
    st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    st.sampled_from([16000, 22050, 44100]),
    st.floats(0, 3.5),
    st.floats(0.05, 0.4),
)
def test_an_excerpt_is_a_cut_of_the_whole(files, suffix, rate, start, length):
    whole = audio.load(files[suffix], rate)
    part = audio.load(files[suffix], rate, start, start + length)
    first = round(start * rate)
    assert len(part) == round((start + length) * rate) - first
    np.testing.assert_allclose(part, whole[first : first + len(part)], atol=2e-5)


@few
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 7)), min_size=6, max_size=60),
    st.integers(0, 5),
)
def test_a_division_keeps_groups_whole_and_uses_each_clip_once(clips, seed):
    groups = [f"g{group}" for group, _ in clips]
    targets = np.array([[tags >> i & 1 for i in range(3)] for _, tags in clips], "float32")
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    try:
        splits = divide("x", targets, groups, shares, ("a", "b", "c"), seed)
    except ConfigError:  # too few groups, or none of a label left for train
        return
    assert sorted(i for members in splits.values() for i in members) == list(range(len(clips)))
    of = {i: name for name, members in splits.items() for i in members}
    for group in set(groups):
        assert len({of[i] for i, own in enumerate(groups) if own == group}) == 1
    assert splits == divide("x", targets, groups, shares, ("a", "b", "c"), seed)


@few
@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0]), st.integers(1, 4)
        ),
        min_size=2,
        max_size=40,
    )
)
def test_areas_are_those_of_scikit_learn(clips):
    positive, scores, counts = (np.array(column) for column in zip(*clips, strict=True))
    roc, pr = metrics.auc_rounds(
        positive[:, None].astype("float32"), scores[:, None], counts[:, None].astype("float32")
    )
    if positive.all() or not positive.any():
        assert np.isnan(roc).all()
        return
    y, x = np.repeat(positive, counts), np.repeat(scores, counts)
    assert roc[0, 0] == pytest.approx(roc_auc_score(y, x), abs=1e-6)
    assert pr[0, 0] == pytest.approx(average_precision_score(y, x), abs=1e-6)
    assert 0 <= roc[0, 0] <= 1


@few
@given(
    st.lists(st.floats(0, 1, width=32), min_size=1, max_size=300),
    st.floats(0.01, 1),
    st.sampled_from([0.0, 0.02, 0.05]),
    st.sampled_from([0.0, 0.03, 0.1]),
)
def test_picked_peaks_are_ascending_apart_and_above_the_threshold(
    values, threshold, smooth, combine
):
    activation = np.array(values, "float32")
    found = pick(activation, 100, threshold, smooth, combine)
    assert (np.diff(found) > combine).all()
    assert ((found >= 0) & (found < len(activation) / 100)).all()
    if smooth == 0:
        frames = np.round(found * 100).astype(int)
        assert (activation[frames] >= threshold).all()
    lower = pick(activation, 100, threshold / 2, smooth, 0)
    assert set(pick(activation, 100, threshold, smooth, 0)) <= set(lower)
