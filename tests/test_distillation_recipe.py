"""The recipe of our own taggers: teachers and students get the same sound, training resumes."""

import argparse
import csv
from pathlib import Path

import numpy as np
import pytest
import recipe_modules
import songs
import soundfile

import zoo

TEACHER = "pons2017.mtt"
FILES = {"a": ("train", 45), "b": ("train", 31), "c": ("validation", 33), "d": ("test", 130)}


@pytest.fixture(scope="module")
def distill():
    with recipe_modules.of(".") as module:
        yield module("distill")


@pytest.fixture(scope="module")
def choosing():
    with recipe_modules.of("distillation") as module:
        yield module("choosing")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A corpus of noise and tones, with a table as recipes/corpus/build.py writes it."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "games").mkdir()
    rng = np.random.default_rng(0)
    rows = [("path", "tags", "split", "group", "kind", "seconds")]
    for name, (split, seconds) in FILES.items():
        parts = [songs.sound(kind, 22050 * seconds, rng) for kind in ("both", "tone")]
        soundfile.write(folder / "games" / f"{name}.wav", np.stack(parts).T, 22050)
        rows.append((f"games/{name}.wav", "", split, name, "game", seconds))
    with (folder / "corpus.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def training_clips(distill):
    """The module, with one teacher, which is bundled, and shards of two clips."""
    module = distill.training_clips
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CLIPS_PER_SHARD", 2)
        patch.setattr(module.teacher_scores, "TEACHERS", (TEACHER,))
        yield module


@pytest.fixture(scope="module")
def clips(training_clips, corpus, tmp_path_factory) -> Path:
    """A folder of training clips: one shard for validation, two for test, two for training."""
    folder = tmp_path_factory.mktemp("clips")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["", str(corpus), str(folder), "--hours", str(4 * 30 / 3600)])
        training_clips.main()
    return folder


def test_clips_are_complete_and_of_their_split(training_clips, corpus, clips):
    counts = [len(training_clips.shards(clips, s)) for s in ("train", "validation", "test")]
    assert counts == [2, 1, 2]
    shard = training_clips.read(training_clips.shards(clips, "train")[0])
    assert shard.sounds.shape == (2, 661500)
    assert shard.scores.shape == (2, 10, 50)
    assert np.abs(shard.sounds).max(axis=1).min() > 1000
    rows = training_clips.teacher_scores.read(corpus)
    assert {p.path.stem for p in training_clips.fixed(rows, corpus, "test")} == {"d"}
    starts = sorted(p.start for p in training_clips.fixed(rows, corpus, "test"))
    np.testing.assert_allclose(starts, [0, 49.75, 99.5])
    sampler = training_clips.Sampler(rows, corpus, training_clips.MIXES[0])
    assert {clip.path for clip in sampler.clips["games"]} == {"games/a.wav", "games/b.wav"}


