"""libfprint's side of the driver: a small process under the system's own Python, which has `gi`.

Speaks over its stdin and stdout in frames (two big-endian 32-bit lengths, a JSON head, raw bytes) with
`devices.readers.libfprint`. Does: list, open and cancel, capture, and say in codes what went wrong. Does
not: write anything to disk, log, print, or look at a picture. Standard library and `gi` only; it ends when
its stdin does.
"""

import contextlib
import json
import os
import struct
import sys
import time

FRAME = struct.Struct(">II")
LONGEST_HEAD = 65_536
PACKAGES = "libfprint-2-2 gir1.2-fprint-2.0 python3-gi"
IMAGE_KIND = "picture"
OWN_MATCHING = "own_matching"


class Line:
    """The frames to the driver. What libfprint prints must not run into them: fd 1 becomes fd 2."""

    def __init__(self):
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._in = b""

    def say(self, head, body=b""):
        text = json.dumps(head).encode()
        rest = memoryview(FRAME.pack(len(text), len(body)) + text + body)
        while rest:
            rest = rest[os.write(self._out, rest) :]

    def heard(self):
        """Heads of the frames that have come; None when the driver is gone or talks nonsense."""
        piece = os.read(0, LONGEST_HEAD)
        if not piece:
            return None
        self._in += piece
        heads = []
        while len(self._in) >= FRAME.size:
            head, body = FRAME.unpack_from(self._in)
            if head > LONGEST_HEAD or body:
                return None
            if len(self._in) < FRAME.size + head:
                break
            try:
                heads.append(json.loads(self._in[FRAME.size : FRAME.size + head]))
            except ValueError:
                return None
            self._in = self._in[FRAME.size + head :]
        return heads


