"""Addresses from strangers: hosts as they are shown and allowed, and what counts as public."""

import pytest

from engine.downloads.addresses import AddressError, is_public, read_address, read_host

PUBLIC = ["8.8.8.8", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
    *("100.64.0.1", "192.0.0.8", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::127.0.0.1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::808:808"),
    *("2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "not an address", ""),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text):
    assert is_public(text)


@pytest.mark.parametrize("text", PRIVATE)
def test_private(text):
    assert not is_public(text)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://Example.ORG/a?b=c#d", "example.org"),
        ("https://example.org./a", "example.org"),
        ("https://example.org:443/a", "example.org"),
        ("https://example.org:8443/a", "example.org:8443"),
        ("https://exämple.org/a", "xn--exmple-cua.org"),
        ("https://[2001:4860:4860::8888]/a", "[2001:4860:4860::8888]"),
        ("https://evil.org#@good.org/a", "evil.org"),
    ],
)
def test_the_host_is_shown_as_it_is_asked(text, host):
    address = read_address(text)
    assert address.host == host
    assert read_host(host) == host
    assert "#" not in str(address.url)


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.org/a", "ftp://example.org/a", "file:///etc/passwd", "//example.org/a"),
        *("javascript:alert(1)", "data:,a", "example.org/a", "", "https://", "https:///a"),
        *("https://me@example.org/a", "https://me:pw@example.org/a", "https://@example.org/a"),
        *("https://127.1/a", "https://2130706433/a", "https://0x7f.1/a", "https://0177.0.0.1/a"),
        *("https://a b/c", "https://a%2eb/c", "https://.../c", "https://a:99999/c", "https://a:b"),
        *("https://good.org\\.evil.org/a", "https://a\\@b/c", "https://exa\u202emple.org/a"),
        *("https://example.org/\r\nHost: other", "https://" + "a" * 64 + ".org/a"),
        "https://example.org/" + "a" * 5000,
    ],
)
def test_no_address(text):
    with pytest.raises(AddressError):
        read_address(text)


@pytest.mark.parametrize("text", ["example.org/a", "https://example.org", "a@b", "", "a?b", "a#b/"])
def test_no_host(text):
    with pytest.raises(AddressError):
        read_host(text)