def test_a_teacher_of_whole_clips_counts_for_each_of_their_segments(training_clips, tmp_path):
    rng = np.random.default_rng(0)
    short, whole = rng.random((2, 10, 50)), rng.random((2, 1, 50))
    np.save(tmp_path / "train-0000.npy", np.zeros((2, 9), "int16"))
    np.savez(tmp_path / "train-0000.npz", a=short, b=whole, parts=np.array(["games", "voices"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_clips.teacher_scores, "TEACHERS", ("a", "b"))
        shard = training_clips.read(tmp_path / "train-0000.npz")
    np.testing.assert_allclose(shard.scores, (short + whole) / 2, rtol=1e-6)
    only = shard.of(("voices",))
    assert only.parts == ("voices",)
    np.testing.assert_array_equal(only.scores, shard.scores[1:])


def test_singers_are_joined_and_accompanied(training_clips, tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for use, group, seconds in (("voice", "anna", 2), ("voice", "anna", 3), ("instrument", "c", 4)):
        name = f"recordings/{use}/{group}_{seconds}.wav"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        frequency = 440 if use == "voice" else 3000
        tone = 0.3 * np.sin(2 * np.pi * frequency / 22050 * np.arange(22050 * seconds))
        soundfile.write(tmp_path / name, tone, 22050)
        rows.append(training_clips.teacher_scores.Clip(name, (), "train", group, use, seconds))
    sampler = training_clips.Sampler(rows, tmp_path, training_clips.MIXES[1])
    voice = sampler.recording(rng, "voice", 12.0)
    both = sampler.accompanied(rng, voice, 12.0)
    assert len(voice) == len(both) == 12 * 22050
    powers = [np.abs(np.fft.rfft(sound))[[440 * 12, 3000 * 12]] for sound in (voice, both)]
    assert powers[0][1] < 1e-3 * powers[0][0]
    assert powers[1][1] > 0.1 * powers[1][0]
    parts = {sampler.piece(rng, 3.0)[1] for _ in range(20)}
    assert parts == {"recordings/voice", "recordings/instrument"}


def test_changes_keep_the_length_and_most_of_the_sound(distill):
    changes = distill.training_clips.changes
    time = np.arange(22050 * 2) / 22050
    sound = (0.2 * np.sin(2 * np.pi * 440 * time)).astype("float32")
    for change in changes.CHANGES:
        for seed in range(3):
            found = change(sound, 22050, np.random.default_rng(seed))
            assert found.dtype == np.float32
            assert len(found) == len(sound)
            spectrum = np.abs(np.fft.rfft(found))
            assert spectrum.argmax() == 880, change.__name__
            assert not np.array_equal(found, sound)


def test_scores_are_of_exactly_the_sound_that_the_student_gets(training_clips, clips):
    shard = training_clips.read(training_clips.shards(clips, "test")[0])
    sounds = training_clips.at_rate(shard.sounds, 16000)
    scores = zoo.load(TEACHER).taggram((sounds[0], 16000)).values[:10]
    np.testing.assert_allclose(shard.scores[0], scores, atol=2e-3)


def test_a_clip_that_is_there_is_not_made_again(training_clips, corpus, clips, monkeypatch):
    before = {file: file.stat().st_mtime_ns for file in clips.iterdir()}
    monkeypatch.setattr("sys.argv", ["", str(corpus), str(clips), "--hours", str(4 * 30 / 3600)])
    training_clips.main()
    assert {file: file.stat().st_mtime_ns for file in clips.iterdir()} == before


def test_scores_of_one_more_teacher_are_added_to_what_is_there(
    training_clips, corpus, clips, monkeypatch, tmp_path
):
    for file in clips.glob("validation-*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = (tmp_path / "validation-0000.npy").stat().st_mtime_ns
    teachers = (TEACHER, "dieleman2014.zoo")
    monkeypatch.setattr(training_clips.teacher_scores, "TEACHERS", teachers)
    monkeypatch.setattr("sys.argv", ["", str(corpus), str(tmp_path), "--only", "validation"])
    training_clips.main()
    assert (tmp_path / "validation-0000.npy").stat().st_mtime_ns == before
    with (
        np.load(tmp_path / "validation-0000.npz") as new,
        np.load(clips / "validation-0000.npz") as old,
    ):
        np.testing.assert_array_equal(new[TEACHER], old[TEACHER])
        assert new["dieleman2014.zoo"].shape == new[TEACHER].shape
        assert new["parts"].tolist() == old["parts"].tolist()


def test_missing_clips_are_an_error_that_names_the_command(training_clips, tmp_path):
    with pytest.raises(SystemExit, match=r"training_clips\.py"):
        training_clips.shards(tmp_path, "train")


@pytest.fixture
def given(clips, tmp_path) -> argparse.Namespace:
    return argparse.Namespace(
        architecture="dieleman2014", clips=clips, state=tmp_path, shards=None, dtype=None
    )


def test_a_student_gets_the_scores_of_its_own_segments(training_clips, distill, clips):
    path = training_clips.shards(clips, "train")[0]
    shard = training_clips.read(path)
    model = distill.built("lee2017", distill.STUDENTS["lee2017"])
    x, y = distill.pieces(model, shard, None)
    assert x.shape == (20, 59049)
    np.testing.assert_array_equal(y, shard.scores.reshape(20, 50))
    start = round(3 * training_clips.HOP * 22050 + 0.5 * (66150 - 59049))
    np.testing.assert_allclose(x[13], shard.sounds[1, start : start + 59049] / 32767, atol=1e-6)
    teacher = zoo.load(TEACHER)  # takes 3.008 s
    test = training_clips.read_at(path, 16000)
    x, y = distill.pieces(teacher, test, None)
    assert x.shape == (20, 48128)
    start = 3 * 47872 - 64  # as much before the 3 s as after them
    np.testing.assert_allclose(x[13], test.sounds[1, start : start + 48128] / 32767, atol=1e-6)
    whole = distill.built("choi2016", distill.STUDENTS["choi2016"])
    x, y = distill.pieces(whole, training_clips.read_at(path, 12000), np.random.default_rng(0))
    assert x.shape == (2, 349440)
    np.testing.assert_allclose(y, shard.scores.mean(axis=1))


def test_a_network_for_whole_clips_starts_from_the_one_trained_on_pieces(
    distill, given, monkeypatch, tmp_path
):
    for name, value in (("ROUND", 1), ("EVERY", 1), ("RESULTS", tmp_path)):
        monkeypatch.setattr(distill, name, value)
    monkeypatch.setattr(distill.following, "FEWEST", 1)
    monkeypatch.setattr(distill.following, "PRESENT", 0.02)
    given.architecture = "choi2016"
    student = distill.Student({"width": 0.05}, 1, batch=2, rate=0.0, short=1)
    whole = distill.train_in_stages("choi2016.zoo", student, given)
    assert whole.model.segmentation.segment == 349440
    with np.load(given.state / "choi2016.zoo_3s.npz") as kept:
        pieces = [kept[f"best{i}"] for i in range(len(whole.best))]
    for trained, variable, before in zip(whole.best, whole.model.variables, pieces, strict=True):
        if "moving" not in variable.path and "seed" not in variable.path:
            np.testing.assert_array_equal(trained, before)


def test_a_student_at_full_width_starts_from_the_narrow_one(distill, given, monkeypatch):
    for name, value in (("ROUND", 1), ("EVERY", 1)):
        monkeypatch.setattr(distill, name, value)
    monkeypatch.setattr(distill.following, "FEWEST", 1)
    monkeypatch.setattr(distill.following, "PRESENT", 0.02)
    labels = distill.manifest.load().checkpoint(TEACHER).labels
    narrow = zoo.build("choi2016", labels, width=1 / 64)
    monkeypatch.setattr(distill.zoo, "load", {"narrow": narrow}.get)
    monkeypatch.setattr(distill.widening, "NOISE", 0.0)
    given.architecture = name = "choi2016.full"
    student = distill.Student({"width": 1 / 32}, 1, batch=2, rate=0.0, widens="narrow")
    distill.train_in_stages(name, student, given)
    wide = distill.finished(name, student, given.clips, given.state)
    assert not (given.state / f"{name}.last_layer.npz").exists()
    kernel, wider = (np.asarray(m.get_layer("block2_conv").kernel) for m in (narrow, wide))
    np.testing.assert_allclose(wider[:, :, ::2, ::2] * 2, kernel, rtol=1e-6)


def test_weights_up_to_a_layer_are_kept(distill, given, monkeypatch):
    for name, value in (("ROUND", 1), ("EVERY", 1)):
        monkeypatch.setattr(distill, name, value)
    monkeypatch.setattr(distill.following, "FEWEST", 1)
    monkeypatch.setattr(distill.following, "PRESENT", 0.02)
    options = {"input": "spectrogram"}
    student = distill.Student(options, 1, batch=2, begins="dieleman2014.zoo", keeps="frontend")
    distill.trained("dieleman2014.zoo", student, given)
    model, before = distill.built("dieleman2014", student), zoo.load("dieleman2014.zoo")
    with np.load(given.state / "dieleman2014.zoo.npz") as kept:
        for i, variable in enumerate(model.variables):
            variable.assign(kept[f"variable{i}"])
    names = [layer.name for layer in model.layers]
    changed = {
        names.index(layer.name)
        for layer in model.layers
        for new, old in zip(layer.weights, before.get_layer(layer.name).weights, strict=True)
        if not np.array_equal(new, old)
    }
    assert min(changed) > names.index("frontend")


def test_the_last_bias_starts_at_the_mean_scores_of_the_tags(training_clips, distill, clips):
    paths = training_clips.shards(clips, "train")
    model = distill.built("dieleman2014", distill.STUDENTS["dieleman2014"])
    distill.begin_with_averages(model, paths)
    often = np.mean([training_clips.read(path).scores.mean(axis=(0, 1)) for path in paths], axis=0)
    outputs = 1 / (1 + np.exp(-np.asarray(model.get_layer("logits").bias)))
    np.testing.assert_allclose(outputs, np.clip(often, 1e-4, 1), rtol=1e-3)


def test_changes_in_training_change_the_level_only(training_clips, distill, clips):
    shard = training_clips.read_at(training_clips.shards(clips, "train")[0], 16000)
    teacher = zoo.load(TEACHER)
    plain = distill.pieces(teacher, shard, None)[0]
    both = set()
    for seed in range(3):
        x, y = distill.pieces(teacher, shard, np.random.default_rng(seed))
        within = 20 * 160  # samples: no change moves a sound further
        signs = [
            np.sign(value[np.abs(value).argmax()])
            for a, b in zip(x, plain, strict=True)
            if (value := np.correlate(a[20000:21000], b[20000 - within : 21000 + within])).any()
        ]
        both |= set(signs)
        assert (x != plain).mean() > 0.5
        peaks = np.abs(x).max(axis=1) / np.abs(plain).max(axis=1)
        assert (peaks < 1.1).all()
        assert (peaks > 0.09).all()
        as_loud = x / peaks[:, None]
        np.testing.assert_allclose(teacher.predict(as_loud, verbose=0)[2:8], y[2:8], atol=0.05)
    assert both == {-1, 1}


def test_a_wider_network_starts_with_the_outputs_of_the_narrow_one(distill, monkeypatch):
    narrow, wide = (
        zoo.build("choi2016", ["a", "b"], width=width, segment=3.0) for width in (1 / 32, 3 / 32)
    )
    rng = np.random.default_rng(0)
    for layer in narrow.layers:
        if "norm" in layer.name:
            layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.get_weights()])
    x = rng.normal(0, 0.1, (3, narrow.segmentation.segment)).astype("float32")
    wanted = narrow.predict(x, verbose=0)
    noisy = distill.widening.widened(narrow, wide)
    monkeypatch.setattr(distill.widening, "NOISE", 0.0)
    distill.variables.assign_values(wide.variables, distill.widening.widened(narrow, wide))
    np.testing.assert_allclose(wide.predict(x, verbose=0), wanted, atol=1e-5)
    distill.variables.assign_values(wide.variables, noisy)
    kernel = np.asarray(wide.get_layer("block2_conv").kernel)
    assert not np.allclose(kernel[..., 0], kernel[..., 1])
    with pytest.raises(ValueError, match="no multiple"):
        distill.widening.widened(wide, zoo.build("choi2016", ["a", "b"], width=1 / 8, segment=3.0))


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        (((0.90, 0.92), (0.905, 0.925), (0.91, 0.93)), "after"),
        (((0.90, 0.92), (0.905, 0.93), (0.91, 0.92)), "mean"),
        (((0.90, 0.92), (0.91, 0.919), (0.92, 0.91)), "mean"),  # .001 on the clips is noise
        (((0.90, 0.92), (0.91, 0.917), (0.92, 0.91)), "before"),  # each is worse on the clips
        (((0.90, 0.92), (0.90, 0.92), (0.89, 0.95)), "mean"),  # not worse
    ],
)
def test_weights_that_lose_on_a_validation_are_not_chosen(choosing, scores, best):
    names = (choosing.BEFORE, "mean", "after")
    assert choosing.chosen(dict(zip(names, scores, strict=True))) == best


