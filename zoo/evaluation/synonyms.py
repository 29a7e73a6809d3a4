"""Which tags of different vocabularies mean the same, so that models can be compared on them.

The table holds true synonyms only: labels that one would not expect a listener to give to different
sounds. A part is no synonym of its whole ("heavy metal" and "metal", "electric guitar" and
"guitar", "indie rock" and "indie"), nor a cause of its effect. Decisions that one may see
otherwise:

- "classic" is "classical": in MagnaTagATune, whose players typed what came to mind, it stands where
  others wrote "classical". ("classic rock" is something else.)
- "choral" is "choir", and "instrumental" is "no vocals": the same sounds, from two points of view.
- "female", "woman" and "female vocalists" are the same voice; so are those of men.
- "electronica" and "electro" are not "electronic", "chill" and "mellow" are not "chillout",
  "singing" is not "vocals" (voices may speak), "orchestral" is not "classical", and "quiet" is not
  "soft".

Where several labels of a model mean one concept, its score for it is their **maximum**: a clip has
the concept as soon as it has one of the labels, which is also how a corpus's labels are merged.
"""

from collections.abc import Mapping, Sequence

import numpy as np

# Each concept with its other names. Spelling is that of `normalised`: in small letters, spaces for
# underscores, without MTG-Jamendo's category ("genre---rock").
SYNONYMS: dict[str, tuple[str, ...]] = {
    # genres
    "blues": (),
    "classical": ("classic",),
    "drum and bass": ("drum & bass", "drum'n'bass", "drumnbass", "dnb"),
    "easy listening": ("easylistening",),
    "hip hop": ("hip-hop", "hiphop"),
    "indie pop": ("indiepop",),
    "new age": ("new-age", "newage"),
    "pop folk": ("popfolk",),
    "pop rock": ("pop-rock", "poprock"),
    "rnb": ("r&b", "r'n'b", "rhythm and blues"),
    "soundtrack": ("soundtracks",),
    "trip hop": ("trip-hop", "triphop"),
    "world": ("world music",),
    "chillout": ("chill-out", "chill out"),
    # voices
    "vocals": ("vocal", "voice", "voices"),
    "female vocals": (
        "female",
        "woman",
        "women",
        "female vocal",
        "female voice",
        "female singer",
        "female vocalist",
        "female vocalists",
    ),
    "male vocals": (
        "male",
        "man",
        "men",
        "male vocal",
        "male voice",
        "male singer",
        "male vocalist",
        "male vocalists",
    ),
    "no vocals": ("no vocal", "no voice", "no voices", "no singing", "instrumental"),
    "choir": ("choral", "choirs"),
    # instruments
    "acoustic guitar": ("acousticguitar", "acoustic guitars"),
    "beat": ("beats",),
    "cello": ("cellos",),
    "drum machine": ("drummachine", "drum machines"),
    "drums": ("drum",),
    "electric guitar": ("electricguitar", "electric guitars"),
    "electric piano": ("electricpiano",),
    "flute": ("flutes",),
    "guitar": ("guitars",),
    "harp": ("harps",),
    "harpsichord": ("harpsicord",),
    "keyboard": ("keyboards",),
    "piano": ("pianos",),
    "strings": ("string",),
    "synthesizer": ("synth", "synths", "synthesizers", "synthesiser", "synthesisers"),
    "violin": ("violins",),
    # moods
    "relaxing": ("relaxed",),
    "energetic": ("energy",),
}

_CONCEPT = {name: concept for concept, names in SYNONYMS.items() for name in (concept, *names)}


def normalised(label: str) -> str:
    """Return a label in small letters, with single spaces, without MTG-Jamendo's category.

    Args:
        label: as a corpus or a model has it.

    Returns:
        The normalised label.

    Examples:
        >>> normalised("instrument---Drum_Machine")
        'drum machine'
    """
    return " ".join(label.rpartition("---")[2].casefold().replace("_", " ").split())


def canonical(label: str) -> str:
    """Return the concept that a label means: the table's name for it, or the normalised label.

    Args:
        label: as a corpus or a model has it.

    Returns:
        The name of the concept.

    Examples:
        >>> canonical("female vocalists"), canonical("genre---rock")
        ('female vocals', 'rock')
    """
    plain = normalised(label)
    return _CONCEPT.get(plain, plain)


def shared(*vocabularies: Sequence[str]) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Find the tags that all vocabularies have, be it under different names.

    A concept for which all vocabularies have the same labels is not merged: MagnaTagATune's
    "female", "woman" and "female voice" stay three tags as long as only its own models are
    compared. Otherwise all labels of the concept become one tag. It bears the first vocabulary's
    label where that has one only, else the table's name.

    Args:
        *vocabularies: label lists, the corpus's first.

    Returns:
        In the first vocabulary's order, tag -> for each vocabulary the labels that mean it.

    Examples:
        >>> shared(["female", "woman"], ["rock", "female vocalists"])
        {'female vocals': (('female', 'woman'), ('female vocalists',))}
    """
    meant = [by_concept(labels) for labels in vocabularies]
    found: dict[str, tuple[tuple[str, ...], ...]] = {}
    for concept, first in meant[0].items():
        labels = [m.get(concept, ()) for m in meant]
        if not all(labels):
            continue
        if all(set(other) == set(first) for other in labels):
            found |= {label: ((label,),) * len(labels) for label in first}
        else:
            found[first[0] if len(first) == 1 else concept] = tuple(labels)
    place = {label: i for i, label in enumerate(vocabularies[0])}
    return dict(sorted(found.items(), key=lambda item: place[item[1][0][0]]))


def by_concept(labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return concept -> the labels that mean it, in order."""
    found: dict[str, tuple[str, ...]] = {}
    for label in labels:
        concept = canonical(label)
        found[concept] = (*found.get(concept, ()), label)
    return found


def merged(
    values: np.ndarray, labels: Sequence[str], tags: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Return scores or targets of tags, each the maximum over the labels that mean it.

    Args:
        values: (clips, labels).
        labels: the columns' names.
        tags: tag -> labels, each of which is a column.

    Returns:
        (clips, tags), of the type of `values`.
    """
    column = {label: i for i, label in enumerate(labels)}
    merged = np.empty((len(values), len(tags)), values.dtype)
    for i, names in enumerate(tags.values()):
        merged[:, i] = values[:, [column[name] for name in names]].max(axis=1)
    return merged
