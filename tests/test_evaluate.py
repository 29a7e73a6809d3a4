"""zoo.evaluate: clips' scores, metrics, what is left out and said of it, tables and pictures."""

import csv
import io
import json
from dataclasses import replace

import keras
import mir_eval
import numpy as np
import pytest
import songs
import soundfile
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    confusion_matrix,
    roc_auc_score,
)

import zoo
from zoo.data import Clip, Corpus
from zoo.evaluation import onsets as onset_scores
from zoo.evaluation import records
from zoo.evaluation.scores import Scores, matched, predict
from zoo.evaluation.tags import of_tags
from zoo.inference import variables

KINDS = ("noise", "tone", "both")


def built(labels, name="dieleman2014", seed=0, **options):
    keras.utils.set_random_seed(seed)
    return zoo.build(name, labels, **options)


@pytest.fixture(scope="module")
def model():
    """A small untrained network; it takes segments of one second."""
    return built(KINDS, segment=1.0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four clips of each kind, 1.2 s long: two segments."""
    return songs.make(tmp_path_factory.mktemp("data") / "kinds", clips=4, kinds=KINDS)


@pytest.fixture(scope="module")
def result(model, corpus):
    return zoo.evaluate(model, corpus, bootstrap=50)


@pytest.fixture(scope="module")
def evaluated(model, corpus):
    """Evaluate the model on the corpus's clips with other tags; they are predicted once."""
    predicted = predict(model, corpus)

    def of(tagged, bootstrap=0, shared=False):
        tags = matched(model.name, model.labels, tagged, shared)
        return of_tags(model, tagged, tags, predicted, bootstrap, seed=0)

    return of


def multi_label(corpus, tags, labels):
    """The same clips with other tags, any number of them."""
    clips = [c._replace(tags=tuple(t)) for c, t in zip(corpus.clips, tags, strict=True)]
    return Corpus("tags", tuple(clips), tuple(labels))


# --- scores of clips ---


def test_a_clips_score_is_the_mean_over_its_segments_by_their_fresh_seconds(result, model, corpus):
    for clip, scores in zip(corpus.clips, result.scores.values, strict=True):
        np.testing.assert_allclose(scores, model.tag(str(clip.path)).scores, atol=1e-6)


def test_batches_do_not_matter(result, model, corpus):
    other = zoo.evaluate(model, corpus, bootstrap=0, batch_size=5)
    np.testing.assert_allclose(other.scores.values, result.scores.values, atol=1e-6)


def test_decoded_sound_can_be_kept_for_the_next_time(result, model, corpus, tmp_path):
    for _ in range(2):
        found = zoo.evaluate(model, corpus, bootstrap=0, cache=tmp_path / "cache")
        np.testing.assert_allclose(found.scores.values, result.scores.values, atol=1e-4)
    assert any((tmp_path / "cache").iterdir())


def test_of_an_excerpt_only_the_excerpt_is_scored(model, corpus, tmp_path):
    loud, quiet = (soundfile.read(corpus.clips[i].path)[0] for i in (0, 4))
    soundfile.write(tmp_path / "both.wav", np.append(loud, quiet), songs.RATE, "FLOAT")
    clips = [
        Clip(tmp_path / "both.wav", ("noise",), 0, 1.2),
        Clip(tmp_path / "both.wav", ("tone",), 1.2, None),
    ]
    predicted = predict(model, Corpus("excerpts", tuple(clips), KINDS))
    for values, sound in zip(predicted.values, (loud, quiet), strict=True):
        np.testing.assert_allclose(values, model.tag((sound, songs.RATE)).scores, atol=1e-4)
    np.testing.assert_allclose(predicted.seconds, [1.2, 1.2], atol=1e-3)


def test_scores_can_be_kept(result, tmp_path):
    result.scores.save(tmp_path / "scores.npz")
    again = zoo.evaluation.scores.Scores.load(tmp_path / "scores.npz")
    assert (again.clips, again.tags, again.groups) == (
        result.scores.clips,
        result.scores.tags,
        result.scores.groups,
    )
    np.testing.assert_array_equal(again.values, result.scores.values)
    np.testing.assert_array_equal(again.targets, result.scores.targets)
    assert again.single_label is True


def test_scores_say_what_is_wrong_with_a_file(result, tmp_path):
    with pytest.raises(zoo.ConfigError, match=r"scores\.txt: the name must end in \.npz"):
        result.scores.save(tmp_path / "scores.txt")
    with pytest.raises(FileNotFoundError, match="no scores at"):
        Scores.load(tmp_path / "scores.npz")
    (tmp_path / "scores.npz").write_bytes(b"nothing")
    with pytest.raises(zoo.ConfigError, match="does not hold scores of the zoo"):
        Scores.load(tmp_path / "scores.npz")


# --- metrics ---


def test_areas_are_scikit_learns_and_their_means(result, corpus):
    targets, values = corpus.targets, result.scores.values
    areas = [roc_auc_score(targets[:, i], values[:, i]) for i in range(3)]
    assert [t.roc_auc.value for t in result.tags] == pytest.approx(areas)
    assert result.metrics["ROC-AUC"].value == pytest.approx(np.mean(areas))
    precisions = [average_precision_score(targets[:, i], values[:, i]) for i in range(3)]
    assert [t.pr_auc.value for t in result.tags] == pytest.approx(precisions)
    assert result.metrics["PR-AUC"].value == pytest.approx(np.mean(precisions))


def test_of_classes_the_highest_score_is_the_answer(result, corpus):
    truth, guess = corpus.targets.argmax(axis=1), result.scores.values.argmax(axis=1)
    assert result.metrics["accuracy"].value == accuracy_score(truth, guess)
    balanced = result.metrics["balanced accuracy"].value
    assert balanced == pytest.approx(balanced_accuracy_score(truth, guess))
    np.testing.assert_array_equal(
        result.confusion, confusion_matrix(truth, guess, labels=range(len(KINDS)))
    )
    assert result.classes == KINDS


def test_tags_have_no_accuracy(evaluated, corpus):
    tagged = multi_label(corpus, [("noise", "tone")] * 6 + [()] * 6, KINDS)
    found = evaluated(tagged)
    assert set(found.metrics) == {"ROC-AUC", "PR-AUC"}
    assert found.confusion is None
    assert found.classes == ()


def test_intervals_surround_the_scores(result):
    for score in (*result.metrics.values(), *(t.roc_auc for t in result.tags)):
        assert 0 <= score.low <= score.value <= score.high <= 1


def test_without_a_bootstrap_there_are_no_intervals(evaluated, corpus):
    found = evaluated(corpus)
    assert np.isnan(found.metrics["ROC-AUC"].low)
    assert "intervals" not in repr(found)


def test_a_tag_that_no_clip_or_every_clip_has_is_skipped_and_named(evaluated, corpus):
    tagged = multi_label(corpus, [("noise", "tone")] + [("noise",)] * 11, KINDS)
    found = evaluated(tagged)
    assert [t.tag for t in found.tags] == ["tone"]
    assert dict(found.skipped) == {"noise": "every clip has it", "both": "no clip has it"}
    assert found.metrics["ROC-AUC"].value == found.tags[0].roc_auc.value


def test_if_no_tag_can_be_scored_the_error_says_why(evaluated, corpus):
    with pytest.raises(zoo.ConfigError, match=r"no tag can be scored.*noise: every clip has it"):
        evaluated(multi_label(corpus, [("noise",)] * 12, KINDS))


def test_labels_that_mean_the_same_are_matched_and_the_highest_counts(corpus):
    tagger = built(("vocal", "voice", "female vocalists", "rock"), segment=1.0)
    tagged = multi_label(corpus, [("vocals",), ("woman",)] * 6, ("vocals", "woman"))
    found = zoo.evaluate(tagger, tagged, bootstrap=0)
    assert {t.tag: t.labels for t in found.tags} == {
        "vocals": ("vocal", "voice"),
        "woman": ("female vocalists",),
    }
    scores = tagger.tag(str(corpus.clips[0].path)).scores
    np.testing.assert_allclose(found.scores.values[0], [scores[:2].max(), scores[2]], atol=1e-6)


def test_a_label_that_the_model_does_not_know_is_an_error_with_both_lists(evaluated, corpus):
    tagged = multi_label(corpus, [("noise",), ("polka",)] * 6, ("noise", "polka"))
    with pytest.raises(zoo.UnknownName, match=r"not know: polka\. Its own are: noise, tone, both"):
        evaluated(tagged)


def test_or_it_is_left_out_and_named_if_only_shared_tags_are_requested(evaluated, corpus):
    tagged = multi_label(corpus, [("noise",), ("polka",)] * 6, ("noise", "polka"))
    found = evaluated(tagged, shared=True)
    assert [t.tag for t in found.tags] == ["noise"]
    assert dict(found.skipped) == {"polka": "the model does not know it"}


def test_clips_of_a_class_that_is_left_out_are_left_out_too(corpus):
    two = built(("noise", "tone"), segment=1.0)
    found = zoo.evaluate(two, corpus, bootstrap=0, shared=True)
    assert found.clips == 8
    assert found.confusion.sum() == 8


def test_groups_are_resampled_where_there_are_any(evaluated, corpus):
    grouped = [c._replace(group=f"artist {i % 2}") for i, c in enumerate(corpus.clips)]
    found = evaluated(replace(corpus, clips=tuple(grouped)), bootstrap=10)
    assert (found.groups, found.drawn) == (2, "groups")
    assert "2 groups, 10 bootstrap rounds" in repr(found)


# --- what fails ---


def test_a_clip_that_cannot_be_decoded_is_named_and_the_others_count(
    model, corpus, result, tmp_path
):
    (tmp_path / "bad.wav").write_bytes(b"RIFF and no more")
    clips = (Clip(tmp_path / "bad.wav", ("tone",)), *corpus.clips)
    found = zoo.evaluate(model, replace(corpus, clips=clips), bootstrap=0)
    assert [f.name for f in found.failures] == [str(tmp_path / "bad.wav")]
    assert found.clips == 12
    assert found.metrics["ROC-AUC"].value == pytest.approx(result.metrics["ROC-AUC"].value)
    assert "not decoded: 1" in repr(found)


def test_if_no_clip_can_be_decoded_the_error_says_why(model, tmp_path):
    gone = Corpus("gone", (Clip(tmp_path / "a.wav", ("tone",)),), KINDS)
    with pytest.raises(zoo.ZooError, match=r"gone: no clip is left to score.*a\.wav"):
        zoo.evaluate(model, gone)


def test_a_prediction_that_is_not_finite_counts_as_a_failure(corpus):
    broken = built(KINDS, segment=1.0)
    bias = broken.get_layer("logits").bias
    bias.assign(np.array([0, np.nan, 0], "float32"))
    with pytest.raises(zoo.ZooError, match="the prediction is not finite"):
        zoo.evaluate(broken, corpus)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bootstrap": -1}, "bootstrap is -1 and batch_size 16; at least 0 and at least 1"),
        ({"batch_size": 0}, "bootstrap is 1000 and batch_size 0"),
        ({"corpus": 7}, "corpus is a int; expected what zoo.data.load"),
        ({"corpus": Corpus("nothing", (), KINDS)}, "nothing has no clips"),
        ({"model": 3}, "int is not a model of the zoo"),
    ],
)
def test_bad_arguments_are_named(model, corpus, arguments, message):
    given = {"model": model, "corpus": corpus, **arguments}
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.evaluate(given.pop("model"), given.pop("corpus"), **given)


