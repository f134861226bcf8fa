"""A maker's service on this machine: what it says, how it lies, how it is believed, and where the line may break."""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import json
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from devices import ReaderSettings, make_reader
from devices.fingerprints import decode, encode, load_image
from devices.interface import (
    CLOSED,
    ISO_TEMPLATE,
    NOT_CAPTURED_CODES,
    READY,
    TROUBLES,
    UNPLUGGED,
    Captured,
    NotCaptured,
    ReaderUnplugged,
    ReaderUnusable,
    Unknown,
)
from devices.readers.http_json import HttpJsonReader, _Told
from devices.readers.http_json_profiles import SECUGEN
from devices.readers.http_line import GarbledAnswer
from tests.devices.benches.http_json import HEIGHT, WIDTH, bmp
from tests.devices.json_service import JsonService, answer, cut, instead, picture, stall, template
from tests.devices.prints import drawn, extracted, png


@pytest.fixture
def service():
    made = JsonService()
    yield made
    made.stop()


@pytest.fixture
def reader(service):
    made = HttpJsonReader(service.url, grace_s=1.0)
    made.open()
    yield made
    made.close()


def touched(service, reader, said, wait_s=5):
    service.touch(said)
    return reader.capture(wait_s)


# --- what is asked and what is answered ---------------------------------------------------


def test_the_request_is_the_one_of_the_manual(service, reader):
    touched(service, reader, picture(bmp(), WIDTH, HEIGHT), wait_s=5)
    method, path, headers, parameters = service.requests[-1]
    assert (method, path) == ("POST", "/SGIFPCapture")
    assert parameters == {"Timeout": "5000", "Quality": "50", "licstr": "", "templateFormat": "ISO", "imageWSQRate": "0.75"}  # fmt: skip
    assert headers["origin"] == "https://localhost"
    assert headers["content-type"] == "application/x-www-form-urlencoded"


def test_the_picture_is_taken_although_a_template_lies_beside_it(service, reader):
    said = picture(bmp(), WIDTH, HEIGHT, TemplateBase64=base64.b64encode(encode(extracted(0, 0))).decode())
    sample = touched(service, reader, said).sample
    assert (sample.format, sample.dpi) == ("image/bmp", 500)
    assert np.array_equal(load_image(sample.data), drawn(0, 0))
    assert dict(sample.declared) == {
        "maker": "SecuGen",
        "model": "HU20",
        "serial": "H58170600042",
        "liveness": "none",
        "nfiq": "1",
        "quality": "78",
    }
    about = reader.about()
    assert (about.gives, about.dpi, about.serial) == ("image", 500, "H58170600042")


def test_a_template_is_taken_where_there_is_no_picture(service, reader):
    sample = touched(service, reader, template(encode(extracted(0, 0)))).sample
    assert (sample.format, sample.dpi) == (ISO_TEMPLATE, None)
    assert len(decode(sample.data)) == len(extracted(0, 0))
    assert (reader.about().gives, reader.about().dpi) == ("template", None)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "JPEG2000", "PPM"])
def test_other_formats_in_the_same_field(service, reader, form):
    packed = io.BytesIO()
    Image.fromarray(drawn(0, 0)).save(packed, form)
    said = picture(packed.getvalue(), WIDTH, HEIGHT)
    said["BMPBase64"] = "data:image/any;base64," + said["BMPBase64"]
    assert load_image(touched(service, reader, said).sample.data).shape == (HEIGHT, WIDTH)


def test_plain_grey_of_the_stated_size(service, reader):
    said = picture(drawn(0, 0).tobytes(), WIDTH, HEIGHT)
    said["ImageDataBase64"] = said.pop("BMPBase64")
    sample = touched(service, reader, said).sample
    assert np.array_equal(load_image(sample.data), drawn(0, 0))


def test_any_names_can_be_set(service):
    reader = make_reader(
        ReaderSettings(
            "http_json",
            options={
                "url": service.url.replace("SGIFPCapture", "finger/take"),
                "body": "json",
                "fields": {"code": "", "image": "no,result.png", "dpi": "result.res", "serial": "id"},
                "parameters": {"Timeout": "x", "fakeDetection": 3, "key": "k"},
                "codes": {"700": "too_wet"},
            },
        )
    )
    reader.open()
    said = {"result": {"png": base64.b64encode(png(drawn(0, 0))).decode(), "res": "500"}, "id": 42}
    sample = touched(service, reader, said, wait_s=2).sample
    assert (sample.format, sample.dpi, sample.declared["serial"]) == ("image/png", 500, "42")
    assert sample.declared["liveness"] == "fakeDetection 3"
    _, path, headers, parameters = service.requests[-1]
    assert (path, headers["content-type"]) == ("/finger/take", "application/json")
    assert (parameters["Timeout"], parameters["key"]) == (2000, "k")


