"""Which architectures and checkpoints there are. Nothing in here loads a framework."""
