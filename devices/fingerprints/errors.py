"""What can go wrong with a print. No message ever holds pixels, minutiae or bytes of a template.

Each class has a stable `code` for the caller's own catalogue of messages.
"""


class FingerprintError(Exception):
    """Anything this package refuses; `code` names it for a catalogue of messages."""

    code = "fingerprint_error"


class BadImage(FingerprintError):
    """The bytes are no readable image, or it is larger, smaller or of another kind than we accept."""

    code = "bad_image"


class NotAFingerprint(FingerprintError):
    """A readable image without the contrast, area or stripes of a finger."""

    code = "not_a_fingerprint"


class BadTemplate(FingerprintError):
    """The bytes are no ISO/IEC 19794-2:2005 finger minutiae record, or minutiae that no record can hold."""

    code = "bad_template"


class TooFewCylinders(FingerprintError):
    """Fewer than `cylinders.MIN_VALID_CYLINDERS`: please try again; never a mismatch."""

    code = "too_few_cylinders"
