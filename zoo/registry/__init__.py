"""The registry of architectures and checkpoints. Nothing in this folder loads a framework."""
