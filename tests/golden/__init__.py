"""Numbers of the published network and loop (no images, no weights)."""
