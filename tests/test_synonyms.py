"""Which labels mean the same, and how vocabularies are brought together."""

import numpy as np
import pytest

from zoo.evaluation import synonyms
from zoo.registry import manifest


def vocabularies():
    return {checkpoint.labels for checkpoint in manifest.load().checkpoints.values()}


MTT = manifest.load().checkpoint("pons2017.mtt").labels
MSD = manifest.load().checkpoint("pons2017.msd").labels
JAMENDO = manifest.load().checkpoint("pons2017.jamendo_won2020").labels


@pytest.mark.parametrize(
    ("label", "concept"),
    [
        ("rock", "rock"),
        ("genre---rock", "rock"),
        ("Hip-Hop", "hip hop"),
        ("genre---hiphop", "hip hop"),
        ("hip_hop", "hip hop"),
        ("female voice", "female vocals"),
        ("female vocalists", "female vocals"),
        ("woman", "female vocals"),
        ("classic", "classical"),
        ("beats", "beat"),
        ("instrument---synthesizer", "synthesizer"),
        ("synth", "synthesizer"),
        ("House", "house"),
        ("my own tag", "my own tag"),
    ],
)
def test_a_label_means_a_concept(label, concept):
    assert synonyms.canonical(label) == concept


@pytest.mark.parametrize(
    ("label", "other"),
    [
        ("heavy metal", "metal"),
        ("classic rock", "classical"),
        ("electronica", "electronic"),
        ("electro", "electronic"),
        ("chill", "chillout"),
        ("indie rock", "indie"),
        ("alternative rock", "alternative"),
        ("instrument---electricguitar", "guitar"),
        ("instrument---drummachine", "drums"),
        ("female vocal", "vocal"),
        ("male", "female"),
        ("no vocals", "vocals"),
        ("singing", "vocals"),
        ("quiet", "soft"),
        ("genre---orchestral", "classical"),
        ("genre---instrumentalpop", "instrumental"),
    ],
)
def test_labels_that_are_merely_related_stay_apart(label, other):
    assert synonyms.canonical(label) != synonyms.canonical(other)


def test_no_name_stands_for_two_concepts():
    names = [name for concept, others in synonyms.SYNONYMS.items() for name in (concept, *others)]
    assert len(names) == len(set(names))
    assert all(name == synonyms.normalised(name) for name in names)


def test_what_the_published_vocabularies_share():
    def names(*labels):
        return set(synonyms.shared(*labels))

    of_two = {"ambient", "country", "dance", "electronic", "guitar", "metal", "pop", "rock"}
    voices = {"female vocals", "male vocals", "no vocals"}
    assert names(MTT, MSD) == of_two | voices
    of_jamendo = {"classical", "drums", "new age", "piano", "strings", "synth", "techno", "violin"}
    assert names(MTT, JAMENDO) == (of_two | of_jamendo | {"vocals"}) - {"country"}
    assert names(MTT, MSD, JAMENDO) == of_two - {"country"}


def test_equal_vocabularies_keep_all_their_tags_apart():
    shuffled = manifest.load().checkpoint("lee2017.mtt").labels
    tags = synonyms.shared(MTT, MTT, shuffled)
    assert list(tags) == list(MTT)
    assert tags["woman"] == (("woman",),) * 3


def test_a_concept_with_different_labels_becomes_one_tag():
    tags = synonyms.shared(["woman", "female", "rock"], ["genre---rock", "female vocalists"])
    assert tags == {
        "female vocals": (("woman", "female"), ("female vocalists",)),
        "rock": (("rock",), ("genre---rock",)),
    }


def test_a_tag_bears_the_first_vocabularys_label_if_that_has_only_one():
    assert list(synonyms.shared(["voice"], ["vocal", "vocals"])) == ["voice"]


def test_vocabularies_with_nothing_in_common_share_nothing():
    assert synonyms.shared(["rock"], ["piano"]) == {}


def test_labels_that_differ_only_in_spelling_are_no_two_concepts():
    assert synonyms.shared(["Rock", "rock"], ["ROCK"]) == {"rock": (("Rock", "rock"), ("ROCK",))}


def test_a_merged_score_is_the_highest_of_its_labels():
    values = np.array([[0.1, 0.7, 0.2], [0.3, 0.2, 0.9]], "float32")
    merged = synonyms.merged(values, ["a", "b", "c"], {"ab": ("a", "b"), "c": ("c",)})
    np.testing.assert_array_equal(merged, np.array([[0.7, 0.2], [0.3, 0.9]], "float32"))
    assert merged.dtype == "float32"


def test_every_published_label_means_one_concept():
    for labels in vocabularies():
        concepts = synonyms.by_concept(labels)
        assert sorted(label for own in concepts.values() for label in own) == sorted(labels)
