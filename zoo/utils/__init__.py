"""Tools that know nothing of music: files, text, figures, progress, the version."""
