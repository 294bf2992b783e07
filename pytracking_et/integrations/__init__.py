"""Plugs into other people's tools: pytracking, vot-toolkit, GOT-10k toolkit, OpenCV."""
