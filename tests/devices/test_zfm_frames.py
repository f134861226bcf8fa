"""The serial wire's parser against anything: clean frames or none, no error of its own, no endless loop, little memory.

The conversation above it is fuzzed too: whatever a port says, a capture ends in one of the three ways.
"""

from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.interface import Captured, NotCaptured, ReaderUnplugged, ReaderUnusable, Unknown
from devices.readers import zfm, zfm_line
from devices.readers.zfm import ZfmReader
from devices.readers.zfm_frames import (
    ACK,
    COMMAND,
    DATA,
    END_OF_DATA,
    MAX_FRAME_BYTES,
    MAX_PAYLOAD_BYTES,
    FrameReader,
    NotThatShape,
    ProductInformation,
    SystemParameters,
    encode,
    grey,
    sensor_size,
    used_slots,
)

ADDRESS = 0xFFFFFFFF
EXAMPLES = settings(max_examples=200, derandomize=True)

payloads = st.binary(min_size=1, max_size=MAX_PAYLOAD_BYTES)
frames = st.tuples(st.sampled_from([COMMAND, DATA, ACK, END_OF_DATA]), payloads)
#: Bytes that look like the protocol's own far more often than chance would.
shreds = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"\xef", b"\xef\x01", b"\xef\x01\xff\xff\xff\xff", b"\xef\x01\xff\xff\xff\xff\x02\x01\x02", b"\x55"]
    ),
    frames.map(lambda frame: encode(*frame, ADDRESS)),
    frames.map(lambda frame: encode(*frame, 0x42)),
)


