"""Train pons2017 (musicnn) on MagnaTagATune.

    python recipes/mtat/pons2017.py MAGNATAGATUNE OUT --cache CACHE

Published (files that the author ships with the weights of musicnn 0.1.0): ROC-AUC .90668, PR-AUC
.38311, on all 5,329 test clips, after 600 epochs. The split to compare is "test". That checkpoint
is `zoo.load("pons2017.mtt")`.

The networks of the 2017 paper are `--option variant=spectrogram` and `variant=waveform`; how those
were trained, and what they scored here, could not be confirmed. Nobody has run this to its end
here: time and score are not known.
"""

from learn import FULL, learn

if __name__ == "__main__":
    learn("pons2017", __doc__, FULL)
