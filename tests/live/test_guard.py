import socket

import pytest

from pytracking_et.live.guard import admission, is_loopback, refusal

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
        ("127.0.1.1:8000", None, True),
        (OWN, "http://localhost:8000", False),
        (OWN, f"file://{OWN}", False),
    ],
)
def test_only_own_pages_are_welcome(host, origin, welcome):
    assert (refusal(host, origin) is None) == welcome


@pytest.mark.parametrize(
    ("host", "origin", "welcome"),
    [
        ("192.168.1.5:8000", None, True),
        ("192.168.1.5:8000", "http://192.168.1.5:8000", True),
        ("[fe80::1]:8000", None, True),
        (f"{socket.gethostname()}:8000", None, True),
        (OWN, None, True),
        ("mybox.lan:8000", None, True),
        ("evil.example:8000", None, False),  # may be rebound to any address
        ("192.168.1.5:8000", "http://evil.example", False),
        ("", None, False),
    ],
)
def test_other_machines_reach_it_by_what_no_page_can_rebind(host, origin, welcome):
    assert (refusal(host, origin, served="MyBox.lan") is None) == welcome


@pytest.mark.parametrize(
    ("cookie", "query", "way"),
    [
        ("ettrack-8000=secret", "", "cookie"),
        ("other=1; ettrack-8000=secret", "token=wrong", "cookie"),
        ("", "token=secret", "link"),
        ("ettrack-8000=old", "a=1&token=secret", "link"),
        ("ettrack-8001=secret", "", None),
        ("ettrack-8000=secre", "token=", None),
        ("\x00;;=", "token=\xff", None),
        ("", "", None),
    ],
)
def test_the_token_is_shown_by_cookie_or_link(cookie, query, way):
    assert admission("secret", OWN, cookie, query) == way


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("nas", False)],
)
def test_loopback(host, expected):
    assert is_loopback(host) == expected
