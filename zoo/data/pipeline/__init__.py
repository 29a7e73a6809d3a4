"""From a corpus to batches. This is the one place that imports TensorFlow."""
