"""The weights that this project trained: there with the network off, small, and honest about it."""

import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

import zoo
from zoo.registry import lookup, manifest

OURS = [name for name in lookup.list_models() if ".zoo" in name]
# What the architecture's name gives; `test_defaults.py` says why.
BARE = [name for name in OURS if manifest.load().checkpoint(name).default]
TAGGERS = [name for name in OURS if name != "schluter2014.zoo"]
CODE = """
import json, sys, zoo
found = {name: zoo.load(name.split(".")[0]) for name in sys.argv[1:]}
print(json.dumps({name: [model.name, len(model.labels)] for name, model in found.items()}))
"""


def test_bare_names_load_them_without_a_network(tmp_path):
    away = {"ZOO_CACHE": os.devnull, "ZOO_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *BARE],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,  # the installed package, not the folder of the checkout
        env={**os.environ, **away, "http_proxy": "http://0.0.0.0:1", "https_proxy": "http://0.0.0.0:1"},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert {name: found[name][0] for name in BARE} == {name: name for name in BARE}
    assert all(found[name][1] == 50 for name in BARE if name in TAGGERS)


def test_one_of_them_takes_shorter_segments_than_its_paper():
    model = zoo.load("choi2016.zoo_3s")
    assert model.segmentation.segment == 36000
    assert model.segmentation.segment == zoo.info(model.name).checkpoints[model.name].input.segment
    assert zoo.load("choi2016.zoo").segmentation.segment == 349440


def test_they_are_small_enough_to_be_bundled():
    sizes = [manifest.load().checkpoint(name).sources[0].bytes for name in OURS]
    assert max(sizes) <= 12e6
    assert sum(sizes) <= 40e6


@pytest.mark.parametrize("name", OURS)
def test_the_entry_states_its_origin_and_limits(name):
    entry = manifest.load().checkpoint(name)
    assert {metric.kind for metric in entry.metrics} == {"measured"}
    goes_on_from_others = name == "pons2017.zoo"
    assert entry.licence.weights == ("ISC" if goes_on_from_others else "Apache-2.0")
    assert "Not the " in entry.provenance
    assert "Hardware" in entry.provenance
    assert "Date" in entry.provenance


@pytest.mark.parametrize("name", TAGGERS)
def test_a_student_names_its_teachers(name):
    provenance = manifest.load().checkpoint(name).provenance
    assert "pons2017.mtt" in provenance
    assert "not comparable with MagnaTagATune" in provenance


@pytest.mark.parametrize("name", TAGGERS)
def test_a_student_tags_a_prelude_as_classical_and_not_as_metal(name, example):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", zoo.AudioWarning)  # choi2016 repeats what is short
        order = list(zoo.load(name).tag(example, top=None).to_dict())
    assert "classical" in order[:5]
    assert order.index("metal") > 20


# --- onsets ---


@pytest.fixture(scope="module")
def plucks() -> tuple[np.ndarray, np.ndarray]:
    """Sixteen plucked tones, loud and soft, over a recording's hiss, and when they begin."""
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.2, 0.5, 16))
    sound = rng.normal(0, 3e-4, round(44100 * (times[-1] + 1.5)))
    for time in times:
        start = round(44100 * time)
        t = np.arange(len(sound) - start) / 44100
        pitch, level = rng.uniform(150, 900), rng.uniform(0.1, 0.5)
        partials = sum(np.sin(2 * np.pi * pitch * k * t) / k for k in range(1, 6))
        sound[start:] += level * np.exp(-6 * t) * partials
    return (sound / np.abs(sound).max() * 0.8).astype("float32"), times


def test_onsets_of_plucked_tones_are_found(plucks):
    sound, times = plucks
    found = zoo.load("schluter2014").onsets((sound, 44100)).times
    assert len(found) == len(times)
    assert np.abs(found - times).max() < 0.025


def test_silence_has_no_onsets():
    with pytest.warns(zoo.AudioWarning, match="silent"):
        found = zoo.load("schluter2014").onsets((np.zeros(88200, "float32"), 44100))
    assert len(found.times) == 0
