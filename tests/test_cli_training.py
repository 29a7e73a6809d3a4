import csv
import json
import signal
import subprocess
import sys
import time

import pytest
import songs
from click.testing import CliRunner
from test_train import SMALL, StopAfter

import zoo
from zoo.cli import main

OPTIONS = [f"--option={name}={value}" for name, value in SMALL.items()]
QUICK = [*OPTIONS, "--epochs=4", "--batch-size=8", "--learning-rate=0.01", "--seed=5"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with a subfolder for each class, sixteen sounds in all."""
    folder = tmp_path_factory.mktemp("data") / "songs"
    songs.make(folder, 8)
    return folder


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    """What `zoo train` writes and prints."""
    out = tmp_path_factory.mktemp("runs") / "out"
    command = ["train", "zhu2016", "--data", str(data), "-o", str(out), *QUICK]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.showwarning", None)
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    return out, result.output


def losses(folder) -> list[float]:
    with open(folder / "history.csv") as file:
        return [float(row["val_loss"]) for row in csv.DictReader(file)]


def test_train_prints_the_score_and_how_to_use_the_network(unbroken):
    out, text = unbroken
    assert "train, epoch 4: loss" in text  # of the log, since this is no terminal
    assert "best of 4 epochs by accuracy: train " in text
    assert "on the validation accuracy" in text
    assert f"{out}: trained from scratch on songs/train: 13 clips, 2 labels" in text
    assert text.endswith(f"try it: zoo tag -m {out} song.flac\n")
    assert len(losses(out)) == 4


def test_tag_takes_the_folder(unbroken, data, run):
    result = run("tag", "-m", unbroken[0], data / "tone" / "0.wav", "--json")
    assert result.exit_code == 0, result.output
    assert set(json.loads(result.output)["tags"]) == {"noise", "tone"}


def test_killed_command_resumes_if_it_is_repeated(data, tmp_path):
    # Each in a process of its own: TensorFlow mixes a process's global seed, which other tests set,
    # into the results of a seed.
    def start(out) -> subprocess.Popen:
        arguments = ["train", "zhu2016", "--data", str(data), "-o", str(out), *QUICK]
        command = [sys.executable, "-m", "zoo", *arguments]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    whole, out = tmp_path / "whole", tmp_path / "out"
    assert start(whole).wait() == 0
    process = start(out)
    deadline = time.monotonic() + 300
    # What is written last after an epoch: then the state is there too.
    while not (out / "history.csv").exists() and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "model.keras").exists()
    assert 1 <= len(losses(out)) < 4
    assert start(out).wait() == 0
    assert losses(out) == pytest.approx(losses(whole), rel=1e-3)


def test_interrupted_command_says_how_to_resume(data, run, tmp_path):
    out = tmp_path / "out"
    with StopAfter("train", 1):
        result = run("train", "zhu2016", "--data", data, "-o", out, *QUICK)
    assert result.exit_code == 1
    assert result.output.endswith("Error: interrupted. The same command resumes.\n")
    result = run("train", "zhu2016", "--data", data, "-o", out, *QUICK[:-1], "--seed=6")
    assert result.exit_code == 1
    assert "other settings" in result.output
    assert "seed was 5 and is 6" in result.output


def test_monitor_chooses_the_epoch(data, run, tmp_path):
    quick = [option for option in QUICK if not option.startswith("--epochs")]
    command = ("train", "zhu2016", "--data", data, "-o", tmp_path / "out", *quick)
    result = run(*command, "--monitor=loss", "--epochs=2")
    assert result.exit_code == 0, result.output
    assert "best of 2 epochs by loss: train " in result.output
    assert json.loads((tmp_path / "out" / "settings.json").read_text())["monitor"] == "loss"


def test_finished_folder_is_refused_at_once(unbroken, run):
    result = run("train", "zhu2016", "--data", "nowhere", "-o", unbroken[0])
    assert result.exit_code == 1
    assert "holds a finished run" in result.output


def test_finetune_trains_a_published_checkpoint_on_other_tags(run, tmp_path):
    folder = tmp_path / "songs"
    songs.make(folder, 3, seconds=3.2)
    table = tmp_path / "songs.csv"
    lines = ["path,tags,split"]
    for path in sorted(folder.rglob("*.wav")):
        split = "validation" if path.stem == "2" else "train"
        lines.append(f"{path.relative_to(tmp_path)},{path.parent.name},{split}")
    table.write_text("\n".join(lines))
    out = tmp_path / "out"
    command = ["finetune", "pons2017", "--data", table, "-o", out]
    given = ("--epochs=1", "--head-epochs=20", "--batch-size=4", "--augment=gain,mixup")
    result = run(*command, *given)
    assert result.exit_code == 0, result.output
    assert "head, epoch 20" in result.output
    assert "whole, epoch 1" in result.output
    assert "accuracy 1.0000" in result.output
    assert "fine-tuned from pons2017.mtt on songs/train: 4 clips, 2 labels" in result.output
    names = {"model.keras", "history.csv", "history.png", "settings.json", "LICENSE"}
    assert {path.name for path in out.iterdir()} == names
    assert "ISC" in (out / "LICENSE").read_text() or "Permission" in (out / "LICENSE").read_text()
    model = zoo.load(out)
    assert model.labels == ("noise", "tone")
    assert model.card.checkpoints["pons2017.mtt"].licence.weights == "ISC"
    result = run("tag", "-m", out, folder / "tone" / "2.wav", "--json")
    tags = json.loads(result.output.splitlines()[-1])["tags"]
    assert tags["tone"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--option=width"], "--option width: expected KEY=VALUE"),
        (["--option=width=3"], "zhu2016 has no option width"),
        (["--augment=gain,echo"], "'echo' is unknown; choose from gain, noise, mixup, time-mask"),
        (["--epochs=-1"], "-1 is not in the range"),
        (["--validation=nowhere.csv"], "nowhere.csv: no such file"),
    ],
)
def test_bad_argument_is_one_line(data, run, tmp_path, arguments, message):
    result = run("train", "zhu2016", "--data", data, "-o", tmp_path / "out", *arguments)
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output


def test_unknown_architecture_is_one_line(data, run, tmp_path):
    result = run("train", "zhu2017", "--data", data, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "no model is named 'zhu2017'. Did you mean zhu2016" in result.output
    assert not (tmp_path / "out").exists()


def test_help_needs_no_framework():
    script = (
        "import sys; from click.testing import CliRunner; from zoo.cli import main; "
        "CliRunner().invoke(main, ['finetune', '--help']); "
        "print([m for m in ('keras', 'tensorflow', 'jax', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
