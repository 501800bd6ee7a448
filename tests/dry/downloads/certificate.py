"""A certificate for tests: signed by itself, ECDSA on the curve P-256, in plain Python.

SEC 1 (version 2.0, 4.1.3) for the signature, RFC 5280 for the certificate, RFC 5915 for the key.
Nothing secret: the key is made from a seed.
"""

import base64
import hashlib
import ipaddress
import random

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def added(one, other):
    if one is None or other is None:
        return one or other
    (x, y), (u, v) = one, other
    if x == u and (y + v) % P == 0:
        return None
    slope = (3 * x * x - 3) * pow(2 * y, -1, P) if one == other else (v - y) * pow(u - x, -1, P)
    w = (slope * slope - x - u) % P
    return w, (slope * (x - w) - y) % P


def times(number, point):
    found = None
    while number:
        if number & 1:
            found = added(found, point)
        point, number = added(point, point), number >> 1
    return found


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 128 + len(length))) + length + content


def number(value):
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(text):
    first, second, *rest = map(int, text.split("."))
    encoded = bytes((40 * first + second,))
    for each in rest:
        groups = [each & 127]
        while each := each >> 7:
            groups.append(each & 127 | 128)
        encoded += bytes(reversed(groups))
    return der(6, encoded)


def pem(label, content):
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


def make_certificate(names, seed=1):
    """The texts of a certificate and its key, in the PEM format, for DNS names and IP addresses."""
    chance = random.Random(seed)
    secret = chance.randrange(1, N)
    x, y = times(secret, G)
    point = b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
    key_kind = der(48, oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7"))
    ecdsa = der(48, oid("1.2.840.10045.4.3.2"))
    name = der(48, der(49, der(48, oid("2.5.4.3"), der(12, b"Calotype tests"))))
    dates = der(48, der(23, b"200101000000Z"), der(23, b"491231000000Z"))
    alternatives = b"".join(alternative(each) for each in names)
    extensions = der(
        48,
        der(48, oid("2.5.29.17"), der(4, der(48, alternatives))),
        der(48, oid("2.5.29.19"), der(1, b"\xff"), der(4, der(48, der(1, b"\xff")))),
    )
    body = der(
        48,
        der(0xA0, number(2)),
        number(chance.getrandbits(60)),
        *(ecdsa, name, dates, name),
        der(48, key_kind, der(3, b"\0" + point)),
        der(0xA3, extensions),
    )
    once = chance.randrange(1, N)
    r = times(once, G)[0] % N
    digest = int.from_bytes(hashlib.sha256(body).digest(), "big")
    s = pow(once, -1, N) * (digest + r * secret) % N
    signature = der(3, b"\0" + der(48, number(r), number(s)))
    key = der(
        48,
        number(1),
        der(4, secret.to_bytes(32, "big")),
        der(0xA0, oid("1.2.840.10045.3.1.7")),
        der(0xA1, der(3, b"\0" + point)),
    )
    return pem("CERTIFICATE", der(48, body, ecdsa, signature)), pem("EC PRIVATE KEY", key)


def alternative(name):
    try:
        return der(0x87, ipaddress.ip_address(name).packed)
    except ValueError:
        return der(0x82, name.encode())