def test_the_other_profile_counts_in_seconds_and_describes_its_device(service):
    service.device = {"Make": "Mantra", "Model": "MFS100", "SerialNo": "1510682", "Width": str(WIDTH), "Height": str(HEIGHT)}  # fmt: skip
    reader = HttpJsonReader(service.url, profile="mantra")
    reader.open()
    assert (reader.about().maker, reader.about().serial) == ("Mantra", "1510682")
    assert service.requests[-1][:2] == ("GET", "/mfs100/info")
    said = {"ErrorCode": "0", "BitmapData": base64.b64encode(bmp()).decode(), "DeviceInfo": service.device}
    assert touched(service, reader, said, wait_s=1.2).sample.dpi == 500
    assert service.requests[-1][3] == {"Quality": 60, "TimeOut": 2}
    reader.close()
    service.device = None
    with pytest.raises(ReaderUnusable) as refused:
        reader.open()
    assert (refused.value.code, reader.state()) == ("reader_not_ready", CLOSED)


@pytest.mark.parametrize("number", sorted(SECUGEN.codes, key=int))
def test_each_number_of_the_manual_ends_as_it_says(service, reader, number):
    ending, trouble = SECUGEN.codes[number]
    assert ending in NOT_CAPTURED_CODES and (trouble is None or trouble in TROUBLES)
    service.says(int(number))
    assert reader.capture(0.2) == NotCaptured(ending)
    assert reader.trouble() == trouble
    if trouble:
        assert reader.state() == (UNPLUGGED if trouble == "reader_unplugged" else CLOSED)
        # It is asked again, and says the same: no touch is waited for in vain.
        with pytest.raises((ReaderUnplugged, ReaderUnusable)) as refused:
            reader.open()
        assert refused.value.code == trouble
    service.says(None)
    service.touch(small())  # a finger that lies there while the device is asked is not a touch
    reader.open()
    assert reader.state() == READY
    if trouble:
        assert reader.capture(0.01) == NotCaptured("timed_out")


# --- lies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"ImageWidth": WIDTH - 1},
        {"ImageHeight": "many"},
        {"ImageDPI": 250},
        {"ImageDPI": 1000},
        {"ImageDPI": 5},
        {"ImageDPI": 10**400},
        {"ImageDPI": [500]},
        {"ImageDPI": float("nan")},
        {"ImageDPI": None},
        {"ImageDPI": -500},
    ],
)
def test_what_the_answer_says_of_the_picture_must_be_so(service, reader, change):
    assert touched(service, reader, picture(bmp(), WIDTH, HEIGHT) | change) in (
        NotCaptured("rejected"),
        Unknown("garbled"),  # a number so long that no JSON reader takes it
    )
    assert isinstance(touched(service, reader, picture(bmp(), WIDTH, HEIGHT)), Captured) or reader.trouble()


def test_a_set_resolution_is_compared(service):
    reader = HttpJsonReader(service.url, dpi=508)
    reader.open()
    assert touched(service, reader, picture(bmp(), WIDTH, HEIGHT, 500)) == NotCaptured("rejected")
    assert touched(service, reader, picture(bmp(), WIDTH, HEIGHT, None)).sample.dpi == 508


@pytest.mark.parametrize("code", [None, True, {}, "", "x" * 100])
def test_an_answer_without_a_number_is_garbled(service, reader, code):
    assert touched(service, reader, picture(bmp(), WIDTH, HEIGHT) | {"ErrorCode": code}) == Unknown("garbled")


# --- where the line breaks -------------------------------------------------------------------------


@functools.cache
def small() -> dict:
    return picture(png(drawn(0, 0)), WIDTH, HEIGHT)


def test_lost_at_any_byte_is_not_known_and_never_a_print(service, reader):
    rng = np.random.default_rng(5)
    places = [*range(0, 120, 7), *rng.integers(120, 60_000, 40)]
    for place in places:
        service.harm(cut(int(place)))
        assert touched(service, reader, small()) in (Unknown("vanished"), Unknown("garbled")), place
        assert reader.state() == UNPLUGGED
        reader.open()
    assert isinstance(touched(service, reader, small()), Captured)


@settings(max_examples=20, deadline=None)
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 255))
def test_a_byte_that_arrives_as_another_is_noticed_or_harmless(place, value):
    with serving() as (service, reader):

        def flipped(whole):
            at = int(place**3 * len(whole))  # more often near the front, where the head is
            return whole[:at] + bytes([value]) + whole[at + 1 :], "close"

        service.harm(flipped)
        ended = touched(service, reader, small(), 0.1)
        if isinstance(ended, Captured):
            # No checksum covers the answer: a byte of a name or of white space may change unseen, a PNG's may not.
            assert np.array_equal(load_image(ended.sample.data), drawn(0, 0))


