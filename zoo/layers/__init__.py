"""Keras layers: spectrograms, back-ends, augmentation."""
