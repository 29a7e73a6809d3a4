import csv
import io
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile

import zoo


def test_list_shows_checkpoints_with_parameters_licence_and_scores(run):
    out = run("list").output
    (line,) = [line for line in out.splitlines() if line.startswith("pons2017.mtt *")]
    for part in ("16", "3.01", "787,159", "ISC", "0.9067", "0.3831", "MagnaTagATune"):
        assert part in line.split()


def test_list_as_json(run):
    found = json.loads(run("list", "pons2017*", "--json").output)
    assert [record["name"] for record in found] == zoo.list_models("pons2017*")
    (mtt,) = [record for record in found if record["name"] == "pons2017.mtt"]
    assert (mtt["is_bundled"], mtt["licence"]["weights"], mtt["task"]) == (True, "ISC", "tagging")
    assert mtt["bytes"] > 1e5
    assert len(mtt["labels"]) == 50


def test_list_takes_a_part_of_a_name_and_says_what_weights_are(run):
    lines = run("list", "pons").output.splitlines()
    assert sum(line.startswith("pons2017.") for line in lines) == len(zoo.list_models("pons2017.*"))
    row = next(i for i, line in enumerate(lines) if line.startswith("pons2017.mtt *"))
    assert lines[row + 1].strip().startswith("bundled, ")
    assert "(Pons et al. 2017)" in lines[row + 1]
    nothing = run("list", "xyzq")
    assert nothing.exit_code == 1
    assert "no model that these options allow has 'xyzq' in its name" in nothing.output


def test_list_of_architectures(run):
    lines = run("list", "--untrained").output.splitlines()
    (row,) = [i for i, line in enumerate(lines) if line.startswith("pons2017")]
    for part in ("spectrogram", "many shapes", "temporal_pooling", "787,159"):
        assert part in lines[row]
    assert lines[row + 1].strip().startswith("Pons et al. 2017. End-to-end learning")


def test_list_in_the_reviews_grid(run):
    out = run("list", "--taxonomy").output
    (line,) = [line for line in out.splitlines() if line.startswith("minimal filters")]
    assert "sample-level: lee2017" in line
    assert "small rectangles: choi2016" in line
    (line,) = [line for line in out.splitlines() if line.startswith("mlp")]
    assert "schluter2014" in line


def test_grid_as_json_and_of_some_models_only(run):
    grid = json.loads(run("list", "--taxonomy", "--json", "pons*").output)
    assert grid["minimal filters"] == {"waveform": {}, "spectrogram": {}}
    cell = grid["many filter shapes"]["spectrogram"]
    assert cell == {"vertical and horizontal": ["pons2016", "pons2017"]}


def test_info_says_paper_licence_stages_and_metrics(run):
    out = run("info", "pons2017").output
    for part in ("End-to-end learning", "ISC", "penultimate", "ROC-AUC", "default"):
        assert part in out


def test_info_as_json(run):
    card = json.loads(run("info", "pons2017.mtt", "--json").output)
    assert card == zoo.info("pons2017.mtt").to_dict()


def test_unknown_model_is_one_line_and_status_1(run):
    result = run("info", "ponds2017")
    assert result.exit_code == 1
    assert result.output.startswith("Error: no model is named 'ponds2017'. Did you mean pons2017")


def test_tag_prints_tags_with_scores(run, example):
    result = run("tag", example, "--top", 3)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0] == str(example)
    assert len(lines) == 4


def test_tag_json_is_one_object_a_file(run, example, tmp_path):
    shutil.copy(example, tmp_path / "b.flac")
    shutil.copy(example, tmp_path / "a.flac")
    lines = run("tag", tmp_path, "--json", "--top", 0).output.splitlines()
    objects = [json.loads(line) for line in lines]
    assert [o["file"] for o in objects] == [str(tmp_path / "a.flac"), str(tmp_path / "b.flac")]
    assert len(objects[0]["tags"]) == 50


def test_tag_csv_has_a_column_a_tag(run, example):
    head, row = csv.reader(io.StringIO(run("tag", example, "--csv").output))
    assert head == ["file", *zoo.info("pons2017.mtt").checkpoints["pons2017.mtt"].labels]
    assert row[0] == str(example)
    assert all(0 <= float(score) <= 1 for score in row[1:])