def test_an_unknown_model_is_named(corpus):
    with pytest.raises(zoo.UnknownName, match="no model is named 'ponds2017'"):
        zoo.evaluate("ponds2017", corpus)


# --- the record ---


def test_an_evaluation_says_data_split_and_clips(model, corpus):
    whole = replace(corpus, splits={"test": (0, 1, 4, 5, 8)})
    found = zoo.evaluate(model, whole.split("test"), bootstrap=7, seed=3)
    assert (found.data, found.split, found.clips) == ("kinds", "test", 5)
    assert (found.model, found.bootstrap, found.seed) == ("dieleman2014", 7, 3)
    assert found.command == "zoo.evaluate('dieleman2014', 'kinds/test', bootstrap=7, seed=3)"
    assert found.audio == pytest.approx(6, abs=0.01)
    assert found.seconds > 0


def test_the_weights_checksum_is_that_of_the_same_weights_anywhere(model, result, tmp_path):
    model.save(tmp_path / "copy.keras")
    assert variables.checksum(zoo.load(tmp_path / "copy.keras")) == result.weights
    assert variables.checksum(built(KINDS, seed=1, segment=1.0)) != result.weights


def test_a_person_can_read_it(result):
    text = repr(result)
    assert text.startswith("dieleman2014 on kinds: 12 clips, 0.2 min")
    for part in ("ROC-AUC", "balanced accuracy", "12 clips, 50 bootstrap rounds", "noise", "both"):
        assert part in text


