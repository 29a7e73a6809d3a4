"""zoo.compare: the same clips and tags for all models, differences, costs, tables and pictures."""

import csv
import io
import json
from dataclasses import replace

import keras
import numpy as np
import pytest
import songs
import soundfile
from matplotlib.figure import Figure
from matplotlib.text import Text

import zoo
from zoo.data import Clip, Corpus
from zoo.evaluation import compare, costs, plots
from zoo.evaluation.metrics import Score
from zoo.evaluation.records import TagScore
from zoo.registry import manifest

KINDS = ("noise", "tone", "both")


def built(labels, name="dieleman2014", seed=0, **options):
    keras.utils.set_random_seed(seed)
    return zoo.build(name, labels, **options)


@pytest.fixture(scope="module")
def models():
    """Two untrained networks with vocabularies of their own."""
    return {
        "one": built(("noise", "tone", "rock", "polka"), segment=1.0),
        "two": built(("genre---tone", "noise", "genre---rock"), seed=1, segment=1.0),
    }


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return songs.make(tmp_path_factory.mktemp("data") / "kinds", clips=4, kinds=KINDS)


@pytest.fixture(scope="module")
def result(models, corpus):
    return zoo.compare(models, replace(corpus, name="kinds/test", split_name="test"), bootstrap=60)


# --- what is compared ---


def test_only_tags_that_all_know_are_compared_and_the_others_are_named(result):
    assert result.tags == {
        "noise": (("noise",), ("noise",), ("noise",)),
        "tone": (("tone",), ("tone",), ("genre---tone",)),
    }
    assert result.left_out == {
        "in kinds/test, but not known to one and two": ("both",),
        "known to one, but not in kinds/test": ("rock", "polka"),
        "known to two, but not in kinds/test": ("genre---rock",),
    }


def test_clips_of_a_class_that_is_left_out_are_left_out_too(result):
    assert result.clips == 8
    assert {e.evaluation.clips for e in result.entries} == {8}


def test_each_model_is_evaluated_as_if_alone(result, models, corpus):
    alone = zoo.evaluate(models["two"], corpus, bootstrap=60, shared=True)
    both = result["two"]
    assert both.metrics == alone.metrics
    np.testing.assert_array_equal(both.confusion, alone.confusion)


def test_each_evaluation_says_how_long_it_took_and_what_was_called(result):
    for entry in result.entries:
        assert 0 < entry.evaluation.seconds <= result.seconds
        assert entry.evaluation.command == result.command


def test_a_model_that_was_not_compared_is_an_error(result):
    with pytest.raises(zoo.UnknownName, match="'three' was not compared; one, two were"):
        result["three"]


def test_only_clips_that_all_could_score_count(models, corpus):
    class Deaf(zoo.AudioModel):
        """Gives no number for a loud clip, as a network that overflows would."""

        def predict_on_batch(self, x):
            answer = np.array(super().predict_on_batch(x))
            answer[np.abs(x).mean(axis=1) > 0.17] = np.nan
            return answer

    deaf = Deaf.from_config(models["one"].get_config())
    alone = zoo.evaluate(deaf, corpus, bootstrap=0, shared=True)
    assert 0 < len(alone.failures) < 8
    found = zoo.compare({"deaf": deaf, "two": models["two"]}, corpus, bootstrap=0)
    assert found.clips == alone.clips < 8
    assert found["two"].scores.clips == found["deaf"].scores.clips


# --- differences ---


def test_a_difference_is_one_minus_the_other_with_a_paired_interval(result):
    one, two = (result[name] for name in ("one", "two"))
    (difference,) = [d for d in result.differences if d.metric == "ROC-AUC"]
    assert (difference.model, difference.other) == ("one", "two")
    value = one.metrics["ROC-AUC"].value - two.metrics["ROC-AUC"].value
    assert difference.score.value == pytest.approx(value)
    rounds = one.rounds["ROC-AUC"] - two.rounds["ROC-AUC"]
    assert difference.score.low <= np.quantile(rounds, 0.025)  # expanded, for few clips
    assert difference.score.high >= np.quantile(rounds, 0.975)


def test_a_model_does_not_differ_from_itself(models, corpus):
    twice = {"one": models["one"], "again": models["one"]}
    found = zoo.compare(twice, corpus, bootstrap=20)
    assert found.differences
    for difference in found.differences:
        assert difference.score.value == 0
        assert not difference.clear
        if (
            np.ptp(found["one"].rounds[difference.metric]) > 0
        ):  # else all are right, perhaps by luck
            assert difference.score == (0, 0, 0)


