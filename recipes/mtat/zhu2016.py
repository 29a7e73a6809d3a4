"""Train zhu2016 on MagnaTagATune.

    python recipes/mtat/zhu2016.py MAGNATAGATUNE OUT --cache CACHE

Nothing is published to compare with: the paper recognises speech, and both network and training
are ours, see zoo/models/zhu2016.py. Nobody has run this to its end here: time and score are not
known.
"""

from learn import FULL, learn

if __name__ == "__main__":
    learn("zhu2016", __doc__, FULL)
