"""One file a data set: from what its authors distribute to a corpus."""