def test_weights_between_two_are_their_weighted_mean(choosing):
    (found,) = choosing.between([np.array([1.0, 2.0])], [np.array([3.0, 6.0])], 0.5)
    np.testing.assert_array_equal(found, [2.0, 4.0])


def test_candidates_lie_between_the_weights_before_and_each_trained_state(choosing):
    found = choosing.candidates([np.zeros(1)], {"after": [np.ones(1)], "last": [-np.ones(1)]})
    assert len(found) == 7
    for name, (value,) in found.items():
        state, share = choosing.read(name)
        assert value == {"before": 0, "after": share, "last": -share}[state]


@pytest.mark.parametrize("kind", ["waveform", "spectrogram"])
def test_norms_of_the_training_are_folded_into_the_weights(distill, kind):
    model = zoo.build("dieleman2014", ["a", "b", "c"], input=kind)
    copy, fold = distill.normed.with_norms(model, dropout=0.1)
    rng = np.random.default_rng(0)
    x = rng.normal(0, 0.1, (20, 48000)).astype("float32")
    copy.compile("adam", "binary_crossentropy")
    copy.fit(x, rng.uniform(0, 1, (20, 3)), epochs=5, verbose=0)
    before, wanted = (network.predict(x, verbose=0) for network in (model, copy))
    fold()
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, atol=1e-4)
    assert np.abs(before - wanted).max() > 0.01
    assert copy.count_params() > model.count_params()


