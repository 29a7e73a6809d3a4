"""Train lee2017 (SampleCNN) on MagnaTagATune.

    python recipes/mtat/lee2017.py MAGNATAGATUNE OUT --cache CACHE

Published: ROC-AUC .9055 with 3^9, the default, on the cleaned test set of 4,332 clips (poster of
Kim, Lee and Nam, ICASSP 2018, which quotes the paper and shares two authors). Won et al. 2020
trained it again, at 16 kHz: ROC-AUC .9058, PR-AUC .4422 on the same clips. The split to compare is
"test_cleaned".

As in the authors' code, an epoch has 10 segments of each clip: here random ones, there the 10 that
follow each other. Nobody has run this to its end here: time and score are not known.
"""

from learn import CLEANED, learn

if __name__ == "__main__":
    learn("lee2017", __doc__, CLEANED, segments=10)