def test_json_holds_everything_but_the_scores(result):
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert content["metrics"]["ROC-AUC"]["value"] == result.metrics["ROC-AUC"].value
    assert content["tags"]["noise"]["positives"] == 4
    assert np.sum(content["confusion"]) == 12
    assert content["weights"] == result.weights


def test_a_table_has_a_row_for_all_and_for_each_tag(result, tmp_path):
    text = result.to_csv(tmp_path / "tags.csv")
    assert (tmp_path / "tags.csv").read_text() == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["tag"] for row in rows] == ["all", *KINDS]
    assert {(r["model"], r["data"], r["clips"]) for r in rows} == {("dieleman2014", "kinds", "12")}
    assert float(rows[0]["accuracy"]) == pytest.approx(result.metrics["accuracy"].value, abs=1e-6)
    assert float(rows[1]["ROC-AUC high"]) == pytest.approx(result.tags[0].roc_auc.high, abs=1e-6)


def test_a_table_names_what_was_not_scored(evaluated, corpus):
    tagged = multi_label(corpus, [("noise",), ("tone",)] * 6, KINDS)
    rows = csv.DictReader(io.StringIO(evaluated(tagged).to_csv()))
    (row,) = [row for row in rows if row["tag"] == "both"]
    assert (row["ROC-AUC"], row["note"]) == ("", "no clip has it")