def test_json_and_csv_exclude_each_other(run, example):
    assert run("tag", example, "--json", "--csv").exit_code == 2


def test_one_bad_file_does_not_stop_the_rest(run, example, tmp_path):
    (tmp_path / "a.mp3").write_text("this is no music")
    shutil.copy(example, tmp_path / "b.flac")
    result = run("tag", tmp_path, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["file"].endswith("b.flac")
    assert "a.mp3" in result.stderr
    assert "1 of 2 files could not be decoded" in result.stderr


def test_missing_file_is_said(run):
    result = run("tag", "nowhere.mp3")
    assert result.exit_code == 1
    assert "nowhere.mp3" in result.stderr


def test_taggram_writes_a_picture(run, example, tmp_path):
    assert run("taggram", example, "-o", tmp_path / "t.png").exit_code == 0
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG")


def test_taggram_writes_a_table(run, example, tmp_path, pons):
    assert run("taggram", example, "-o", tmp_path / "t.csv").exit_code == 0
    head, *rows = csv.reader(io.StringIO((tmp_path / "t.csv").read_text()))
    assert len(rows) == len(pons.taggram(example).times)
    assert set(pons.labels) <= set(head)


def test_output_is_checked_before_the_work(run, example, tmp_path):
    assert "must end in" in run("taggram", example, "-o", tmp_path / "t.txt").output
    assert "no folder" in run("taggram", example, "-o", tmp_path / "no" / "t.png").output


@pytest.mark.parametrize(
    "words",
    [
        ("tag", "x.wav", "-o", "out.csv"),
        ("taggram", "x.wav", "-o", "out.png"),
        ("embed", "x.wav", "-o", "out.npz"),
        ("onsets", "x.wav", "-o", "out.csv", "-o", "out.png"),
        ("batch", "pons2017", "x.wav", "-o", "out"),
        ("evaluate", "pons2017", "--data", "x", "-o", "out"),
        ("finetune", "pons2017", "--data", "x", "-o", "new/out"),
        ("export", "pons2017", "-o", "out.onnx"),
    ],
)
def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    run, monkeypatch, tmp_path, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: False)
    result = run(*words)
    assert result.exit_code == 2
    assert result.output.splitlines()[-1].startswith("Error: -o ")
    assert f"the folder {tmp_path} is not writable" in result.output


def test_a_model_that_is_not_there_is_said_before_keras_is_imported(run, example, monkeypatch):
    def refuse():
        raise AssertionError

    monkeypatch.setattr("zoo.cli.tagging.import_framework", refuse)
    result = run("tag", "-m", "nosuch.keras", example)
    assert result.output == "Error: there is no saved model at nosuch.keras.\n"


def test_an_option_of_list_that_fits_nothing_names_what_there_is(run):
    assert "'tagging', 'onsets'" in run("list", "--task", "foo").output
    assert "'Foo'; there are Apache-2.0, " in run("list", "--licence", "Foo").output


def test_embed_one_file(run, example, tmp_path):
    assert run("embed", example, "-o", tmp_path / "e.npz").exit_code == 0
    again = zoo.Embedding.load(tmp_path / "e.npz")
    model = zoo.load("pons2017", runtime="onnx")
    np.testing.assert_array_equal(again.values, model.embed(example).values)


def test_embed_several_files_into_a_folder(run, example, tmp_path):
    shutil.copy(example, tmp_path / "other.flac")
    out = tmp_path / "out"
    arguments = ("embed", example, tmp_path / "other.flac", "--stage", "max_pool")
    assert run(*arguments, "-o", out).exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == [f"{example.name}.npz", "other.flac.npz"]
    result = run(*arguments, "-o", tmp_path / "e.npz")  # one table of both
    assert result.exit_code == 0, result.output
    assert len(zoo.Features.load(tmp_path / "e.npz")) == 2


FRAMEWORKS = {"keras", "tensorflow", "jax", "torch", "matplotlib", "scipy"}


