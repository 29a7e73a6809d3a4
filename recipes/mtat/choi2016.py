"""Train choi2016 on MagnaTagATune.

    python recipes/mtat/choi2016.py MAGNATAGATUNE OUT --cache CACHE
    python recipes/mtat/choi2016.py MAGNATAGATUNE OUT --cache CACHE --option depth=5

Published (the authors' slides of ISMIR 2016): ROC-AUC .894 with 4 layers, the default; .852 with 3,
.890 with 5. Choi's split has all clips: the one to compare is "test".

Little is known of the authors' training: TRAINING in zoo/models/choi2016.py is ours. Nobody has run
this to its end here: time and score are not known. With 17 million parameters on spectrograms of
29 s it needs a graphics card. `--option width=0.25` makes it narrow; by the slides a narrow one
scores as well.
"""

from learn import FULL, learn

if __name__ == "__main__":
    learn("choi2016", __doc__, FULL)
