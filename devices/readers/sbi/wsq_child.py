"""Run as a program: WSQ on standard input, the picture's bytes on standard output, nothing anywhere else.

The decoder is a C extension that a hostile file can crash. Here it takes only itself along, and leaves no
core file: those would put a fingerprint on the disk.
"""

import contextlib
import sys

_CPU_S, _MEMORY_BYTES = 8, 1 << 30
_PR_SET_DUMPABLE = 4


def _fence() -> None:
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    try:
        import resource
    except ImportError:
        return  # Windows writes no core files, and ends the child by the parent's clock alone
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_AS, _MEMORY_BYTES),
    ):
        with contextlib.suppress(ValueError, OSError):  # a tighter limit is set already
            resource.setrlimit(limit, (value, value))


def main() -> None:
    _fence()
    import _wsq  # comes with the package `wsq`; its Pillow plugin is not needed here

    pixels, _width, _height, _ppi = _wsq.decompress(sys.stdin.buffer.read())
    sys.stdout.buffer.write(bytes(pixels))


if __name__ == "__main__":
    main()
