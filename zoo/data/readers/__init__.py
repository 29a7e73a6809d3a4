"""Readers of data sets, one file each: from the authors' files to a corpus."""
