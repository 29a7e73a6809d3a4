import keras
import numpy as np
import pytest

import zoo
from zoo.inference.audio_model import AudioModel


@pytest.fixture(scope="module")
def small():
    """A little untrained network of two labels."""
    return zoo.build("pons2017", ["jazz", "rock"], variant="spectrogram", n=1)


def test_load_gives_a_keras_model_that_takes_a_waveform(pons):
    assert isinstance(pons, keras.Model)
    assert pons.input_shape == (None, None)
    assert pons.output_shape == (None, 50)
    assert pons.sample_rate == 16000


def test_bare_name_means_the_default_checkpoint(pons):
    assert zoo.load("pons2017").name == pons.name == "pons2017.mtt"


def test_card_says_whose_weights_these_are(pons):
    checkpoint = pons.card.checkpoints["pons2017.mtt"]
    assert checkpoint.licence.weights == "ISC"
    assert "Jordi Pons" in checkpoint.authors


def test_an_untrained_network_claims_nobodys_weights(small):
    assert small.card.checkpoints == {}


def test_loading_says_whose_weights_these_are(caplog):
    with caplog.at_level("INFO", "zoo"):
        zoo.load("pons2017.mtt")
    assert "pons2017.mtt: weights by Jordi Pons" in caplog.text
    assert "licence ISC" in caplog.text


def test_terms_that_forbid_a_use_are_shown_as_a_warning(caplog, checkpoint):
    checkpoint("schluter2014.madmom")
    caplog.clear()
    zoo.load("schluter2014.madmom")
    (record,) = [r for r in caplog.records if r.name == "zoo.weights.loading"]
    assert record.levelname == "WARNING"
    assert "CC-BY-NC-SA-4.0: not for commercial use" in record.getMessage()


def test_tags_are_the_mean_over_segments_weighted_by_fresh_audio(pons, tone):
    gram = pons.taggram(tone)
    tags = pons.tag(tone, top=None)
    expected = (gram.values * gram.seconds[:, None]).sum(axis=0) / gram.seconds.sum()
    np.testing.assert_allclose(tags.scores, expected, atol=1e-6)
    assert gram.seconds.sum() == pytest.approx(7.0)


def test_top_limits_what_is_shown_and_not_what_is_known(pons, tone):
    tags = pons.tag(tone, top=3)
    assert len(tags.to_dict()) == 3
    assert len(tags.scores) == 50
    assert len(pons.tag(tone, top=None).to_dict()) == 50


def test_a_list_of_sounds_gives_a_list(pons, tone, example):
    both = pons.tag([tone, example])
    assert both[0].to_dict() == pons.tag(tone).to_dict()
    assert both[1].to_dict() == pons.tag(example).to_dict()


def test_a_list_that_fails_keeps_the_results_before(pons, tone, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"RIFF nothing")
    for call in (pons.tag, pons.embed):
        with pytest.raises(zoo.AudioError, match=r"bad\.wav") as caught:
            call([tone, tone, tmp_path / "bad.wav", tone])
        assert len(caught.value.results) == 2
        assert "the 2 sounds before it" in caught.value.__notes__[0]
    with pytest.raises(zoo.AudioError) as caught:
        pons.tag(tmp_path / "bad.wav")
    assert not hasattr(caught.value, "__notes__")


def test_stream_gives_each_sound_its_result_or_its_exception(pons, tone, example):
    sounds = iter([tone, "missing.wav", example])  # any iterable, also one without a length
    first, missing, last = pons.stream(sounds)
    assert first == pons.taggram(tone)
    assert isinstance(missing, FileNotFoundError)
    assert last == pons.taggram(example)
    embedding, missing = pons.stream([example, "missing.wav"], "cnn1", hop=2.0)
    assert embedding == pons.embed(example, "cnn1", hop=2.0)
    assert isinstance(missing, FileNotFoundError)


def test_stream_refuses_what_does_not_fit_before_the_first_sound(pons, tone):
    for one in ("song.wav", tone):
        with pytest.raises(zoo.ConfigError, match=r"many sounds, given was one.*Give a list"):
            pons.stream(one)
    with pytest.raises(zoo.UnknownName, match="no stage named"):
        pons.stream([tone], "nowhere")
    with pytest.raises(zoo.ConfigError, match="hop is 10 s"):
        pons.stream([tone], hop=10)


def test_example_is_recognised_as_what_it_is(pons, example):
    assert "classical" in list(pons.tag(example, top=3).to_dict())


def test_hop_sets_the_distance_of_segments(pons, tone):
    gram = pons.taggram(tone, hop=1.0)
    np.testing.assert_allclose(np.diff(gram.times)[:-1], 1.0)
    assert len(gram.times) > len(pons.taggram(tone).times)


def test_hop_beyond_a_segment_is_refused(pons, tone):
    with pytest.raises(zoo.ConfigError, match=r"hop is 10 s; a segment .* has 3\.01 s"):
        pons.taggram(tone, hop=10)
    with pytest.raises(zoo.ConfigError, match="hop is nan"):
        pons.taggram(tone, hop=float("nan"))


def test_tail_can_be_dropped_as_in_the_original(pons, tone):
    assert len(pons.taggram(tone, tail=False).times) == 2
    assert len(pons.taggram(tone).times) == 3


def test_embedding_has_a_row_a_segment(pons, tone):
    embedding = pons.embed(tone)
    assert embedding.values.shape == (3, 200)
    assert embedding.mean().shape == (200,)
    assert pons.embed(tone, stage="frontend").values.shape == (3, 187, 561)


