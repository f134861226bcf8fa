"""The program at the counter: a finger in, a signed capture out.

Captures whenever a finger touches, signs station + challenge + digest with the
station's key, posts, and forgets. A sample is never written to disk; a touch
the server could not be told within a few seconds is dropped, because the person
has been seen to in another way by then. Its own clock is only used to count
seconds. It knows nothing of patients and hears of none.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from devices.agent_door import Door, HttpDoor, Refused, Unreachable, enrol
from devices.agent_hand import Hand
from devices.agent_key import KeyFileUnsafe, StationKey
from devices.interface import Reader, Touch, body_digest, readers_digest

__all__ = [
    "Agent",
    "Door",
    "HttpDoor",
    "KeyFileUnsafe",
    "Refused",
    "StationKey",
    "Unreachable",
    "enrol",
    "seconds",
]

log = logging.getLogger("ost.agent")

#: Challenges are good for 60 s by the server's clock; ours are thrown away earlier.
CHALLENGE_AGE_S = 50.0
CHALLENGES_HELD = 2
#: A touch older than this is dropped.
TOUCH_AGE_S = 3.0
#: The counter says "offline" after 1.9 s of silence (ost.services.counter_page.SILENT): a beat may come a
#: second late without that.
HEARTBEAT_S = 0.9
#: How soon a change of a reader's state is noticed, and said at once.
WATCH_S = 0.1
#: A station that was refused asks again this often: it may be enrolled anew.
REFUSED_S = 5.0
RETRY_S = 0.3
REOPEN_S = 1.0
CAPTURE_WAIT_S = 5.0
MOST_READERS = 8


def seconds() -> float:
    """Seconds that go on while the machine sleeps: a touch from before a sleep is old after it."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()  # counts sleep on Windows


