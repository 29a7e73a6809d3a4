"""What all tests share: the example clip, others' reference files, models loaded once."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# One thread an operation: sums in parallel end in an order that depends on what else the machine
# does, which a few steps of training blow up, and two trainings would not be the same. The tests
# run in several processes instead.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# numba, which librosa uses, loads wrong machine code if two processes write into one cache of
# compiled functions at once: each worker of pytest-xdist has its own.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["NUMBA_CACHE_DIR"] = str(
        Path(__file__).parents[1] / ".pytest_cache" / f"numba-{os.environ['PYTEST_XDIST_WORKER']}"
    )

import zoo
from zoo.cli import main
from zoo.registry import manifest
from zoo.weights import cache

CHECKOUT = Path(__file__).resolve().parent.parent
UPSTREAM = CHECKOUT.parent / "shared" / "upstream"
GOLDEN = CHECKOUT / "tests" / "golden"
# Programs that tests run in processes of their own import helpers and tests too.
SEARCHED = [CHECKOUT / "tests" / "helpers", CHECKOUT / "tests", os.environ.get("PYTHONPATH", "")]
os.environ["PYTHONPATH"] = os.pathsep.join(str(path) for path in SEARCHED if str(path))


def only_on(*backends: str) -> pytest.MarkDecorator:
    """Skip a test on other backends of Keras."""
    import keras

    other = keras.config.backend() not in backends
    return pytest.mark.skipif(other, reason=f"only on {' and '.join(backends)}")


def pytest_collection_modifyitems(items):
    """Mark the tests that `slow.txt` names: those that took more than five seconds."""
    slow = set((CHECKOUT / "tests" / "slow.txt").read_text(encoding="utf-8").split())
    for item in items:
        if item.nodeid.partition("[")[0].removeprefix("tests/") in slow:
            item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory):
    """Keep fetched weights of a test run out of the user's cache."""
    if "ZOO_CACHE" not in os.environ:
        os.environ["ZOO_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def settings() -> dict[str, str]:
    """The environment variables that change what zoo does."""
    return {k: v for k, v in os.environ.items() if k.startswith(("ZOO_", "HF_", "KERAS_"))}


@pytest.fixture(autouse=True)
def unchanged_settings(own_cache):
    """Fail a test that leaves a setting for the tests after it."""
    before = settings()
    yield
    assert settings() == before, "undo it, for example with pytest's monkeypatch"


@pytest.fixture(scope="session")
def example() -> Path:
    """The clip in the repository."""
    (path,) = (CHECKOUT / "examples" / "audio").glob("*.flac")
    return path


@pytest.fixture(scope="session")
def upstream() -> Path:
    """Others' files for checks; they are not part of the project."""
    if not UPSTREAM.is_dir():
        pytest.skip(f"reference files of others are not at {UPSTREAM}")
    return UPSTREAM


@pytest.fixture(scope="session")
def checkpoint():
    """Load a checkpoint once a run; without a network and others' files, skip those that need them.

    Bundled ones are never skipped.
    """
    models = {}

    def load(name: str) -> "zoo.AudioModel":
        if name not in models:
            mirror = UPSTREAM / name.partition(".")[0]
            try:
                with pytest.MonkeyPatch.context() as patch:
                    if mirror.is_dir():
                        patch.setenv("ZOO_MIRROR", str(mirror))
                    models[name] = zoo.load(name)
            except zoo.WeightsError as error:
                bundled = manifest.load().checkpoints[name].bundled
                if os.environ.get("CI") or bundled:
                    raise
                pytest.skip(f"{name} could not be fetched: {error}")
        return models[name]

    return load


@pytest.fixture(scope="session")
def pons(checkpoint):
    """pons2017.mtt, which is bundled."""
    return checkpoint("pons2017.mtt")


@pytest.fixture
def tone() -> tuple[np.ndarray, int]:
    """Seven seconds of two sines with a slow swell, at 22.05 kHz."""
    t = np.arange(7 * 22050) / 22050
    swell = 0.5 + 0.4 * np.sin(2 * np.pi * 0.5 * t)
    sound = swell * (np.sin(2 * np.pi * 220 * t) + 0.5 * np.sin(2 * np.pi * 3000 * t)) / 2
    return sound.astype("float32"), 22050


@pytest.fixture
def bare_surroundings(monkeypatch, tmp_path):
    """An empty cache, and no settings of this machine for indexes, hubs and proxies."""
    for variable in list(os.environ):
        if variable.upper().startswith(("PIP_", "UV_", "ZOO_", "HF_", "HTTP_", "HTTPS_", "ALL_")):
            monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_own_folders", [])


@pytest.fixture
def run(monkeypatch):
    """Run the command line in this process; returns click's result."""
    monkeypatch.setattr("warnings.showwarning", None)  # main() sets its own; undone afterwards

    def invoke(*arguments):
        return CliRunner().invoke(main, [str(a) for a in arguments])

    return invoke