def test_unknown_stage_lists_the_stages(pons, tone):
    with pytest.raises(zoo.UnknownName, match=r"no stage named 'penultimat'.*penultimate"):
        pons.embed(tone, stage="penultimat")


def test_stage_shares_the_weights(small, tone):
    stage = small.stage("penultimate")
    assert stage is small.stage("penultimate")
    assert all(any(v is w for w in small.variables) for v in stage.variables)


def test_own_labels_keep_everything_but_the_head(pons, tone):
    mine = zoo.load("pons2017", labels=["calm", "wild", "odd"])
    np.testing.assert_array_equal(mine.embed(tone).values, pons.embed(tone).values)
    assert mine.labels == ("calm", "wild", "odd")
    assert list(mine.tag(tone, top=None).to_dict().keys()) != []
    assert mine.output_shape == (None, 3)


def test_softmax_head_gives_scores_that_sum_to_one(tone):
    mine = zoo.load("pons2017", labels=["calm", "wild"], activation="softmax")
    assert mine.tag(tone).scores.sum() == pytest.approx(1.0, abs=1e-5)


def test_fine_tuning_learns_own_tags(small, tone):
    low, high = (np.sin(np.arange(48128 * 5)[None] * f).astype("float32") for f in (0.05, 1.5))
    x = np.concatenate([low, high] * 2)
    y = np.array([[1, 0], [0, 1]] * 2, "float32")
    model = zoo.build("pons2017", ["low", "high"], variant="musicnn")
    x = x[:, :48128]
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    losses = model.fit(x, y, epochs=8, batch_size=4, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2


def test_saved_model_comes_back_whole(tmp_path, tone):
    model = zoo.load("pons2017", labels=["calm", "wild"])
    path = tmp_path / "mine.keras"
    model.save(path)
    for again in (zoo.load(path), zoo.load(str(path)), keras.saving.load_model(path)):
        assert isinstance(again, AudioModel)
        assert again.labels == model.labels
        assert again.sample_rate == model.sample_rate
        assert again.card.to_dict() == {**model.card.to_dict(), "name": again.name}
        np.testing.assert_array_equal(again.taggram(tone).values, model.taggram(tone).values)


def test_saved_model_can_get_other_labels(tmp_path, pons, tone):
    pons.save(tmp_path / "whole.keras")
    mine = zoo.load(tmp_path / "whole.keras", labels=["a"])
    np.testing.assert_array_equal(mine.embed(tone).values, pons.embed(tone).values)


def test_summary_prints(small, capsys):
    small.summary()
    assert "timbral" in capsys.readouterr().out


def test_bfloat16_stays_close(pons, tone):
    fast = zoo.load("pons2017", dtype="mixed_bfloat16")
    assert fast.taggram(tone).values.dtype == np.float32
    np.testing.assert_allclose(fast.taggram(tone).values, pons.taggram(tone).values, atol=0.05)


def test_missing_saved_model_is_said():
    with pytest.raises(FileNotFoundError, match=r"no saved model at nowhere\.keras"):
        zoo.load("nowhere.keras")


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(zoo.UnknownName, match=r"no model is named 'pons2071'.*pons2017"):
        zoo.load("pons2071")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "labels is empty"),
        ("jazz", "give a list of strings"),
        ([1, 2], "give a list of strings"),
        (["jazz", "rock", "jazz"], "given twice: jazz"),
        ({"jazz", "rock"}, "is the set .* order may change"),
        ({"jazz": 0, "rock": 1}, "give a list of strings"),
        (np.array([1, 2]), "give a list of strings"),
        (np.array([]), "labels is empty"),
        (7, "labels is 7; give a list of strings"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.build("pons2017", labels)
    with pytest.raises(zoo.ConfigError, match=message):
        zoo.load("nowhere.keras", labels)  # refused before anything is loaded


@pytest.mark.parametrize(
    "labels",
    [np.array(["jazz", "rock"]), np.array(["jazz", "rock"], dtype=object), iter(["jazz", "rock"])],
    ids=["NumPy strings", "NumPy objects", "generator"],
)
def test_labels_may_be_any_iterable_with_an_order(labels, small):
    model = small.with_labels(labels)
    assert model.labels == ("jazz", "rock")
    assert {type(label) for label in model.labels} == {str}
    assert model.output_shape == (None, 2)


def test_unknown_option_lists_the_options():
    with pytest.raises(zoo.ConfigError, match="no option depth; it has n, shared_norm, variant"):
        zoo.build("pons2017", ["a"], depth=3)


def test_activation_needs_labels():
    with pytest.raises(zoo.ConfigError, match="give labels too"):
        zoo.load("pons2017", activation="softmax")


def test_weights_that_do_not_fit_are_refused(small):
    from zoo.inference.variables import assign, variables

    tensors = {path: v.numpy() for path, v in variables(small).items()}
    some = dict(list(tensors.items())[1:])
    with pytest.raises(zoo.WeightsError, match="the network also has"):
        assign(small, some, "small")
    with pytest.raises(zoo.WeightsError, match="the file also has \\['extra'\\]"):
        assign(small, {**tensors, "extra": np.zeros(1)}, "small")
    path = next(iter(tensors))
    with pytest.raises(
        zoo.WeightsError, match=r"does not fit the network: .* in the network and .* there"
    ):
        assign(small, {**tensors, path: np.zeros((2, 2, 2))}, "small")


def traces(function) -> int:
    return function.experimental_get_tracing_count()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow counts them")
def test_second_call_on_a_song_builds_nothing_again(pons, example):
    pons.tag(example)
    function = pons.predict_function
    before = traces(function)
    pons.tag(example)
    assert pons.predict_function is function
    assert traces(function) == before
