"""Predictions for many files, into a Parquet data set that resumes: `zoo.batch`."""
