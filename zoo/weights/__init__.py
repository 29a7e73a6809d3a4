"""Weights: fetch published files, convert them, load models, share them on the hub."""
