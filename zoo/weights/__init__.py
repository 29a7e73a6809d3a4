"""Published weights: what there is (manifest), how it is had (fetch), how it is read (convert)."""