def texts(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def test_a_picture_shows_each_tag_the_best_on_top_and_the_confusion(result, tmp_path):
    figure = result.plot(tmp_path / "tags.png")
    assert (tmp_path / "tags.png").read_bytes().startswith(b"\x89PNG")
    best = sorted(result.tags, key=lambda t: -t.roc_auc.value)
    assert texts(figure.axes[0]) == [f"{t.tag} (4)" for t in best]
    assert texts(figure.axes[2]) == list(KINDS)


def test_parts_of_a_picture_alone(result):
    (axes,) = result.plot(metric="PR-AUC", tags=[KINDS[0]], figsize=(4, 2)).axes
    assert texts(axes) == [f"{KINDS[0]} (4)"]
    matrix, scale = result.plot(metric="confusion").axes
    assert texts(matrix) == list(KINDS)
    assert scale.get_ylabel() == "share of the true class"
    with pytest.raises(zoo.ConfigError, match="metric is 'AUC'; it is 'ROC-AUC', 'PR-AUC'"):
        result.plot(metric="AUC")


def test_a_page_holds_the_best_and_the_worst_tags(result):
    many = tuple(result.tags[0]._replace(tag=f"tag {i}") for i in range(90))
    figure = replace(result, tags=many).plot(metric="ROC-AUC")
    assert len(texts(figure.axes[0])) == 40
    assert "20 best and 20 worst of 90 tags" in figure.get_suptitle().replace("\n", " ")
    assert figure.get_figheight() < 12


def test_a_picture_of_tags_has_no_confusion(evaluated, corpus):
    tagged = multi_label(corpus, [("noise",), ("tone", "both")] * 6, KINDS)
    assert len(evaluated(tagged).plot().axes) == 2


def test_a_picture_needs_a_known_suffix(result):
    with pytest.raises(zoo.ConfigError, match=r"tags\.bmp: the name must end in \.png"):
        result.plot("tags.bmp")


# --- onsets ---


@pytest.fixture(scope="module")
def clicks(tmp_path_factory):
    """Three clips of noise with clicks in them, and one without."""
    folder = tmp_path_factory.mktemp("clicks")
    clips = []
    for i, times in enumerate([(0.2, 0.7, 1.1), (0.5,), (0.3, 0.9), ()]):
        sound = np.random.default_rng(i).normal(0, 1e-3, 66150)
        for time in times:
            start = round(time * 44100)
            sound[start : start + 2000] += np.random.default_rng(9).normal(0, 0.3, 2000)
        soundfile.write(folder / f"{i}.wav", sound, 44100)
        clips.append(Clip(folder / f"{i}.wav", onsets=times))
    return Corpus("clicks/test", tuple(clips), ("onset",), split_name="test")


@pytest.fixture(scope="module")
def finder():
    return built(["onset"], "schluter2014")


@pytest.mark.parametrize("seed", range(5))
def test_an_onset_is_right_as_mir_eval_says(seed):
    rng = np.random.default_rng(seed)
    onsets, found = (np.sort(rng.uniform(0, 2, n)) for n in (40, 50))
    counted = onset_scores.counted("clip", onsets, found)
    f, precision, recall = mir_eval.onset.f_measure(onsets, found, window=0.025)
    assert (counted.f_measure, counted.precision, counted.recall) == pytest.approx(
        (f, precision, recall)
    )


def test_onsets_by_hand():
    # .02 off is right, .03 is not; of two that are near one onset only one counts
    counted = onset_scores.counted("clip", np.array([1.0, 2, 3]), np.array([0.98, 1.01, 2.03]))
    assert counted[1:] == (3, 3, 1)
    assert (counted.precision, counted.recall, counted.f_measure) == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(("onsets", "found"), [([], []), ([1.0], []), ([], [1.0])])
def test_without_onsets_nothing_is_right(onsets, found):
    counted = onset_scores.counted("clip", np.array(onsets), np.array(found))
    assert counted[1:] == (len(onsets), len(found), 0)
    assert (counted.precision, counted.recall, counted.f_measure) == (0, 0, 0)


def test_clips_are_summed_before_precision_and_recall_are_taken():
    clips = [
        records.ClipOnsets("a", onsets=10, found=5, right=5),
        records.ClipOnsets("b", onsets=2, found=15, right=1),
    ]
    scores, rounds = onset_scores.summed(clips, np.array([[1, 2, 0], [1, 0, 2]], "float32"), 2)
    assert scores["precision"].value == 6 / 20
    assert scores["recall"].value == 6 / 12
    assert scores["F"].value == pytest.approx(2 * 0.3 * 0.5 / 0.8)
    np.testing.assert_allclose(rounds["recall"], [0.5, 0.5, 0.5])
    np.testing.assert_allclose(rounds["precision"], [0.3, 1, 1 / 15])


def test_a_model_with_an_output_per_frame_is_measured_by_its_onsets(finder, clicks, tmp_path):
    found = zoo.evaluate(finder, clicks, bootstrap=20)
    assert list(found.metrics) == ["F", "precision", "recall"]
    assert [o.onsets for o in found.onsets] == [3, 1, 2, 0]
    for clip, counted in zip(clicks.clips, found.onsets, strict=True):
        assert counted.found == len(finder.onsets(str(clip.path)))
    assert (found.data, found.split, found.clips, found.scores) == ("clicks", "test", 4, None)
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["clip"] for row in rows] == ["all", *(clip.name for clip in clicks.clips)]
    assert rows[0]["onsets"] == "6"
    json.dumps(found.to_dict(), allow_nan=False)
    assert "precision" in repr(found)
    found.plot(tmp_path / "onsets.png")
    assert (tmp_path / "onsets.png").stat().st_size > 0