def test_training_resumes_where_it_was_stopped(
    distill, training_clips, clips, given, monkeypatch, tmp_path
):
    monkeypatch.setattr(distill, "ROUND", 1)
    monkeypatch.setattr(distill, "EVERY", 1)
    monkeypatch.setattr(distill, "RESULTS", tmp_path)
    monkeypatch.setattr(distill.following, "FEWEST", 1)
    scores = training_clips.read(training_clips.shards(clips, "validation")[0]).scores
    monkeypatch.setattr(distill.following, "PRESENT", float(np.median(scores.max(axis=2))))
    student = distill.Student({}, 4, batch=8, rate=1e-3, dropout=0.1, norms=True)
    given.shards = 2
    first = distill.trained("dieleman2014.zoo", student, given)
    given.shards = None
    state = distill.trained("dieleman2014.zoo", student, given)
    assert [row[distill.SHARDS] for row in state.rows] == ["1", "2", "3", "4"]
    assert state.rows[:2] == first.rows
    assert [int(row[distill.STEPS]) for row in state.rows] == [3, 6, 9, 12]
    losses = [float(row[4]) for row in state.rows]
    assert sum(losses[2:]) < sum(losses[:2])  # of the same two shards
    distill.write("dieleman2014.zoo", state, student, given)
    with (tmp_path / "distillation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["split"] for row in rows] == ["validation", "test"]
    assert [row["pieces"] for row in rows] == ["10", "30"]
    assert (tmp_path / "distillation_training.png").stat().st_size > 5000


def test_metrics_of_a_student_against_its_teachers(distill):
    targets = np.array([[0.9, 0.0], [0.5, 0.1], [0.1, 0.2], [0.0, 0.05]])
    outputs = np.array([[0.8, 0.1], [0.1, 0.2], [0.2, 0.4], [0.0, 0.1]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distill.following, "FEWEST", 2)
        tags = distill.following.follow(outputs, targets, ["there", "absent"])
    assert [tag.there for tag in tags] == [2, 0]
    assert tags[0].auc == pytest.approx(0.75)
    assert tags[1].auc is None
    assert tags[0].rank == pytest.approx(0.8)
    assert tags[0].error == pytest.approx(0.15)
    assert distill.following.mean(tags)[0] == pytest.approx(0.75)


def test_tables_keep_the_rows_of_other_commands(distill, tmp_path):
    file = tmp_path / "table.csv"
    distill.following.merge(file, ("model", "x"), [("b", 1), ("b", 2)])
    distill.following.merge(file, ("model", "x"), [("a", 3)])
    distill.following.merge(file, ("model", "x"), [("b", 4)])
    assert file.read_text() == "model,x\na,3\nb,4\n"


def test_a_student_with_the_scores_of_its_teachers_scores_one(distill):
    targets = np.random.default_rng(0).uniform(0, 1, (60, 3))
    targets[:, 2] = np.linspace(0, 0.2, 60)  # never present
    tags = distill.following.follow(targets, targets, ("a", "b", "c"))
    assert len(distill.following.counted(tags)) == 2
    assert distill.following.mean(tags) == pytest.approx((1, 1, 0))


def test_coverage_counts_minutes_and_test_segments(
    distill, training_clips, clips, tmp_path, monkeypatch
):
    with recipe_modules.of("distillation") as module:
        tag_coverage = module("tag_coverage")
        monkeypatch.setattr("sys.argv", ["", str(clips), "-o", str(tmp_path / "table.csv")])
        tag_coverage.main()
    with (tmp_path / "table.csv").open() as file:
        rows = {row["tag"]: row for row in csv.DictReader(file)}
    assert len(rows) == 51
    assert rows["all segments"]["test segments"] == "30"
    assert float(rows["all segments"]["train, games"]) == pytest.approx(40 * 2.992 / 60, abs=0.1)
    over = sum(
        (training_clips.read(path).scores > distill.following.PRESENT).sum()
        for path in training_clips.shards(clips, "test")
    )
    assert sum(int(rows[tag]["test segments"]) for tag in rows if tag[:3] != "all") == over


def test_study_trains_both_front_ends_on_growing_shares(
    distill, training_clips, clips, monkeypatch, tmp_path
):
    with recipe_modules.of(".") as module:
        study = module("study")
        monkeypatch.setattr(study, "SHARES", (0.5, 1))
        light = {"waveform": ("dieleman2014", {}), "spectrogram": study.FRONT_ENDS["spectrogram"]}
        monkeypatch.setattr(study, "FRONT_ENDS", light)
        for name, value in (("SHARDS", 1), ("BATCH", 4)):
            monkeypatch.setattr(study, name, value)
        for name, value in (("ROUND", 1), ("EVERY", 1), ("RESULTS", tmp_path)):
            monkeypatch.setattr(study.distill, name, value)
        monkeypatch.setattr("sys.argv", ["", str(clips), str(tmp_path)])
        study.main()
        paths = training_clips.shards(clips, "train")
        assert study.share_of(paths, 0.5)[0] in study.share_of(paths, 1)
    with (tmp_path / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["front-end"] for row in rows] == ["spectrogram"] * 2 + ["waveform"] * 2
    assert [row["hours of clips"] for row in rows] == ["0.02", "0.03"] * 2
    assert {row["steps"] for row in rows} == {"5"}
    assert (tmp_path / "study.png").stat().st_size > 5000