@pytest.mark.parametrize(
    "code",
    [
        "import zoo",
        "import zoo; zoo.list_models(); zoo.info('pons2017')",
        "from click.testing import CliRunner; from zoo.cli import main;"
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0",
        "from click.testing import CliRunner; from zoo.cli import main;"
        "assert CliRunner().invoke(main, ['list']).exit_code == 0;"
        "assert CliRunner().invoke(main, ['list', '--taxonomy']).exit_code == 0;"
        "assert CliRunner().invoke(main, ['info', 'pons2017']).exit_code == 0",
    ],
)
def test_no_framework_is_loaded_before_it_is_needed(code):
    check = f"{code}\nimport sys; print(sorted({FRAMEWORKS!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_python_m_zoo_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "--version"], capture_output=True, text=True, check=True
    )
    assert zoo.__version__ in done.stdout


def test_nothing_but_the_tags_is_printed(example):
    done = subprocess.run(
        [sys.executable, "-m", "zoo", "tag", str(example), "--top", "2"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_tags_are_written_to_a_file(run, example, tmp_path):
    target = tmp_path / "tags.json"
    result = run("tag", example, "-o", target, "--threshold", "0.3")
    assert result.exit_code == 0, result.output
    found = json.loads(target.read_text())
    assert found["file"] == str(example)
    assert found["tags"]
    assert min(found["tags"].values()) >= 0.3
    run("tag", example, "-o", tmp_path / "tags.csv")
    assert (tmp_path / "tags.csv").read_text().startswith("file,guitar,")
    run("tag", example, "-o", tmp_path / "TAGS.CSV")
    assert (tmp_path / "TAGS.CSV").read_text() == (tmp_path / "tags.csv").read_text()
    run("tag", example, "-o", tmp_path / "tags.txt", "--top", "2")
    assert len((tmp_path / "tags.txt").read_text().splitlines()) == 3


def test_a_label_track_for_audacity(run, example, tmp_path):
    out = run("tag", example, "--format", "audacity", "--threshold", "0.2").stdout
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows
    assert all(float(start) < float(end) for start, end, _ in rows)
    assert rows == sorted(rows, key=lambda row: float(row[0]))
    two = run("tag", example, tmp_path, "--format", "audacity")
    assert two.exit_code != 0


def test_a_playlist_has_the_files_with_a_tag(run, example, tmp_path):
    music = tmp_path / "music"
    music.mkdir()
    for name in ("one.flac", "two.flac", "line\nbreak.flac"):
        shutil.copy(example, music / name)
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 4)
    soundfile.write(music / "noise.wav", noise, 16000)
    target = tmp_path / "lists" / "classical.m3u8"
    target.parent.mkdir()
    result = run("tag", music, "--tag", "classical", "--threshold", "0.35", "-o", target)
    assert result.exit_code == 1
    assert "a playlist cannot hold. Rename it" in result.stderr
    assert "1 of 4 files could not be decoded or written" in result.stderr
    assert target.read_text().splitlines() == [
        *("#EXTM3U", "#EXTINF:32,one", "#EXTGENRE:classical", "../music/one.flac"),
        *("#EXTINF:32,two", "#EXTGENRE:classical", "../music/two.flac"),
    ]
    both = run("tag", example, "--tag", "classical", "--tag", "guitar", "--json")
    assert json.loads(both.stdout)["tags"].keys() == {"classical", "guitar"}
    table = run("tag", example, "--tag", "guitar", "--csv").stdout.splitlines()
    assert table[0] == "file,guitar"
    unknown = run("tag", example, "--tag", "clasical")
    assert unknown.exit_code == 1
    assert "has no label 'clasical'; it has, for instance, classical" in unknown.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--top", "-3"), "-3 is not in the range x>=0"),
        (("--threshold", "2"), "2.0 is not in the range 0<=x<=1"),
        (("--json", "--format", "csv"), "cannot be combined; give one of them"),
        (("-o", "nowhere/a.csv"), "there is no folder nowhere"),
    ],
)
def test_options_of_tag_are_refused_at_once(run, example, options, message):
    result = run("tag", example, *options)
    assert result.exit_code == 2
    assert message in result.output


def test_one_file_that_fails_is_one_line(run, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    result = run("tag", tmp_path / "a.wav")
    assert result.exit_code == 1
    assert "1 of 1" not in result.output
    assert result.output.count("Error") == 1
