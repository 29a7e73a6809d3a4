import sys

import keras
import pytest
from conftest import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "benchmarks"))

from memory import peak_megabytes, write_noise


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's account of the process")
def test_peak_memory_is_small_and_does_not_grow_with_length(tmp_path):
    write_noise(tmp_path / "short.wav", 5, rate=16000)
    write_noise(tmp_path / "long.wav", 60, rate=16000)
    short = peak_megabytes(tmp_path / "short.wav")
    long = peak_megabytes(tmp_path / "long.wav")
    if keras.config.backend() == "tensorflow":  # PyTorch takes 1.7 GB: it imports TensorFlow, too
        assert long < 1536
    # 55 minutes are 211 MB of float32 samples; TensorFlow's own peak varies by some 110 MB.
    assert long < short + 150
