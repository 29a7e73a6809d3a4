"""Training and fine-tuning, with run folders that can be resumed."""
