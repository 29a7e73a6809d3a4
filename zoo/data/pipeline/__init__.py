"""From a corpus to batches. Only this package imports TensorFlow."""