class Devices:
    """libfprint's devices, of which one is opened and captures."""

    def __init__(self, line, fprint, gio, glib):
        self._line, self._fprint, self._gio, self._glib = line, fprint, gio, glib
        self.loop = glib.MainLoop()
        self._context = None
        self._device = None
        self._open = False
        self._leaving = False
        self._cancel = None  # of the capture that waits
        self._number = 0
        self._laid_at = None  # when the finger of this capture was seen

    # --- what the driver asks for ---------------------------------------------------
    def on_input(self, _fd, condition):
        heads = self._line.heard() if condition & self._glib.IOCondition.IN else None
        if heads is None:
            self.leave()
            return False
        for head in heads:
            do = head.get("do")
            if do == "list":
                self._line.say({"said": "devices", "devices": [self._about(d) for d in self._all()]})
            elif do == "open":
                self.open(head.get("device"))
            elif do == "capture":
                self.capture(int(head.get("number", 0)))
            elif do == "cancel" and self._cancel is not None:
                self._cancel.cancel()
            elif do == "close":
                self.leave()
        return True

    def _all(self):
        if self._context is None:
            self._context = self._fprint.Context()
        return list(self._context.get_devices())

    def open(self, wanted):
        """Open the wanted device, else the first that gives pictures, else say why there is none."""
        found = self._all()
        if wanted is not None:
            found = [d for d in found if wanted in (d.get_driver() + "/" + d.get_device_id(), d.get_driver())]
        if not found:
            self._trouble("reader_unplugged")
            return
        device = next((d for d in found if self._gives_pictures(d)), found[0])
        about = self._about(device)
        if about["gives"] != IMAGE_KIND:
            self._line.say({"said": "trouble", "code": "reader_matches_only_itself", "device": about})
            return
        if about["locked"]:
            self._trouble("reader_permission_denied", about)
            return
        self._device = device
        device.connect("removed", self._removed)
        device.connect("notify::finger-status", self._finger)
        device.open(None, self._opened)

    def _opened(self, device, result):
        try:
            device.open_finish(result)
        except self._glib.Error as error:
            self._trouble(self._why_not(error), self._about(device))
            return
        self._open = True
        self._line.say({"said": "opened", "device": self._about(device)})

    def capture(self, number):
        if not self._open or self._cancel is not None:
            self._line.say({"said": "ended", "number": number, "code": "busy" if self._open else "closed"})
            return
        self._number, self._laid_at = number, None
        self._cancel = self._gio.Cancellable()
        self._device.capture(True, self._cancel, self._captured)

    def _captured(self, device, result):
        number, self._cancel = self._number, None
        try:
            image = device.capture_finish(result)
        except self._glib.Error as error:
            self._line.say({"said": "ended", "number": number, "code": self._ending(error)})
        else:
            data = bytes(image.get_data() or b"")
            head = {
                "said": "captured",
                "number": number,
                "width": image.get_width(),
                "height": image.get_height(),
                "points_per_mm": image.get_ppmm(),
                "touch_ms": None if self._laid_at is None else round((time.monotonic() - self._laid_at) * 1000),
            }
            self._line.say(head, data)
        if self._leaving:
            self.leave()

    def leave(self):
        """Let go of the device, then end."""
        self._leaving = True
        if self._cancel is not None:
            self._cancel.cancel()
        elif self._open:
            self._open = False
            self._device.close(None, self._closed)
        else:
            self.loop.quit()

    def _closed(self, device, result):
        with contextlib.suppress(self._glib.Error):  # it is let go of when this process ends, in a moment
            device.close_finish(result)
        self.loop.quit()

    # --- what the device does -----------------------------------------------------------
    def _removed(self, _device):
        self._line.say({"said": "removed"})

    def _finger(self, device, _property):
        if device.get_finger_status() & self._fprint.FingerStatusFlags.PRESENT and self._laid_at is None:
            self._laid_at = time.monotonic()

    # --- in codes -------------------------------------------------------------------------
    def _trouble(self, code, device=None):
        self._line.say({"said": "trouble", "code": code, "device": device})

    def _gives_pictures(self, device):
        return bool(device.get_features() & self._fprint.DeviceFeature.CAPTURE)

    def _about(self, device):
        usb = device.get_property("fpi-usb-device")
        node = None if usb is None else f"/dev/bus/usb/{usb.get_bus():03d}/{usb.get_address():03d}"
        return {
            "driver": device.get_driver(),
            "id": device.get_device_id(),
            "name": device.get_name(),
            "usb": None if usb is None else f"{usb.get_vid():04x}:{usb.get_pid():04x}",
            "gives": IMAGE_KIND if self._gives_pictures(device) else OWN_MATCHING,
            "locked": node is not None and os.path.exists(node) and not os.access(node, os.R_OK | os.W_OK),
        }

    def _why_not(self, error):
        """Why a device could not be opened, as one of the driver's troubles."""
        text = (error.message or "").lower()
        io, device = self._gio.IOErrorEnum, self._fprint.DeviceError
        if error.matches(self._gio.io_error_quark(), io.PERMISSION_DENIED) or "permission" in text or "access" in text:
            return "reader_permission_denied"
        if error.matches(self._fprint.device_error_quark(), device.REMOVED) or "no such device" in text:
            return "reader_unplugged"
        # GUsb has no code of its own for a claimed interface; libusb's text is the only sign.
        taken = error.matches(self._fprint.device_error_quark(), device.BUSY) or "busy" in text
        return "reader_port_taken" if taken else "reader_not_answering"

    def _ending(self, error):
        """How a capture ended without a picture, as a code of the driver's endings."""
        gone = "vanished" if self._laid_at is not None else "unplugged"
        if error.matches(self._gio.io_error_quark(), self._gio.IOErrorEnum.CANCELLED):
            return "cancelled"
        if error.domain == self._glib.quark_to_string(self._fprint.device_retry_quark()):
            return "no_finger"
        if error.domain == self._glib.quark_to_string(self._fprint.device_error_quark()):
            codes = self._fprint.DeviceError
            return {
                int(codes.REMOVED): gone,
                int(codes.BUSY): "busy",
                int(codes.PROTO): "garbled",
                int(codes.DATA_INVALID): "rejected",
            }.get(error.code, "device_error")
        if "no such device" in (error.message or "").lower():
            return gone
        return "device_error"


def main():
    line = Line()
    try:
        import gi

        gi.require_version("FPrint", "2.0")
        from gi.repository import FPrint, Gio, GLib
    except (ImportError, ValueError):
        line.say({"said": "trouble", "code": "reader_package_missing", "device": None})
        return
    devices = Devices(line, FPrint, Gio, GLib)
    line.say({"said": "ready"})
    watched = GLib.IOCondition.IN | GLib.IOCondition.HUP | GLib.IOCondition.ERR
    GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, 0, watched, devices.on_input)
    devices.loop.run()


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:
        sys.exit(0)  # the driver is gone