class Agent:
    """One station: its readers and its way to the server.

    `readers`: one reader, or several by name. `once()` waits for one touch of the first and brings
    it to the server; `run()` does so for all until told to stop, with heartbeats beside it.
    `now` counts seconds and need not be the time.
    """

    def __init__(
        self,
        readers: Reader | dict[str, Reader],
        door: Door,
        key: StationKey,
        now: Callable[[], float] = seconds,
    ):
        named = readers if isinstance(readers, dict) else {"reader": readers}
        if not 1 <= len(named) <= MOST_READERS:
            raise ValueError(f"a station has one to {MOST_READERS} readers")
        self.hands = tuple(Hand(name, reader, now) for name, reader in named.items())
        self.key = key
        #: Since when the server answers (or does not), and what it said last. None: not asked yet.
        self.reachable: bool | None = None
        self.since = now()
        self.last_answer: str | None = None
        self._door = door
        self._now = now
        self._held: deque[tuple[str, float]] = deque(maxlen=CHALLENGES_HELD)
        self._next_beat: tuple[str, float] | None = None
        self._said: str | None = None  # what the server knows of the readers
        self._lock = threading.Lock()
        self._stop = threading.Event()

    @property
    def reader(self) -> Reader:
        """The first reader."""
        return self.hands[0].reader

    # --- the server's answers ---------------------------------------------------
    def _ask(self, post: Callable[[dict], dict], body: dict) -> dict:
        """Post, and note whether the server is there."""
        try:
            answer = post(body)
        except Unreachable:
            self._heard(False)
            raise
        except Refused as refused:
            self._heard(True)
            self.last_answer = refused.code
            raise
        self._heard(True)
        self.last_answer = answer.get("code") or answer.get("result") or "ok"
        return answer

    def _heard(self, there: bool) -> None:
        if there != self.reachable:
            if self.reachable is not None or not there:
                log.warning("server %s", "reachable again" if there else "not reachable")
            self.reachable, self.since = there, self._now()

    # --- challenges -------------------------------------------------------------
    def _keep(self, challenges: Sequence[str]) -> None:
        with self._lock:
            for challenge in challenges:
                self._held.append((str(challenge), self._now()))

    def _missing(self) -> int:
        with self._lock:
            while self._held and self._now() - self._held[0][1] > CHALLENGE_AGE_S:
                self._held.popleft()
            return CHALLENGES_HELD - len(self._held)

    def _challenge(self) -> str:
        """A challenge to use up; asks for more when none is left."""
        for _ in range(2):
            if self._missing() < CHALLENGES_HELD:
                with self._lock:
                    if self._held:
                        return self._held.popleft()[0]
            self._keep(self._more(CHALLENGES_HELD))
        raise Unreachable("no challenge")

    def _more(self, count: int) -> list[str]:
        body = {"station": self.key.station, "count": count}
        body["signature"] = self.key.sign("challenges", "", body_digest(body))
        return [str(c) for c in self._ask(self._door.challenges, body).get("challenges", ())]

    # --- heartbeat ----------------------------------------------------------------
    def looks(self) -> list[dict]:
        return [hand.look() for hand in self.hands]

    def heartbeat(self, looks: list[dict] | None = None) -> dict:
        """Say that the station is there, and how its readers are; the answer brings challenges.

        A beat's challenge comes with the answer to the beat before it, so that touches keep theirs
        and an old beat cannot be sent again by somebody else.
        """
        looks = self.looks() if looks is None else looks
        for last in (False, True):
            try:
                return self._beat_once(looks)
            except Refused as refused:
                self._next_beat = None
                if refused.code != "challenge_stale" or last:
                    raise
        raise AssertionError("unreachable")

    def _beat_once(self, looks: list[dict]) -> dict:
        kept, self._next_beat = self._next_beat, None
        if kept is None or self._now() - kept[1] > CHALLENGE_AGE_S:
            fresh = self._more(1)
            if not fresh:
                raise Unreachable("no challenge")
            kept = (fresh[0], self._now())
        short = readers_digest(looks)
        body = {
            "station": self.key.station,
            "challenge": kept[0],
            "said": short,
            "want": 1 + self._missing(),
        }
        if short != self._said:
            body["readers"] = looks
        body["signature"] = self.key.sign("heartbeat", kept[0], body_digest(body))
        self._said = None  # until it is answered, nobody knows what the server knows
        answer = self._ask(self._door.heartbeat, body)
        self._said = None if answer.get("tell") else short
        challenges = [str(c) for c in answer.get("challenges", ())]
        if challenges:
            self._next_beat = (challenges[0], self._now())
            self._keep(challenges[1:])
        return answer

    # --- one touch -------------------------------------------------------------------
    def once(self, wait_s: float = CAPTURE_WAIT_S) -> dict | None:
        """One touch of the first reader and the server's answer; None when nobody touched, or the touch
        grew too old to tell."""
        return self._serve(self.hands[0], wait_s)

    def _serve(self, hand: Hand, wait_s: float) -> dict | None:
        touch = hand.capture(wait_s)
        if touch is None:
            return None
        answer = None if self.reachable is False else self.tell(touch, self._now())
        if answer is None:
            hand.dropped += 1
            log.warning("touch dropped: the server could not be told in time")
            hand.drain()
        elif answer.get("result") == "refused":
            hand.refused += 1
        return answer

    def tell(self, touch: Touch, since: float) -> dict | None:
        """Bring a touch to the server. The identical post is repeated while the line is down, a stale
        challenge is replaced; TOUCH_AGE_S after `since` nothing is sent any more: None."""
        body, stale = None, 0
        while self._now() - since <= TOUCH_AGE_S:
            try:
                if body is None:
                    body = self._signed(touch)
                    continue  # a challenge may have had to be asked for: how old is the touch now?
                answer = self._ask(self._door.captures, body)
            except Unreachable:
                if self._stop.wait(RETRY_S):
                    break
                continue
            except Refused as error:
                if error.code == "challenge_stale":
                    body, stale = None, stale + 1
                    if stale > 1 and self._stop.wait(RETRY_S):
                        break
                    continue
                log.warning("capture refused: %s", error.code)
                return {"result": "refused", "code": error.code}
            self._keep(answer.get("challenges", ()))
            return answer
        return None

    def _signed(self, touch: Touch) -> dict:
        challenge = self._challenge()
        return {
            "station": self.key.station,
            "challenge": challenge,
            "touch": touch.to_wire(),
            "want": max(self._missing(), 1),
            "signature": self.key.sign("capture", challenge, touch.digest()),
        }

    # --- until told to stop ---------------------------------------------------------
    def run(self, on_answer: Callable[[dict], None] = lambda answer: None) -> None:
        """Work until `stop()`. Comes back by itself when the server or a reader does; says goodbye at the end."""
        beat = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        workers = [
            threading.Thread(target=self._work, args=(hand, on_answer), name=hand.name, daemon=True)
            for hand in self.hands
        ]
        for thread in (beat, *workers):
            thread.start()
        self._stop.wait()
        for thread in (*workers, beat):
            thread.join(timeout=2)
        if self.reachable:
            try:
                self.heartbeat()
            except (Unreachable, Refused) as error:
                log.warning("no goodbye: %s", error)

    def _work(self, hand: Hand, on_answer: Callable[[dict], None]) -> None:
        while not self._stop.is_set():
            try:
                if not hand.be_open():
                    self._stop.wait(REOPEN_S)
                    continue
                answer = self._serve(hand, CAPTURE_WAIT_S)
            except Exception as error:  # noqa: BLE001 - a driver that breaks its promise ends nothing but its touch
                hand.failed(error)
                self._stop.wait(REOPEN_S)
                continue
            if answer is not None:
                on_answer(answer)
            if hand.troubled:
                self._stop.wait(REOPEN_S)
        hand.close()

    def _beat(self) -> None:
        said, due = None, self._now()
        while not self._stop.is_set():
            try:
                looks = self.looks()
                if looks != said or self._now() >= due:
                    due = self._now() + HEARTBEAT_S
                    self.heartbeat(looks)
                    said = looks
            except Unreachable:
                due = self._now() + RETRY_S
            except Refused as error:
                log.error("heartbeat refused: %s", error.code)
                said, due = looks, self._now() + REFUSED_S
            except Exception as error:  # noqa: BLE001 - whatever it was, the next beat is tried
                log.error("heartbeat failed: %s", type(error).__name__)
                due = self._now() + REOPEN_S
            self._stop.wait(WATCH_S)

    def stop(self) -> None:
        self._stop.set()
        for hand in self.hands:
            hand.close()
