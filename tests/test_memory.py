import sys

from conftest import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "benchmarks"))

from memory import peak_megabytes, write_noise


def test_peak_memory_is_small_and_does_not_grow_with_length(tmp_path):
    write_noise(tmp_path / "short.wav", 2)
    write_noise(tmp_path / "long.wav", 16)
    short = peak_megabytes(tmp_path / "short.wav")
    long = peak_megabytes(tmp_path / "long.wav")
    assert long < 1536
    assert long < short + 60  # the long one has 148 MB more of samples at 16 bit
