"""General tools without music: files, text, figures, progress, the version."""
