"""One file a paper. A file put here is registered by being here (see ``zoo.registry.lookup``)."""
