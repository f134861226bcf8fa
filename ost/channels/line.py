"""LINE Messaging API, push message. A retry key is always sent: LINE takes a message with the same key once.

https://developers.line.biz/en/docs/messaging-api/retrying-api-request/: X-Line-Retry-Key is a UUID of ours, good for
24 hours; 409 says that a request with this key was accepted before; after 5xx or silence the same may be tried again.
"""

from __future__ import annotations

import json
import uuid

from ost.channels import http
from ost.channels.interface import Ending, NotSent, Outgoing, Sent, Unknown

#: Of one text message, by LINE's reference.
MOST_CHARACTERS = 5000


class Line:
    name = "line"
    serves = ("line",)
    knows_keys = True

    def __init__(self, url: str, token: str, *, connect_s: float = http.CONNECT_S, answer_s: float = http.ANSWER_S):
        self.url, self._token = url, token
        self._times = {"connect_s": connect_s, "answer_s": answer_s}

    def send(self, message: Outgoing) -> Ending:
        body = {"to": message.to, "messages": [{"type": "text", "text": message.body[:MOST_CHARACTERS]}]}
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._token}",
            "X-Line-Retry-Key": str(uuid.UUID(message.key)),
        }
        answer = http.post(self.url, json.dumps(body, ensure_ascii=False).encode(), headers, **self._times)
        if isinstance(answer, NotSent | Unknown):
            return answer
        if answer.status == 409 and "x-line-accepted-request-id" in answer.headers:
            return Sent(answer.headers["x-line-accepted-request-id"][:120])
        if 200 <= answer.status < 300:
            return Sent(answer.headers.get("x-line-request-id", "")[:120] or None)
        return http.refused(answer)
