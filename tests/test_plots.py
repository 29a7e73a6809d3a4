import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import zoo
from zoo.inference import plots
from zoo.utils import figures

LABELS = tuple(f"tag {i}" for i in range(20))
SIGNATURES = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}


def make_gram(seconds, segment=3.0, hop=3.0, source="folder/song.mp3", labels=LABELS):
    """Return a taggram of random scores, cut as `zoo.audio` cuts: a tail ends with the clip."""
    times = np.arange(0, max(seconds - segment, 0) + 1e-9, hop)
    fresh = np.r_[min(segment, seconds), np.full(len(times) - 1, hop)]
    if fresh.sum() < seconds:
        times, fresh = np.r_[times, seconds - segment], np.r_[fresh, seconds - fresh.sum()]
    values = np.random.default_rng(0).uniform(0, 0.6, (len(times), len(labels)))
    return zoo.Taggram(values, times, fresh, labels, source, "pons2017.mtt")


def axes_of(figure):
    return figure.axes[0]


def texts(labels):
    return [label.get_text() for label in labels]


def make_onsets(times=(0.1, 0.3)):
    return zoo.Onsets(times, np.linspace(0, 1, 50), 100, "song.mp3", "schluter2014")


def clock(gram):
    return gram.times, gram.seconds


DRAWN = [make_gram(10), make_gram(10).tags(), make_onsets()]


# --- taggrams ---


def test_best_labels_are_on_top():
    gram = make_gram(30)
    axes = axes_of(gram.plot(top=4))
    assert texts(axes.get_yticklabels()) == [label for label, _ in gram.tags(4)]
    assert axes.yaxis_inverted()


def test_fifteen_labels_are_drawn_by_default():
    assert len(axes_of(make_gram(30).plot()).get_yticks()) == 15


def test_chosen_labels_keep_their_order():
    axes = axes_of(make_gram(30).plot(labels=["tag 7", "tag 3"]))
    assert texts(axes.get_yticklabels()) == ["tag 7", "tag 3"]


def test_cells_hold_the_scores_of_their_label():
    gram = make_gram(9)
    mesh = axes_of(gram.plot(labels=["tag 3"])).collections[0]
    np.testing.assert_array_equal(np.ravel(mesh.get_array()), gram.values[:, 3])


def test_cells_lie_at_the_times_of_their_segments():
    np.testing.assert_allclose(plots.edges(*clock(make_gram(9))), [0, 3, 6, 9])


def test_tail_is_drawn_as_wide_as_what_it_adds():
    gram = make_gram(10)
    assert gram.times[-1] == 7
    np.testing.assert_allclose(plots.edges(gram.times, gram.seconds), [0, 3, 6, 9, 10])


def test_single_tail_after_a_single_segment():
    np.testing.assert_allclose(plots.edges(*clock(make_gram(3.5))), [0, 3, 3.5])


def test_overlapping_neighbours_share_their_overlap():
    # segments 0 to 3, 1 to 4 and 2 to 5: halfway through 1 to 3, and through 2 to 4
    np.testing.assert_allclose(plots.edges(*clock(make_gram(5, hop=1.0))), [0, 2, 3, 5])