def chunks(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` in pieces, cut at these places (modulo its length)."""
    at = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(at)]


def all_frames(reader: FrameReader, pieces: list[bytes]) -> list[tuple[int, bytes]]:
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.take()) is not None:
            found.append((frame.kind, frame.payload))
        assert reader.kept_bytes < MAX_FRAME_BYTES
    return found


@EXAMPLES
@given(st.lists(frames, max_size=8), st.lists(st.integers(0, 5_000), max_size=20))
def test_what_was_sent_comes_back_however_it_is_cut(sent, cuts):
    reader = FrameReader(ADDRESS)
    wire = b"".join(encode(*frame, ADDRESS) for frame in sent)
    assert all_frames(reader, chunks(wire, cuts)) == sent
    assert not reader.damaged and reader.kept_bytes == 0


@EXAMPLES
@given(st.lists(shreds, max_size=30).map(b"".join), st.lists(st.integers(0, 5_000), max_size=20))
def test_anything_at_all_gives_whole_frames_or_none(stream, cuts):
    reader = FrameReader(ADDRESS)
    found = all_frames(reader, chunks(stream, cuts))
    reader.rescue()
    taken = sum(len(payload) + 11 for _, payload in found)
    assert taken + reader.skipped + reader.kept_bytes <= len(stream)
    for kind, payload in found:
        assert encode(kind, payload, ADDRESS) in stream


@EXAMPLES
@given(st.lists(shreds, max_size=30).map(b"".join), st.lists(st.integers(0, 5_000), max_size=20))
def test_how_it_is_cut_changes_nothing(stream, cuts):
    whole, cut = FrameReader(ADDRESS), FrameReader(ADDRESS)
    assert all_frames(whole, [stream]) == all_frames(cut, chunks(stream, cuts))
    assert (whole.skipped, whole.broken, whole.stranger) == (cut.skipped, cut.broken, cut.stranger)


@EXAMPLES
@given(frames, st.data())
def test_one_altered_byte_is_never_another_frame(frame, data):
    wire = bytearray(encode(*frame, ADDRESS))
    at = data.draw(st.integers(0, len(wire) - 1))
    wire[at] ^= data.draw(st.integers(1, 255))
    reader = FrameReader(ADDRESS)
    # What follows must come through, and what was altered must not.
    after = [(ACK, b"\x00")] * 30
    found = all_frames(reader, [bytes(wire), *(encode(*each, ADDRESS) for each in after)])
    assert frame not in found or frame == (ACK, b"\x00")
    assert set(found) <= {(ACK, b"\x00")} and found
    assert reader.damaged


def test_a_header_repeated_without_end_costs_no_memory_and_little_time():
    reader = FrameReader(ADDRESS)
    for _ in range(200):
        reader.feed(b"\xef\x01" * 2048)
        assert reader.take() is None
        assert reader.kept_bytes < MAX_FRAME_BYTES
    assert reader.skipped > 800_000


def test_a_representation_shows_no_pixel():
    reader = FrameReader(ADDRESS)
    reader.feed(encode(DATA, b"secret!!", ADDRESS))
    assert "secret" not in repr(reader.take())


# --- tables and pictures --------------------------------------------------------------------


@EXAMPLES
@given(
    st.one_of(
        st.binary(max_size=64), st.binary(min_size=16, max_size=16), st.binary(min_size=46, max_size=46)
    )
)
def test_tables_are_read_or_refused(payload):
    for read in (SystemParameters.read, ProductInformation.read, lambda raw: used_slots(3, raw)):
        try:
            said = read(payload)
        except NotThatShape:
            continue
        if isinstance(said, ProductInformation):
            assert all(
                text.isprintable() and len(text) <= 16 for text in (said.model, said.serial, said.sensor)
            )
            size = sensor_size(said.width * said.height // 2, said)
            assert size is None or (64 <= size[0] <= 512 and 64 <= size[1] <= 512)


@EXAMPLES
@given(st.binary(max_size=300))
def test_two_pixels_in_a_byte(packed):
    pixels = grey(packed)
    assert [a // 17 << 4 | b // 17 for a, b in zip(pixels[0::2], pixels[1::2], strict=True)] == list(packed)
    assert set(pixels) <= set(range(0, 256, 17))


@pytest.mark.parametrize("length", [0, 1, 18_431, 18_433, 36_863, 36_865, 73_728])
def test_a_length_that_no_sensor_gives(length):
    assert sensor_size(length, None) is None


# --- the whole conversation, with nonsense at the other end ---------------------------------------------


class Nonsense:
    """A port that answers each command with the next of some texts, in small pieces, and then with nothing."""

    def __init__(self, answers: list[bytes]):
        self.answers = list(answers)
        self.pending = b""

    @property
    def in_waiting(self) -> int:
        return len(self.pending)

    def read(self, count: int) -> bytes:
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def write(self, data: bytes) -> None:
        self.pending += self.answers.pop(0) if self.answers else b""

    def close(self) -> None:
        pass


def ack(code: int, more: bytes = b"") -> bytes:
    return encode(ACK, bytes([code]) + more, ADDRESS)


PARAMETERS = ack(0, bytes.fromhex("0000 0009 00c8 0003 ffffffff 0002 0006"))
PICTURE = b"".join(
    encode(DATA if at < 287 else END_OF_DATA, bytes([at % 256] * 128), ADDRESS) for at in range(288)
)
TRAIN = [(DATA if at < 287 else END_OF_DATA, bytes([at % 256] * 128)) for at in range(288)]


def train(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(encode(*frame, ADDRESS) for frame in frames)


PICTURE = train(TRAIN)
GREETING = [ack(0), PARAMETERS, ack(1)]


@pytest.fixture(scope="module")
def swift():
    """Waiting for what never comes takes no time here."""
    now = iter(range(10**9))
    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(monotonic=lambda: next(now) * 0.002)
        for user in (zfm, zfm_line):
            patch.setattr(user, "time", clock)
        yield patch


def conversation(patch, answers: list[bytes]):
    port = Nonsense(answers)
    patch.setattr(serial, "Serial", lambda *_, **__: port)
    reader = ZfmReader("anything", answer_s=0.1, poll_s=0)
    try:
        reader.open()
    except (ReaderUnusable, ReaderUnplugged):
        return None
    ended = reader.capture(0.5)
    reader.close()
    return ended


def test_the_conversation_that_is_mutated_below_is_a_capture(swift):
    assert isinstance(conversation(swift, [*GREETING, ack(2), ack(0), ack(0) + PICTURE]), Captured)


@pytest.mark.parametrize(
    ("answers", "ending"),
    [
        # Power was lost, and with it the picture: said before the command, and before its answer.
        ([ack(0) + b"\x55", ack(0) + PICTURE], Unknown("vanished")),
        ([ack(0), b"\x55" + ack(0) + PICTURE], Unknown("vanished")),
        ([ack(0), ack(0) + b"\x55" + PICTURE], Unknown("vanished")),
        # The late answer to another command is no touch: what the module holds is an earlier picture.
        ([ack(0, bytes(46)), ack(2), ack(2)] + [ack(2)] * 600, NotCaptured("timed_out")),
        # A train whose sums are right and whose pieces are not of one size, or of a size no module has.
        (
            [ack(0)] + [ack(0) + train([(DATA, bytes(100)), (DATA, bytes(156)), *TRAIN[2:]])] * 2,
            Unknown("garbled"),
        ),
        (
            [ack(0)] + [ack(0) + train([(DATA, bytes(96))] * 383 + [(END_OF_DATA, bytes(96))])] * 2,
            Unknown("garbled"),
        ),
        ([ack(0)] + [ack(0) + train([*TRAIN[:9], (DATA, b""), *TRAIN[9:]])] * 2, Unknown("garbled")),
        # An answer in the middle of the train.
        ([ack(0)] + [ack(0) + train([*TRAIN[:9], (ACK, bytes(128)), *TRAIN[10:]])] * 2, Unknown("garbled")),
        # A train that is right at the second try.
        ([ack(0), ack(0) + train(TRAIN[:9]) + b"?" + train(TRAIN[9:]), ack(0) + PICTURE], Captured),
    ],
)
def test_conversations_that_nearly_are_captures(swift, answers, ending):
    ended = conversation(swift, [*GREETING, ack(2), *answers])
    assert type(ended) is Captured if ending is Captured else ended == ending


@settings(max_examples=150, derandomize=True)
@given(
    at=st.integers(0, 5),
    cut=st.tuples(st.integers(0, 45_000), st.integers(0, 400)),
    noise=shreds,
    again=st.lists(st.lists(shreds, max_size=4).map(b"".join), max_size=6),
)
def test_a_mutated_conversation_ends_cleanly(swift, at, cut, noise, again):
    answers = [*GREETING, ack(2), ack(0), ack(0) + PICTURE]
    start = cut[0] % (len(answers[at]) + 1)
    answers[at] = answers[at][:start] + noise + answers[at][start + cut[1] :]
    ended = conversation(swift, answers + again)
    assert ended is None or isinstance(ended, Captured | NotCaptured | Unknown)


@settings(max_examples=150, derandomize=True)
@given(st.lists(st.lists(shreds, max_size=6).map(b"".join), max_size=12))
def test_nonsense_ends_cleanly_and_is_no_capture(swift, answers):
    ended = conversation(swift, answers)
    assert ended is None or isinstance(ended, NotCaptured | Unknown)


def test_a_module_that_never_stops_talking_is_not_listened_to_for_ever(swift):
    class Endless(Nonsense):
        endless = False

        def write(self, data: bytes) -> None:
            super().write(data)
            self.endless = not self.answers

        def read(self, count: int) -> bytes:
            while self.endless and len(self.pending) < count:
                self.pending += encode(DATA, b"\x77" * 128, ADDRESS)
            return super().read(count)

        @property
        def in_waiting(self) -> int:
            return 139 if self.endless else super().in_waiting

    port = Endless([*GREETING, ack(2), ack(0), ack(0)])
    swift.setattr(serial, "Serial", lambda *_, **__: port)
    reader = ZfmReader("anything", answer_s=0.1, poll_s=0)
    ended = []

    def listen():
        reader.open()
        ended.append(reader.capture(5))

    listening = threading.Thread(target=listen, daemon=True)
    listening.start()
    listening.join(timeout=60)
    assert ended == [Unknown("garbled")]