@contextlib.contextmanager
def serving():
    service = JsonService()
    reader = HttpJsonReader(service.url, grace_s=0.1)
    reader.open()
    try:
        yield service, reader
    finally:
        reader.close()
        service.stop()


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_on_the_line_end_clearly(raw, framed):
    with serving() as (service, reader):
        service.harm(instead(answer(raw) if framed else raw))
        assert isinstance(touched(service, reader, small(), 0.1), Unknown | NotCaptured)


NAMES = st.sampled_from([name for names in SECUGEN.fields.values() for name in names])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["0", 0, "FMR"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NO_LINE = HttpJsonReader("http://127.0.0.1:1/")


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(NAMES | st.text(max_size=5), VALUES, max_size=6) | VALUES, st.binary(max_size=60))
def test_whatever_an_answer_holds_is_an_ending(said, sample):
    """The parser alone: nothing but the exceptions it says, and no print from noise."""
    if isinstance(said, dict) and "TemplateBase64" in said:
        said["TemplateBase64"] = base64.b64encode(sample).decode()
    try:
        kept = NO_LINE._said(200, json.dumps(said).encode())
    except (GarbledAnswer, _Told):
        return
    assert not isinstance(NO_LINE._taken(kept), Captured)


def test_a_service_that_drips_is_silent_in_bounded_time(service):
    reader = HttpJsonReader(service.url, grace_s=0.1)
    reader.open()
    whole = answer(b" " * 500_000)

    def drip(_whole):
        for at in range(0, len(whole), 40):
            if line_of(service) is None:
                break
            line_of(service).sendall(whole[at : at + 40])
            time.sleep(0.02)
        return b"", "close"

    service.harm(drip)
    started = time.monotonic()
    assert touched(service, reader, small(), 0.2) == Unknown("silent")
    assert time.monotonic() - started < 3


def line_of(service):
    return next(iter(service._lines), None)


def test_a_request_that_cannot_be_sent_is_certainly_nothing(service, reader):
    service.stop()
    assert reader.capture(0.2) == NotCaptured("unplugged")
    assert (reader.state(), reader.trouble()) == (UNPLUGGED, "reader_unplugged")


def test_closing_ends_every_stage_of_an_exchange(service):
    for harm in (None, stall(0), stall(2000)):
        reader = HttpJsonReader(service.url)
        reader.open()
        if harm:
            service.harm(harm)
            service.touch(small())
        ended = []
        waiting = threading.Thread(target=lambda r=reader, e=ended: e.append(r.capture(20)))
        waiting.start()
        asked = len(service.requests)
        while len(service.requests) == asked == 0:
            time.sleep(0.005)
        time.sleep(0.05)
        reader.close()
        waiting.join(3)
        assert ended == [NotCaptured("closed")]
        service.stop()
        service.mend()


# --- nothing leaks -------------------------------------------------------------------------


def test_no_log_and_no_error_repeats_what_came_over_the_line(service, reader, caplog):
    secret = base64.b64encode(bmp()).decode()[2000:2040]
    caplog.set_level(0)
    for said in (
        picture(bmp()[:9000], WIDTH, HEIGHT),
        picture(bmp(), WIDTH, HEIGHT + 1),
        {"ErrorCode": secret},
        {"ErrorCode": 0, "BMPBase64": "!" + secret},
        {"ErrorCode": 0, "TemplateBase64": secret},
    ):
        ended = touched(service, reader, said)
        assert not isinstance(ended, Captured)
        assert secret not in repr(ended) + repr(reader.about()) + str(reader.trouble())
        reader.close()
        reader.open()
    for raise_it in (
        lambda: NO_LINE._said(200, json.dumps({"ErrorCode": secret}).encode()),
        lambda: NO_LINE._said(200, secret.encode()),
        lambda: NO_LINE._take({"BMPBase64": "!" + secret}),
        lambda: NO_LINE._take({"TemplateBase64": secret}),
    ):
        with pytest.raises(Exception) as raised:
            raise_it()
        assert secret not in f"{raised.value!r}"
    assert secret not in caplog.text


# --- real prints ------------------------------------------------------------------------------------------


def test_real_prints_and_the_makers_own_templates_arrive_as_they_are(service, reader, shared_data):
    folder = shared_data / "fingerprints" / "fvc2002" / "DB1_B"
    for path in sorted(folder.glob("10?_1.png"))[:3]:
        image = load_image(path.read_bytes())
        sample = touched(service, reader, picture(path.read_bytes(), image.shape[1], image.shape[0])).sample
        assert sample.data == path.read_bytes()
    for path in sorted(folder.glob("*.iso")):
        sample = touched(service, reader, template(path.read_bytes())).sample
        assert (sample.format, sample.data) == (ISO_TEMPLATE, path.read_bytes())
        assert len(decode(sample.data))