def test_without_a_bootstrap_there_are_no_differences(models, corpus):
    found = zoo.compare(models, corpus, bootstrap=0)
    assert found.differences == ()
    assert "differences" not in repr(found)
    assert "| model |" in found.to_markdown()


# --- what models cost ---


def test_parameters_size_and_licence_are_those_of_the_checkpoint(pons, corpus):
    known = manifest.load().checkpoint("pons2017.mtt")
    assert costs.parameters(pons) == known.parameters
    assert costs.size(pons, "pons2017.mtt") == known.bundled[0].bytes
    assert compare.licence(pons) == "ISC"
    assert compare.resolved("pons2017") == "pons2017.mtt"


def test_a_model_and_one_with_a_fresh_head_have_names_of_their_own():
    plain, tuned = zoo.load("dieleman2014"), zoo.load("dieleman2014", labels=["a", "b"])
    assert [*compare._loaded([plain, tuned])] == [
        "dieleman2014.zoo",
        "dieleman2014.zoo-with-2-labels",
    ]


def test_frozen_parameters_count_too(models):
    one = models["one"]
    before = costs.parameters(one)
    one.trainable = False
    assert costs.parameters(one) == before > 0
    one.trainable = True


def test_the_size_of_a_saved_model_is_that_of_its_file(models, tmp_path):
    models["one"].save(tmp_path / "one.keras")
    size = (tmp_path / "one.keras").stat().st_size
    assert costs.size(models["one"], str(tmp_path / "one.keras")) == size
    (tmp_path / "one.keras").rename(tmp_path / "model.keras")
    assert costs.size(models["one"], tmp_path) == size  # a folder of zoo.finetune
    assert costs.size(models["one"], models["one"]) >= 4 * costs.parameters(models["one"])


def test_speed_is_relative_to_the_first_model(result):
    first, second = result.entries
    assert first.relative == 1
    assert second.relative == pytest.approx(second.speed / first.speed)
    assert first.speed > 1


def test_a_minute_of_sound_is_timed_however_short_the_corpus(corpus):
    assert costs.excerpt(corpus, 8000).shape == (60 * 8000,)


# --- published scores ---


def scored(name, clips, labels=None):
    """An evaluation that found .5 for every tag of a checkpoint."""
    labels = labels or manifest.load().checkpoint(name).labels
    half = Score(0.5)
    tags = tuple(TagScore(label, (label,), 1, half, half) for label in labels)
    evaluation = dict.fromkeys(zoo.Evaluation.__dataclass_fields__)
    return zoo.Evaluation(**{**evaluation, "clips": clips, "tags": tags})


def published(name, data, clips, labels=None):
    corpus = Corpus(data, (), (), split_name=data.partition("/")[2])
    return compare.published(name, corpus, scored(name, clips, labels))


@pytest.mark.parametrize(
    ("name", "data", "clips", "roc_auc"),
    [
        ("pons2017.mtt", "mtat/test", 5329, 0.9067),
        ("pons2017.mtt", "mtat/test", 5327, 0.9067),  # two files could not be read
        ("choi2016.mtt_won2020", "mtat/test_cleaned", 4332, 0.9005),
        ("pons2017.jamendo_won2020", "mtg-jamendo/test", 10000, 0.8226),
    ],
)
def test_published_scores_of_the_same_data_and_split_are_shown(name, data, clips, roc_auc):
    found = published(name, data, clips)
    assert found["ROC-AUC"] == pytest.approx(roc_auc, abs=1e-4)
    assert set(found) == {"ROC-AUC", "PR-AUC"}


@pytest.mark.parametrize(
    ("name", "data", "clips"),
    [
        ("pons2017.mtt", "mtat/test_cleaned", 4332),  # published for all clips
        ("choi2016.mtt_won2020", "mtat/test", 5329),  # published for the cleaned ones
        ("pons2017.mtt", "mtat/test", 2000),  # a part only
        ("pons2017.mtt", "mtat/validation", 1825),
        ("pons2017.mtt", "my songs", 5329),
        ("pons2017.msd", "msd/test", 28435),  # nobody says which test part it was
    ],
)
def test_published_scores_of_other_clips_are_not(name, data, clips):
    assert published(name, data, clips) == {}


def test_published_scores_are_those_of_all_tags_only():
    assert published("pons2017.mtt", "mtat/test", 5329, ("rock", "guitar")) == {}


def test_models_of_ones_own_have_no_published_scores(models):
    assert compare.published(models["one"], Corpus("mtat/test", (), ()), None) == {}


