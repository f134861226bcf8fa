"""How a conversation with a biometric service goes wrong. No text here repeats what came over the wire."""

from __future__ import annotations


class SbiError(Exception):
    """Anything that ends an exchange. `what` is a short technical word chosen here, never the service's."""

    def __init__(self, what: str = ""):
        super().__init__(what)
        self.what = what


class NotThere(SbiError):
    """Nobody listens on the port: nothing was asked, so nothing was captured."""


class Lost(SbiError):
    """The connection ended before the whole answer had come."""


class Silent(SbiError):
    """The answer did not come in time."""


class Garbled(SbiError):
    """What came is no answer of this interface: no HTTP, no JSON, too much, or of another shape."""


class Refused(SbiError):
    """The service answered with an error; `code` is its number as text, as the specification lists them."""

    def __init__(self, code: str):
        super().__init__(f"error {code}")
        self.code = code


class Untrusted(SbiError):
    """No chain to a certificate that was set as trusted, or one outside its dates."""


class Rejected(SbiError):
    """Signed or not, it is not what was asked for: signature, hash, transaction, time, size."""
