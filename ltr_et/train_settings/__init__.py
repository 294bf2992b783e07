"""Settings scripts: `MODULE/NAME.py` with `run(settings)`."""