def test_published_scores_stand_in_columns_of_their_own(result):
    entry = replace(result.entries[0], published={"ROC-AUC": 0.75})
    found = replace(result, entries=(entry, result.entries[1]))
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [row["published ROC-AUC"] for row in rows] == ["0.750000", ""]
    assert "published ROC-AUC" in repr(found)
    assert "published" not in repr(result)


# --- what cannot be compared ---


def test_models_without_a_common_tag_are_an_error_with_all_lists(models, corpus):
    other = {**models, "three": built(("flute",), segment=1.0)}
    message = "no tag that kinds and all models know. kinds: noise, tone, both; one: noise, .*flute"
    with pytest.raises(zoo.UnknownName, match=message):
        zoo.compare(other, corpus)


def test_the_same_model_twice_is_an_error(models, corpus):
    with pytest.raises(zoo.ConfigError, match="dieleman2014 is there twice"):
        zoo.compare([models["one"], models["one"]], corpus)


@pytest.mark.parametrize("names", [[], "pons2017", {}])
def test_names_are_a_list(corpus, names):
    with pytest.raises(zoo.ConfigError, match="give a list of models"):
        zoo.compare(names, corpus)


def test_an_unknown_model_is_named(corpus):
    with pytest.raises(zoo.UnknownName, match="no model is named 'ponds2017'"):
        zoo.compare(["ponds2017"], corpus)


def test_taggers_and_onset_finders_are_compared_apart(models, corpus):
    finder = built(["onset"], "schluter2014")
    message = "finder detect onsets and the other models tag clips"
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.compare({**models, "finder": finder}, corpus)


def test_onset_finders_are_compared_by_f(tmp_path, monkeypatch):
    monkeypatch.setattr(costs, "SOUND", 1)  # as long as the clips: one shape
    clips = tuple(Clip(tmp_path / f"{i}.wav", onsets=(0.1, 0.6)) for i in range(3))
    for i, clip in enumerate(clips):
        soundfile.write(clip.path, np.random.default_rng(i).normal(0, 0.1, 44100), 44100)
    onsets = Corpus("onsets", (*clips, Clip(clips[0].path)), ("onset",))
    finders = {n: built(["onset"], "schluter2014", seed=i) for i, n in enumerate("ab")}
    found = zoo.compare(finders, onsets, bootstrap=10)
    assert found.metrics == ("F", "precision", "recall")
    assert found.clips == 3
    assert len(found.differences) == 3
    assert found.tags == {}
    assert len(found.plot().axes) == 1
    assert "tags" not in repr(found).partition("\n")[0]


# --- tables ---


def test_a_person_can_read_it(result):
    text = repr(result)
    assert text.startswith("2 models on kinds/test: 8 clips, 2 tags that all know")
    for part in (
        "one - two",
        "balanced accuracy",
        "8 clips, 60 bootstrap rounds",
        "polka",
        "(1.00)",
    ):
        assert part in text


def test_a_table_has_a_row_a_model(result, tmp_path):
    text = result.to_csv(tmp_path / "models.csv")
    assert (tmp_path / "models.csv").read_text() == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(r["model"], r["data"], r["split"], r["clips"], r["tags"]) for r in rows] == [
        ("one", "kinds", "test", "8", "2"),
        ("two", "kinds", "test", "8", "2"),
    ]
    assert rows[0]["weights sha256"] == result["one"].weights
    assert float(rows[1]["accuracy"]) == pytest.approx(result["two"].metrics["accuracy"].value)


def test_a_table_of_tags_has_a_row_for_each_tag_and_model(result):
    rows = list(csv.DictReader(io.StringIO(result.to_csv(what="tags"))))
    names = [("one", tag) for tag in ("all", "noise", "tone", "both")]
    assert [(r["model"], r["tag"]) for r in rows if r["model"] == "one"] == names
    assert rows[-2]["note"] == "the model's genre---tone"
    assert rows[-1]["note"] == "the model does not know it"


def test_a_table_of_differences_has_a_row_for_each_pair_and_metric(result):
    rows = list(csv.DictReader(io.StringIO(result.to_csv(what="differences"))))
    assert [r["metric"] for r in rows] == list(result.metrics)
    assert {(r["model"], r["other"]) for r in rows} == {("one", "two")}


def test_there_are_no_other_tables(result):
    with pytest.raises(zoo.ConfigError, match="'models', 'tags' or 'differences'"):
        result.to_csv(what="clips")


