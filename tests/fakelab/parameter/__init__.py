"""Parameter files of the tests."""