def test_two_hours_are_averaged_to_what_a_picture_can_show():
    gram = make_gram(7200)
    bounds, values = plots.merged(plots.edges(gram.times, gram.seconds), gram.values, gram.seconds)
    assert len(values) == len(bounds) - 1 == 800
    np.testing.assert_allclose(values[0], gram.values[:3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(bounds[[0, 1, -1]], [0, 9, 7200])


def test_average_weighs_the_tail_by_what_it_adds(monkeypatch):
    monkeypatch.setattr(plots, "MAX_CELLS", 2)
    gram = make_gram(10)
    bounds, values = plots.merged(plots.edges(gram.times, gram.seconds), gram.values, gram.seconds)
    np.testing.assert_allclose(bounds, [0, 6, 10])
    np.testing.assert_allclose(values[1], (3 * gram.values[2] + gram.values[3]) / 4, rtol=1e-5)


@pytest.mark.parametrize(
    ("seconds", "first", "unit"),
    [
        (1, ["0", "0.2", "0.4"], "time (s)"),
        (30, ["0", "5", "10"], "time (s)"),
        (275, ["0:00", "0:30", "1:00"], "time (min:s)"),
        (7200, ["0:00", "0:10", "0:20"], "time (h:min)"),
    ],
)
def test_time_is_labelled_in_round_steps(seconds, first, unit):
    axes = axes_of(make_gram(seconds).plot())
    assert texts(axes.get_xticklabels())[:3] == first
    assert axes.get_xlabel() == unit
    assert axes.get_xlim() == (0, seconds)


def test_picture_grows_with_the_clip_and_the_labels():
    short, long = make_gram(10).plot(), make_gram(7200).plot()
    assert short.get_figwidth() < long.get_figwidth() <= 14
    assert make_gram(10).plot(top=3).get_figheight() < short.get_figheight()


def test_title_says_file_and_model():
    assert axes_of(make_gram(10).plot()).get_title("left") == "song.mp3 · pons2017.mtt"


def test_long_file_names_are_shortened_in_the_middle():
    title = axes_of(make_gram(10, source="x" * 200 + "end.mp3").plot()).get_title("left")
    assert len(title) < 60
    assert "…" in title
    assert title.endswith("end.mp3 · pons2017.mtt")


def test_colour_bar_is_named_and_the_same_for_every_song():
    _, bar = make_gram(10).plot().axes
    assert bar.get_ylabel() == "score"
    assert bar.get_ylim() == (0, 1)
    _, bar = make_gram(10).plot(vmax=0.5).axes
    assert bar.get_ylim() == (0, 0.5)
    with pytest.raises(zoo.ConfigError, match="vmax is 0; it must be more than 0"):
        make_gram(10).plot(vmax=0)


def test_names_with_dollars_or_rare_letters_can_be_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_warned", {"fonts"})
    labels = ("$5 to $12", "音楽")
    gram = make_gram(10, source="1$ 日本 $x_.mp3", labels=labels)
    assert sorted(texts(axes_of(gram.plot(tmp_path / "a.png")).get_yticklabels())) == list(labels)


def test_unknown_label_suggests_near_ones():
    with pytest.raises(zoo.UnknownName, match=r"no label 'tag7'.*tag 7"):
        make_gram(10).plot(labels=["tag7"])


@pytest.mark.parametrize("labels", [[], "tag 7"])
def test_labels_must_be_a_list_with_something_in_it(labels):
    with pytest.raises(zoo.ConfigError, match="give a list of labels"):
        make_gram(10).plot(labels=labels)


def test_top_must_be_at_least_one():
    with pytest.raises(zoo.ConfigError, match="top is 0"):
        make_gram(10).plot(top=0)


# --- tags and onsets ---


def test_bars_are_as_long_as_the_scores():
    tags = make_gram(10).tags(4)
    axes = axes_of(tags.plot())
    widths = [bar.get_width() for bar in axes.patches]
    np.testing.assert_allclose(widths, list(tags.to_dict().values()))
    assert texts(axes.get_yticklabels()) == list(tags.to_dict())
    assert axes.yaxis_inverted()


def test_a_single_bar_can_be_drawn():
    assert len(axes_of(make_gram(10).tags(1).plot()).patches) == 1


def test_onsets_are_drawn_over_the_activation():
    onsets = make_onsets()
    axes = axes_of(onsets.plot())
    (curve,), (lines,) = axes.lines, axes.collections
    np.testing.assert_array_equal(curve.get_ydata(), onsets.activation)
    np.testing.assert_allclose(curve.get_xdata()[:3], [0, 0.01, 0.02])
    np.testing.assert_array_equal([path[0, 0] for path in lines.get_segments()], onsets.times)


@pytest.mark.parametrize("seconds", [0.5, 40])
def test_spectrogram_below_the_activation_shows_the_tone(seconds):
    time = np.arange(round(44100 * seconds)) / 44100
    sound = (np.sin(2 * np.pi * 1000 * time).astype("float32"), 44100)
    found = zoo.Onsets([0.1], np.zeros(round(100 * seconds)), 100, "song.mp3", "schluter2014")
    figure = found.plot(sound=sound, end=seconds)
    mesh = figure.axes[1].collections[0]
    corners, values = mesh.get_coordinates(), mesh.get_array()
    assert values.shape[1] <= plots.MAX_CELLS + 1
    middle = values[:, values.shape[1] // 2]
    low, high = corners[np.argmax(middle) + np.array([0, 1]), 0, 1]
    assert low <= 1000 <= high
    assert corners[0, -1, 0] == pytest.approx(seconds, abs=0.06 + seconds / plots.MAX_CELLS)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, seconds)


def test_a_sound_without_onsets_can_be_drawn(tmp_path):
    make_onsets(times=()).plot(tmp_path / "o.png")
    assert (tmp_path / "o.png").exists()


# --- all pictures ---


@pytest.mark.parametrize("result", DRAWN, ids=lambda r: type(r).__name__)
@pytest.mark.parametrize("suffix", [*SIGNATURES, ".PNG"])
def test_suffix_chooses_the_format(result, suffix, tmp_path):
    path = tmp_path / f"picture{suffix}"
    assert isinstance(result.plot(path), Figure)
    assert path.read_bytes().startswith(SIGNATURES[suffix.lower()])
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("result", DRAWN, ids=lambda r: type(r).__name__)
def test_unknown_suffix_lists_the_known_ones(result, tmp_path):
    with pytest.raises(zoo.ConfigError, match=r"a\.gif: the name must end in \.png, \.pdf, \.svg"):
        result.plot(tmp_path / "a.gif")


@pytest.mark.parametrize("result", DRAWN, ids=lambda r: type(r).__name__)
def test_missing_folder_is_said(result, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        result.plot(tmp_path / "nowhere" / "a.png")


@pytest.mark.parametrize("result", DRAWN, ids=lambda r: type(r).__name__)
def test_a_result_draws_into_axes_of_yours(result):
    figure = Figure()
    axes = figure.add_subplot()
    assert result.plot(ax=axes) is figure
    assert axes.has_data()
    assert result.plot(figsize=(4, 3)).get_size_inches().tolist() == [4, 3]
    with pytest.raises(zoo.ConfigError, match="ax is a part of your own figure"):
        result.plot(ax=axes, figsize=(4, 3))


def test_a_spectrogram_above_a_taggram_in_one_call():
    sound = (np.zeros(22050 * 9, "float32") + 0.1, 22050)
    above, below, _ = make_gram(9).plot(sound=sound).axes
    assert above.get_ylabel() == "frequency (Hz)"
    assert above.get_xlim() == below.get_xlim() == (0, 9)
    assert above.get_title("left").startswith("song.mp3")


def test_a_long_sound_of_onsets_is_shown_in_part():
    found = zoo.Onsets(np.arange(0, 60, 0.5), np.zeros(6000), 100, "song.mp3", "schluter2014")
    axes = axes_of(found.plot())
    assert axes.get_xlim() == (0, 10)
    assert axes.get_title("left").endswith("0 to 10 of 60 s")
    (lines,) = axes_of(found.plot(start=20, end=22)).collections
    assert [path[0, 0] for path in lines.get_segments()] == [20, 20.5, 21, 21.5]
    assert axes_of(found.plot(end=60)).get_xlim() == (0, 60)
    with pytest.raises(zoo.ConfigError, match=r"start is 70 and end None; the sound has 60.00 s"):
        found.plot(start=70)


def test_pyplot_shows_a_figure_without_a_path_and_forgets_it_when_displayed():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    figure = DRAWN[1].plot()
    assert plt.figure(plt.get_fignums()[-1]) is figure
    figure._repr_mimebundle_(include=None, exclude=None)  # as a notebook does
    assert plt.get_fignums() == before


def test_a_font_is_chosen_that_has_the_letters(monkeypatch):
    usual, other = map(figures.font_manager.findfont, ("DejaVu Sans", "STIXGeneral"))
    rare = next(
        chr(code)
        for code in range(0x2000, 0xFB00)
        if figures.lacking(chr(code), usual) and not figures.lacking(chr(code), other)
    )
    monkeypatch.setattr(figures, "FAMILIES", ("no such font", "STIXGeneral"))
    axes = axes_of(make_gram(10, labels=(rare, "tag")).plot())
    families = {text.get_text(): text.get_fontfamily() for text in axes.get_yticklabels()}
    assert families[rare][-1] == "STIXGeneral"
    assert "STIXGeneral" not in families["tag"]


def test_letters_that_no_font_has_give_one_warning(monkeypatch):
    monkeypatch.setattr(figures, "FAMILIES", ())
    monkeypatch.setattr(figures, "_warned", set())
    gram = make_gram(10, labels=("$5 to $12", "音楽"))
    with pytest.warns(UserWarning, match="no installed font has the letters '音楽'"):
        gram.plot()
    gram.plot()  # warnings are errors in the tests


@pytest.mark.parametrize("result", DRAWN, ids=lambda r: type(r).__name__)
def test_notebooks_can_show_the_picture(result):
    assert result.plot()._repr_png_().startswith(SIGNATURES[".png"])


def test_plotting_leaves_pyplot_alone():
    code = (
        "import sys, zoo; zoo.Tags([0.5], ['a'], 1, 'b', 'c').plot();"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