def test_markdown_and_json(result, tmp_path):
    text = result.to_markdown(tmp_path / "models.md")
    assert (tmp_path / "models.md").read_text() == text
    widths = {line.count("|") for line in text.splitlines() if line.startswith(("| one |", "| mo"))}
    assert len(widths) == 1
    assert "Compared: noise, tone." in text
    assert result.command in text
    content = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert [m["model"] for m in content["models"]] == ["one", "two"]
    assert content["models"][0]["evaluation"]["metrics"]["ROC-AUC"]["value"] > 0


# --- pictures ---


def test_a_picture_names_every_model_and_tag(result, tmp_path):
    figure = result.plot(tmp_path / "models.png")
    assert (tmp_path / "models.png").read_bytes().startswith(b"\x89PNG")
    (bubbles,) = figure.axes
    legend = [text.get_text().partition(":")[0] for text in bubbles.get_legend().get_texts()]
    assert legend == ["1  one", "2  two"]
    assert sorted(text.get_text() for text in bubbles.texts) == ["1", "2"]
    (chart,) = result.plot(tmp_path / "tags.pdf", "tags", metric="PR-AUC").axes
    assert (tmp_path / "tags.pdf").read_bytes().startswith(b"%PDF")
    names = [label.get_text() for label in chart.get_yticklabels()]
    assert sorted(names) == ["noise (4)", "tone (4)"]


def many(result, models, tags=2):
    """The comparison with as many models, all equally good."""
    first = result.entries[0]
    rows = tuple(first.evaluation.tags[0]._replace(tag=f"tag {i}") for i in range(tags))
    evaluation = replace(first.evaluation, tags=rows)
    entries = [replace(first, model=f"model {i}", evaluation=evaluation) for i in range(models)]
    return replace(result, entries=tuple(entries))


@pytest.mark.parametrize(("number", "tags"), [(1, 2), (12, 3), (4, 50)])
def test_names_in_a_picture_do_not_overlap(result, number, tags):
    overview, chart = (many(result, number, tags).plot(what=w) for w in ("overview", "tags"))
    for figure in (overview, chart):
        figure.draw_without_rendering()
        assert figure.get_figheight() < 10.5  # a page
    for axes in (*overview.axes, *chart.axes):
        texts = [*axes.texts, *axes.get_yticklabels(), *axes.get_xticklabels()]
        boxes = [Text.get_window_extent(text) for text in texts if text.get_text()]
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:i])


def test_too_many_models_do_not_fit_in_a_picture(result):
    with pytest.raises(zoo.ConfigError, match="33 models do not fit in a picture"):
        many(result, 33).plot()


def test_labels_at_one_place_are_moved_apart():
    points = np.array([[0, 0], [3, 2], [90, 1], [1, 1]])
    moved = points + np.stack([np.zeros(4), plots.apart(points, (14, 10))], axis=1)
    assert moved[2].tolist() == [90, 1]  # nothing is near it
    assert np.diff(np.sort(moved[[0, 1, 3], 1])).min() >= 10


def test_a_chart_of_chosen_tags(result):
    (axes,) = many(result, 2, 60).plot(what="tags", tags=3).axes
    assert len(axes.get_yticklabels()) == 6  # the best and the worst three
    (axes,) = many(result, 2, 60).plot(what="tags", tags=["tag 7"]).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["tag 7 (4)"]
    with pytest.raises(zoo.UnknownName, match="'tag 99' was not scored"):
        many(result, 2, 60).plot(what="tags", tags=["tag 99"])
    with pytest.raises(zoo.ConfigError, match="what is 'all'; it is 'overview' or 'tags'"):
        result.plot(what="all")


def test_a_comparison_draws_into_axes_of_yours(result):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert result.plot(ax=left) is figure
    result.plot(what="tags", ax=right)
    assert left.get_ylabel().startswith("ROC-AUC")
    assert len(right.get_yticklabels()) == 2
    with pytest.raises(zoo.ConfigError, match="ax is a part of your own figure"):
        result.plot("a.png", ax=left)


@pytest.mark.parametrize(("low", "high"), [(20, 60), (3, 900), (0.1, 20000)])
def test_marks_of_a_logarithmic_axis_are_round_and_few(low, high):
    numbers = plots.round_numbers(low, high)
    assert 3 <= len(numbers) <= 12
    assert all(low <= number <= high for number in numbers)
    assert {f"{number:e}"[:3] for number in numbers} <= {f"{d:e}"[:3] for d in (1, 1.5, *range(8))}
