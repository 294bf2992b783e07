"""From annotated images to batches: crops, views, features, samplers, labels, loaders."""
