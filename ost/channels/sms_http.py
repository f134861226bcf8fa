"""Text messages through a gateway that takes a POST: JSON or a form, with the names of the fields as it wants them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from ost.channels import http
from ost.channels.interface import BadChannel, Ending, NotSent, Outgoing, Sent, Unknown

PARTS = ("to", "text", "key")


class SmsHttp:
    """`fields`: {"to": its name, "text": ..., "key": ...}; the key is left out where the gateway has no such field.

    `fixed`: fields that are always the same (a sender's name). `token`: sent as `Authorization: Bearer`.
    `id_field`: which field of a JSON answer holds the gateway's own number. `knows_keys`: the gateway's documentation
    promises to take the same key once.
    """

    name = "sms"
    serves = ("sms",)

    def __init__(
        self,
        url: str,
        token: str,
        *,
        form: bool = False,
        fields: Mapping[str, str] | None = None,
        fixed: Mapping[str, str] | None = None,
        id_field: str = "id",
        knows_keys: bool = False,
        connect_s: float = http.CONNECT_S,
        answer_s: float = http.ANSWER_S,
    ):
        self.fields = dict(fields or {"to": "to", "text": "text"})
        if "to" not in self.fields or "text" not in self.fields or set(self.fields) - set(PARTS):
            raise BadChannel("OST_SMS_FIELDS names to and text, and may name key")
        if knows_keys and "key" not in self.fields:
            raise BadChannel("OST_SMS_KNOWS_KEYS needs the field of the key in OST_SMS_FIELDS")
        self.url, self.form, self.fixed, self.id_field = url, form, dict(fixed or {}), id_field
        self.knows_keys = knows_keys
        self._token, self._times = token, {"connect_s": connect_s, "answer_s": answer_s}

    def send(self, message: Outgoing) -> Ending:
        values = {"to": message.to, "text": message.body, "key": message.key}
        data = self.fixed | {name: values[part] for part, name in self.fields.items()}
        if self.form:
            body, kind = urlencode(data).encode(), "application/x-www-form-urlencoded"
        else:
            body, kind = json.dumps(data, ensure_ascii=False).encode(), "application/json"
        headers = {"Content-Type": kind, "Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        answer = http.post(self.url, body, headers, **self._times)
        if isinstance(answer, NotSent | Unknown):
            return answer
        if 200 <= answer.status < 300:
            return Sent(_field(answer.body, self.id_field))
        return http.refused(answer)


def _field(body: bytes, name: str) -> str | None:
    """The gateway's number; an answer without one is a success all the same."""
    try:
        value = json.loads(body)[name]
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    return str(value)[:120] if isinstance(value, str | int) else None
