"""Run the networks that Keunwoo Choi released as he wrote them, and keep what they give.

The original is https://github.com/keunwoochoi/music-auto_tagging-keras. Its commit 83ab894 has the
code that fits the weights (later code has other layers), and needs Keras 1.0.6 under Theano:

    python3.11 -m venv original
    original/bin/pip install numpy==1.23.5 scipy==1.10.1 'setuptools<60' wheel six pyyaml h5py==3.8.0
    original/bin/pip install --no-build-isolation theano==1.0.5
    original/bin/pip install --no-build-isolation --no-deps keras==1.0.6
    original/bin/pip install librosa==0.11.0 soundfile soxr numpy==1.23.5
    git clone https://github.com/keunwoochoi/music-auto_tagging-keras
    git -C music-auto_tagging-keras checkout 83ab894
    KERAS_BACKEND=theano THEANO_FLAGS=floatX=float32,blas.ldflags= original/bin/python \
        recipes/golden_choi2016.py music-auto_tagging-keras \
        examples/audio/bach_prelude_c_major.flac tests/golden/example_choi2016.npz

Without a C++ compiler, add `cxx=` to the flags; it is slower. pip warns of the old NumPy; what runs
here works with it. `tests/golden/README.md` describes what is stored.
"""

import argparse
import collections
import inspect
import sys
from pathlib import Path

import numpy as np

RATE, SAMPLES = 12000, 349440
NETWORKS = {
    "choi2016.msd": ("music_tagger_cnn", "MusicTaggerCNN"),
    "choi2016.crnn_msd": ("music_tagger_crnn", "MusicTaggerCRNN"),
}
CLIPS = ("bensound-cute", "bensound-thejazzpiano")  # of the original's spectrograms in data/

Arguments = collections.namedtuple("Arguments", "args varargs keywords defaults")


def melgram(samples: np.ndarray) -> np.ndarray:
    """Return the spectrogram of the original's audio_processor.py by today's librosa: (96, 1366).

    The window of librosa 0.4 reflected the edges, as `pad_mode` has it here.
    """
    import librosa

    mel = librosa.feature.melspectrogram(
        y=samples, sr=RATE, n_fft=512, hop_length=256, n_mels=96, pad_mode="reflect"
    )
    return librosa.power_to_db(mel**2, ref=1.0, top_db=80.0)


def main() -> None:
    """Read the command line, run the original, write the golden file and show the best scores."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("code", type=Path, help="the checkout of the original")
    parser.add_argument("audio", type=Path)
    parser.add_argument("output", type=Path, help="the .npz file to write")
    arguments = parser.parse_args()
    if not hasattr(inspect, "getargspec"):  # Keras 1 and Theano are older than Python 3.11
        inspect.getargspec = lambda f: Arguments(*inspect.getfullargspec(f)[:4])
    import soundfile
    import soxr

    sys.path.insert(0, str(arguments.code))
    clip, rate = soundfile.read(arguments.audio, dtype="float32", always_2d=True)
    clip = soxr.resample(clip.mean(axis=1), rate, RATE)[:SAMPLES]
    spectrograms = {"example": melgram(clip)}
    for name in CLIPS:
        spectrograms[name] = np.load(arguments.code / "data" / f"{name}.npy")[0, 0]
    stored = {"example/melgram": spectrograms["example"].T[::8].astype("float16")}

    from keras import backend
    from keras.models import Model

    backend.set_image_dim_ordering("th")
    for name, (module, kind) in NETWORKS.items():
        network = getattr(__import__(module), kind)(weights=None)
        network.load_weights(str(arguments.code / "data" / f"{module}_weights_theano.h5"))
        both = Model(network.input, [network.layers[-2].output, network.output])
        for sound, values in spectrograms.items():
            standardised = (values - values.mean()) / values.std()
            batch = standardised[None, None].astype("float32")
            penultimate, probabilities = both.predict(batch)
            stored[f"{name}/{sound}/penultimate"] = penultimate[0]
            stored[f"{name}/{sound}/probabilities"] = probabilities[0]
            print(name, sound, np.sort(probabilities[0])[-3:], flush=True)
    np.savez_compressed(arguments.output, **stored)


if __name__ == "__main__":
    main()
