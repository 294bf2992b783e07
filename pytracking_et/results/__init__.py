"""What evaluation writes and analysis reads: result files, their manifest, and names."""
