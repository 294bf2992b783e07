"""Where the golden files lie."""

from pathlib import Path

FOLDER = Path(__file__).parent
NETWORK = FOLDER / "et_network.npz"
STATE = FOLDER / "state_dict.json"
TRAJECTORIES = FOLDER / "trajectories.npz"
