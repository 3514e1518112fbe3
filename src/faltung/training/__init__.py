"""Training: losses, optimisers, schedules, augmentation, batches, state, checkpoints."""
