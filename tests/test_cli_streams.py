"""The command line's input and output: encodings, pipes, what is named twice, what is no sound."""

import io
import json
import os
import pty
import subprocess
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

import zoo
from zoo.audio import decode, paths
from zoo.cli import common

ZOO = [sys.executable, "-m", "zoo"]
NAME = "\N{GRINNING FACE} café 曲.wav"


def sound(path: Path, seconds: float = 0.5, rate: int = 16000) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = zlib.crc32(str(path).encode())
    soundfile.write(path, np.random.default_rng(seed).normal(0, 0.1, int(seconds * rate)), rate)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A network that takes one second at a time; it starts without a framework."""
    if keras.config.backend() != "tensorflow":
        pytest.skip("an export needs TensorFlow")
    model = zoo.build("dieleman2014", ["rock", "曲"], segment=1.0, activation="softmax")
    path = tmp_path_factory.mktemp("models") / "small.onnx"
    return zoo.export(model, path, stages=["penultimate"])


# --- standard output ---


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_what_cannot_be_encoded_is_escaped(tmp_path, small, encoding):
    path = sound(tmp_path / NAME)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}

    def printed(*options: str) -> str:
        command = [*ZOO, "tag", str(path), "-m", str(small), *options]
        done = subprocess.run(command, capture_output=True, env=environment, check=True)
        return done.stdout.decode("utf-8" if encoding == "ascii" else encoding)

    table = printed()
    assert "rock" in table
    assert ("█" in table) == (encoding == "utf-8")
    content = json.loads(printed("--json"))
    assert content["file"] == str(path)
    assert set(content["tags"]) == {"rock", "曲"}
    assert len(printed("--csv").splitlines()) == 2


def test_a_reader_that_has_enough_is_no_error(tmp_path):
    command = f"{sys.executable} -m zoo list --json | head -1"
    command = f"for i in 1 2 3; do {command}; done"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[\n" * 3, "")


def test_a_pipe_closed_during_the_work_is_no_error(tmp_path, small):
    for i in range(40):
        sound(tmp_path / f"{i:02}.wav", 1)
    with subprocess.Popen(
        [*ZOO, "tag", str(tmp_path), "-m", str(small)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_closed_streams_are_no_error(tmp_path, small, closed):
    path = sound(tmp_path / "a.wav")
    command = f"{sys.executable} -m zoo tag '{path}' -m '{small}' --csv {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("option", ["--csv", "--json"])
def test_the_bar_goes_to_the_terminal_and_the_result_to_the_file(tmp_path, small, option):
    for i in range(3):
        sound(tmp_path / "in" / f"{i}.wav", 1)
    ours, theirs = pty.openpty()
    with open(tmp_path / "out", "wb") as out:
        command = [*ZOO, "tag", str(tmp_path / "in"), "-m", str(small), option]
        process = subprocess.Popen(command, stdout=out, stderr=theirs)
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 4096):
                shown += part
        except OSError:
            pass  # the other end is closed
        assert process.wait() == 0
    os.close(ours)
    assert b"3/3" in shown
    written = (tmp_path / "out").read_text()
    assert [f"{i}.wav" in written for i in range(3)] == [True] * 3
    assert b"rock" not in shown


# --- warnings, errors ---


@pytest.mark.filterwarnings("default::zoo.errors.AudioWarning")
def test_warnings_of_a_kind_are_counted(tmp_path, run):
    for i in range(5):
        sound(tmp_path / f"{i}.wav", 0.5, 8000)
    zoo.build("dieleman2014", ["rock"], segment=3.0).save(tmp_path / "m.keras")
    result = run("tag", tmp_path, "-m", tmp_path / "m.keras")
    assert result.exit_code == 0
    assert result.stderr.count("was repeated to fill one") == 1
    assert "Warning: 4 more files are shorter" in result.stderr
    assert "Warning: 4 more files are recorded at a lower rate" in result.stderr


@pytest.mark.parametrize("backend", ["torch", "numpi"])
def test_a_backend_that_is_not_there_is_one_line(tmp_path, backend):
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(\"No module named 'torch'\")")
    path = sound(tmp_path / "a.wav")
    search = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": search}
    command = [*ZOO, "tag", "--runtime", "keras", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Error: Keras cannot be imported with KERAS_BACKEND={backend}: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("tag", "a.wav", "-m", "x.keras", "-m", "y.keras"),
        ("tag", "a.wav", "--model=x.keras", "-m", "y.keras"),
        ("taggram", "a.wav", "-o", "a.csv", "-o", "b.csv"),
        ("embed", "a.wav", "-o", "out", "--hop", "1", "--hop", "2"),
        ("list", "--task", "tagging", "--task", "onsets"),
    ],
)
def test_an_option_is_given_once(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "is given 2 times; expected once" in result.stderr


def test_several_outputs_of_onsets_are_no_error(run):
    assert "no such file" in run("onsets", "gone.wav", "-o", "a.csv", "-o", "b.png").stderr


@pytest.mark.parametrize("output", ["t.csv", "x.png"])
def test_a_taggram_is_of_one_sound(tmp_path, run, output):
    for name in ("a.wav", "b.wav"):
        sound(tmp_path / "in" / name)
    result = run("taggram", tmp_path / "in", "-o", tmp_path / output)
    assert result.exit_code == 2
    assert "2 audio files; expected 1" in result.stderr
    assert not (tmp_path / output).exists()


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.npz"))


def test_embeddings_keep_the_folders_of_their_sounds(tmp_path, run, small):
    for name in ("disc1/01.wav", "disc2/01.wav", "02.wav"):
        sound(tmp_path / "album" / name, 1)
    result = run("embed", tmp_path / "album", "-m", small, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    expected = ["02.wav.npz", "disc1/01.wav.npz", "disc2/01.wav.npz"]
    assert written(tmp_path / "out") == expected
    discs = (tmp_path / "album" / "disc1", tmp_path / "album" / "disc2")
    run("embed", *discs, "-m", small, "-o", tmp_path / "discs")
    assert written(tmp_path / "discs") == expected[1:]
    run("embed", discs[0], tmp_path / "album" / "02.wav", "-m", small, "-o", tmp_path / "flat")
    assert written(tmp_path / "flat") == ["01.wav.npz", "02.wav.npz"]


def test_lines_end_alike_in_all_tables(tmp_path, run, small):
    result = run("tag", sound(tmp_path / "a.wav", 1), "-m", small, "--csv")
    assert result.stdout_bytes.count(b"\n") == 2
    assert b"\r" not in result.stdout_bytes


@pytest.mark.parametrize("output", ["T.CSV", "T.PNG"])
@pytest.mark.filterwarnings("ignore:no installed font has the letters")
def test_suffixes_may_be_in_capitals(tmp_path, run, small, output):
    path = sound(tmp_path / "a.wav", 1)
    result = run("taggram", path, "-m", small, "-o", tmp_path / output)
    assert result.exit_code == 0, result.output
    start = (tmp_path / output).read_bytes()[:4]
    assert start == (b"time" if output == "T.CSV" else b"\x89PNG")


def test_a_suffix_in_capitals_is_one_for_embeddings(tmp_path, run, small):
    path = sound(tmp_path / "a.wav", 1)
    result = run("embed", path, "-m", small, "-o", tmp_path / "E.NPZ")
    assert result.exit_code == 0, result.output
    assert len(zoo.Embedding.load(tmp_path / "E.NPZ").values) == 1


def test_train_takes_no_checkpoint(tmp_path, run, small):
    for i, kind in enumerate(("rock", "jazz")):
        sound(tmp_path / "songs" / kind / f"{i}.wav")
        sound(tmp_path / "songs" / kind / f"again {i}.wav")
    given = ("--data", tmp_path / "songs", "-o", tmp_path / "out")
    result = run("train", "choi2016.zoo", *given)
    assert "'choi2016.zoo' is a checkpoint, where an architecture is expected" in result.stderr
    assert "'choi2016'. zoo.load and zoo.finetune take checkpoints" in result.stderr
    result = run("train", small, *given)
    assert "small.onnx is a file or folder of a trained model" in result.stderr
    with pytest.raises(zoo.UnknownName, match="is a checkpoint, where an architecture"):
        zoo.build("choi2016.zoo", ["a", "b"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("tag", "https://example.com/a.mp3"),
        ("evaluate", "pons2017", "--data", "https://example.com/songs"),
        ("evaluate", "pons2017", "--data", "s3://songs/t.csv#test"),
    ],
)
def test_an_address_is_said_to_be_one(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 1
    assert "//" in result.stderr
    assert "an address, where a file or folder is expected. Download it first" in result.stderr


def test_one_model_is_no_list_to_compare():
    from zoo.data.corpus import Clip, Corpus

    corpus = Corpus("c", (Clip(Path("a.wav"), ("rock",)),), ("rock",))
    with pytest.raises(zoo.ConfigError, match="names is 'AudioModel'; give a list of models"):
        zoo.compare(zoo.build("dieleman2014", ["rock"], segment=1.0), corpus)


def test_a_picture_is_no_sound(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(3000))
    with pytest.raises(zoo.AudioError, match=r"cover\.jpg: no sound could be read"):
        list(decode.decode(tmp_path / "cover.jpg"))
    (tmp_path / "a.wma").write_bytes(b"\x30\x26\xb2\x75" + bytes(3000))
    with pytest.raises(zoo.AudioError, match="pip install av"):
        list(decode.decode(tmp_path / "a.wma"))


# --- folders ---


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [("mp4", "aac"), ("mov", "aac"), ("mkv", "aac"), ("webm", "libopus"), ("avi", "mp3")],
)
def test_films_in_a_folder_are_found_and_read(tmp_path, suffix, codec):
    av = pytest.importorskip("av")
    path = tmp_path / "deep" / f"a.{suffix}"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48000)
        noise = np.random.default_rng(0).normal(0, 0.1, (1, 48000)).astype("float32")
        fifo = av.AudioFifo()
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate = 48000
        fifo.write(frame)
        resampler = av.AudioResampler(stream.format, stream.layout, 48000)
        while (part := fifo.read(960, partial=True)) is not None:
            for changed in resampler.resample(part):
                container.mux(stream.encode(changed))
        container.mux(stream.encode())
    assert paths.find([tmp_path]) == [path]
    assert sum(len(block) for block, _ in decode.decode(path)) == pytest.approx(48000, rel=0.1)


def test_linked_folders_are_searched_once(tmp_path):
    inner, outer = sound(tmp_path / "b" / "x.wav"), sound(tmp_path / "elsewhere" / "y.wav")
    root = tmp_path / "b"
    for link, target in (("a", tmp_path / "b"), ("c", tmp_path / "elsewhere"), ("d", root)):
        (root / link).symlink_to(target)
    (tmp_path / "elsewhere" / "back").symlink_to(root)
    assert paths.find([root]) == [root / "c" / outer.name, inner]


def test_a_folder_keeps_its_name_beside_a_link_to_it(tmp_path):
    path = sound(tmp_path / "z" / "x.wav")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "z")
    assert paths.find([tmp_path]) == [path]


def test_a_link_to_itself_is_named(tmp_path, run):
    (tmp_path / "a.wav").symlink_to(tmp_path / "a.wav")
    (tmp_path / "b.wav").symlink_to(tmp_path / "c.wav")
    (tmp_path / "c.wav").symlink_to(tmp_path / "b.wav")
    for name in ("a.wav", "b.wav"):
        with pytest.raises(FileNotFoundError, match="a link that leads back to itself"):
            list(decode.decode(tmp_path / name))


# --- onsets ---


def test_onsets_are_read_by_mir_eval_and_by_ourselves(tmp_path):
    import mir_eval

    from zoo.data.readers import onsets

    found = zoo.Onsets(np.array([0.02, 0.05]), np.zeros(10), 100.0, "a.wav", "m")
    found.to_csv(tmp_path / "a.csv")
    np.testing.assert_array_equal(mir_eval.io.load_events(str(tmp_path / "a.csv")), [0.02, 0.05])
    assert onsets.times(tmp_path / "a.csv") == (0.02, 0.05)


def test_a_stream_that_takes_all_is_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert common.to_json("曲") == '"曲"'
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "cp1252"))
    assert common.to_json("é曲") == '"\\u00e9\\u66f2"'
