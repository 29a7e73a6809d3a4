"""The model object, what it predicts of a sound, and the result objects."""