def test_madmoms_network_finds_the_clicks(clicks, checkpoint):
    found = zoo.evaluate(checkpoint("schluter2014.madmom"), clicks, bootstrap=0)
    assert found.metrics["recall"].value == 1
    assert found.metrics["F"].value > 0.9


def test_onsets_of_an_excerpt_count_from_its_start(finder, clicks):
    clip = clicks.clips[0]._replace(start=0.4, end=1.0, onsets=(0.3,))
    predicted = onset_scores.detect(finder, replace(clicks, clips=(clip,)))
    assert predicted.seconds == [pytest.approx(0.6)]


def test_clips_whose_onsets_nobody_knows_are_named(finder, clicks, tmp_path):
    clips = (
        clicks.clips[0],
        clicks.clips[1]._replace(onsets=None),
        Clip(tmp_path / "gone.wav", onsets=(1.0,)),
    )
    found = zoo.evaluate(finder, replace(clicks, clips=clips), bootstrap=0)
    assert [f.reason.partition(".")[0] for f in found.failures] == [
        "its onsets are not annotated",
        "no such file or folder",
    ]


def test_clips_without_any_onsets_cannot_measure_such_a_model(finder, corpus):
    with pytest.raises(zoo.ConfigError, match="kinds has no annotated onsets"):
        zoo.evaluate(finder, corpus)
