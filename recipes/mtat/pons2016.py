"""Train pons2016 on MagnaTagATune.

    python recipes/mtat/pons2016.py MAGNATAGATUNE OUT --cache CACHE
    python recipes/mtat/pons2016.py MAGNATAGATUNE OUT --cache CACHE --option variant=black_box

Nothing is published to compare with: the paper classifies 8 ballroom dances. The training is that
of the authors' code for them. It is a network for 44.1 kHz, and the clips have 16 kHz, so its
upper bands stay empty. Nobody has run this to its end here: time and score are not known.
"""

from learn import FULL, learn

if __name__ == "__main__":
    learn("pons2016", __doc__, FULL)
