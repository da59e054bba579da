"""The login's secrets: an RSA key pair for the password on the wire, scrypt for the one on disk.

The SQL login encrypts the password with a 1024-bit RSA key that the server makes at every start
(PKCS #1 v1.5).  The standard library has no RSA, so it is done here with pow(): about 0.1 s for a
key.  That size is the protocol's, TLS around it is what protects.
"""

import base64
import hashlib
import hmac
import os
import threading

KEY_BITS = 1024
EXPONENT = 65537
# Cheap enough for an emulated guest (4 MiB, some 10 ms on a real CPU); kept with each value.
SCRYPT = {"n": 1 << 12, "r": 8, "p": 1}


def _small_primes(limit):
    sieve = bytearray([1]) * limit
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number in range(3, limit) if sieve[number]]


_PRIMES = _small_primes(2000)


def _random(bits):
    return int.from_bytes(os.urandom(bits // 8), "big")


def _is_prime(number, rounds=8):
    """Miller-Rabin; for a random number of this size eight bases leave no doubt."""
    odd, twos = number - 1, 0
    while not odd & 1:
        odd >>= 1
        twos += 1
    for _ in range(rounds):
        value = pow(_random(128) + 2, odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def _prime(bits):
    while True:
        # The two highest bits set: the product of two such primes has exactly 2*bits bits.
        number = _random(bits) | 3 << (bits - 2) | 1
        if any(number % prime == 0 for prime in _PRIMES) or number % EXPONENT == 1:
            continue
        if _is_prime(number):
            return number


class LoginKey:
    """One RSA key pair; the private half never leaves memory."""

    def __init__(self, bits=KEY_BITS):
        first = _prime(bits // 2)
        second = _prime(bits // 2)
        while second == first:
            second = _prime(bits // 2)
        self.modulus = first * second
        self._size = bits // 8
        self._first, self._second = first, second
        private = pow(EXPONENT, -1, (first - 1) * (second - 1))
        self._first_exponent = private % (first - 1)
        self._second_exponent = private % (second - 1)
        self._inverse = pow(second, -1, first)

    def public(self):
        """The key as clients want it: PKCS #1 PEM for some, bare hexadecimal numbers for others."""
        der = _der(0x30, _der_integer(self.modulus) + _der_integer(EXPONENT))
        text = base64.b64encode(der).decode("ascii")
        lines = "\n".join(text[start : start + 64] for start in range(0, len(text), 64))
        return {
            "publicKeyPem": f"-----BEGIN RSA PUBLIC KEY-----\n{lines}\n"
            "-----END RSA PUBLIC KEY-----\n",
            "publicKeyModulus": f"{self.modulus:X}",
            "publicKeyExponent": f"{EXPONENT:x}",
        }

    def decrypt(self, text):
        """The password in base64 `text`, or None if it is not one made with this key."""
        try:
            cipher = base64.b64decode(text, validate=True)
        except (TypeError, ValueError):
            return None
        number = int.from_bytes(cipher, "big")
        if len(cipher) != self._size or number >= self.modulus:
            return None
        first = pow(number % self._first, self._first_exponent, self._first)
        second = pow(number % self._second, self._second_exponent, self._second)
        plain = second + self._second * ((first - second) * self._inverse % self._first)
        block = plain.to_bytes(self._size, "big")
        end = block.find(b"\0", 2)
        if block[:2] != b"\0\2" or end < 10:
            return None
        try:
            return block[end + 1 :].decode("utf-8")
        except UnicodeDecodeError:
            return None


class NextKey:
    """Makes the next key pair in the background: seconds under emulation, none when it is needed."""

    def __init__(self):
        self._key = None
        self._thread = None
        self._begin()

    def _begin(self):
        self._thread = threading.Thread(target=self._make, daemon=True)
        self._thread.start()

    def _make(self):
        self._key = LoginKey()

    def take(self):
        """A key pair that nobody had before."""
        self._thread.join()
        key = self._key
        self._begin()
        return key


def hash_password(password, salt):
    """The value that is kept on disk: {"n", "r", "p", "salt", "hash"}, the last two in hex."""
    return dict(SCRYPT, salt=salt.hex(), hash=_scrypt(password, salt, SCRYPT).hex())


def check_password(password, kept):
    computed = _scrypt(password, bytes.fromhex(kept["salt"]), kept)
    return hmac.compare_digest(computed, bytes.fromhex(kept["hash"]))


def _scrypt(password, salt, cost):
    return hashlib.scrypt(
        password.encode("utf-8"), salt=salt, n=cost["n"], r=cost["r"], p=cost["p"], dklen=32
    )


def _der(tag, content):
    size = len(content)
    if size < 128:
        head = bytes([size])
    else:
        digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
        head = bytes([0x80 | len(digits)]) + digits
    return bytes([tag]) + head + content


def _der_integer(number):
    # One bit more than needed keeps the sign bit clear.
    return _der(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))
