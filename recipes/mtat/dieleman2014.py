"""Train dieleman2014 on MagnaTagATune.

    python recipes/mtat/dieleman2014.py MAGNATAGATUNE OUT --cache CACHE
    python recipes/mtat/dieleman2014.py MAGNATAGATUNE OUT --cache CACHE --option input=spectrogram

Published (Table 1 of the paper, filters of 256 samples every 256): ROC-AUC .8487 from the waveform,
.8815 from the spectrogram, on the last 3 of 16 parts. The paper does not mention leaving
out clips without tags, so the split to compare is "test", all clips. Other settings of the table:
`--option window_length=512 --option hop_length=256`.

TRAINING in zoo/models/dieleman2014.py lists what the paper does not say of the training, and our
choices. Nobody has run this to its end here: time and score are not known.
"""

from learn import FULL, learn

if __name__ == "__main__":
    learn("dieleman2014", __doc__, FULL)
