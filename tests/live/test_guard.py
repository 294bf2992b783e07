import pytest

from pytracking_et.live.guard import refusal

OWN = "127.0.0.1:8000"


@pytest.mark.parametrize(
    ("host", "origin", "welcome"),
    [
        (OWN, None, True),
        ("localhost:9001", None, True),
        ("[::1]:8000", None, True),
        ("LOCALHOST:8000", "http://localhost:8000", True),
        (OWN, f"http://{OWN}", True),
        (OWN, f"https://{OWN}", True),
        ("evil.example", None, False),
        ("evil.example:8000", "http://evil.example:8000", False),
        ("127.0.0.1.evil.example", None, False),
        ("evil.example@127.0.0.1", None, False),
        ("127.0.0.1:port", None, False),
        ("192.168.1.5:8000", None, False),
        ("", None, False),
        (OWN, "http://evil.example", False),
        (OWN, "null", False),
        (OWN, "", False),
        (OWN, "http://127.0.0.1:9999", False),
        (OWN, "http://localhost:8000", False),
        (OWN, f"file://{OWN}", False),
    ],
)
def test_only_own_pages_are_welcome(host, origin, welcome):
    assert (refusal(host, origin) is None) == welcome
