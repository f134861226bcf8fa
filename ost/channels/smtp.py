"""E-mail by SMTP: plain text, one recipient, TLS as set. The far end's answer after the text decides the ending."""

from __future__ import annotations

import smtplib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime

from ost.channels.deadline import deadline
from ost.channels.interface import Ending, NotSent, Outgoing, Sent, Unknown

STARTTLS, TLS, NONE = MODES = ("starttls", "tls", "none")
TIMEOUT_S = 20


class Smtp:
    name = "smtp"
    serves = ("email",)
    #: A Message-ID is the same for every try, but mail servers do not promise to look at it.
    knows_keys = False

    def __init__(
        self,
        host: str,
        port: int,
        *,
        sender: str,
        tls: str = STARTTLS,
        user: str = "",
        password: str = "",
        timeout_s: float = TIMEOUT_S,
        context: ssl.SSLContext | None = None,
    ):
        self.host, self.port, self.tls, self.user = host, port, tls, user
        self.sender, self._password, self.timeout_s = sender, password, timeout_s
        self._context = context

    def send(self, message: Outgoing) -> Ending:
        context = self._context or ssl.create_default_context()
        server: smtplib.SMTP | None = None
        try:
            try:
                if self.tls == TLS:
                    server = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout_s, context=context)
                else:
                    server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_s)
                with deadline(server.sock, 3 * self.timeout_s):
                    refused = self._before_the_text(server, message, context)
            except ssl.SSLError:
                return NotSent("certificate")
            except smtplib.SMTPNotSupportedError:
                return NotSent("no_tls")  # never in clear because a line in between said so
            except smtplib.SMTPAuthenticationError:
                return NotSent("not_allowed")
            except smtplib.SMTPResponseException:
                return NotSent("busy")
            except (OSError, smtplib.SMTPException) as error:
                return NotSent("no_answer" if _silence(error) else "no_connection")
            return refused or self._the_text(server, message)
        finally:
            if server is not None:
                server.close()

    def _before_the_text(self, server: smtplib.SMTP, message: Outgoing, context: ssl.SSLContext) -> NotSent | None:
        server.ehlo_or_helo_if_needed()
        if self.tls == STARTTLS:
            server.starttls(context=context)
            server.ehlo()
        if self.user:
            server.login(self.user, self._password)
        code, _ = server.mail(self.sender)
        if code != 250:
            return NotSent("sender_refused" if code >= 500 else "busy")
        code, _ = server.rcpt(message.to)
        if code not in (250, 251):
            return NotSent("refused", permanent=True) if code >= 500 else NotSent("busy")
        server.putcmd("data")
        code, _ = server.getreply()
        return None if code == 354 else NotSent("text_refused" if code >= 500 else "busy")

    def _the_text(self, server: smtplib.SMTP, message: Outgoing) -> Ending:
        """From here on silence is not a no."""
        text = self._mail(message).as_bytes(policy=SMTP_POLICY.clone(max_line_length=76))
        # A line that is a dot alone would end the text.
        quoted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in text.split(b"\r\n"))
        try:
            with deadline(server.sock, 2 * self.timeout_s):
                server.send(quoted.rstrip(b"\r\n") + b"\r\n.\r\n")
                code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return Unknown("no_answer" if _silence(error) else "cut_off")
        if 200 <= code < 300:
            return Sent(said.decode("ascii", "replace")[:120] or None)
        if 400 <= code < 500:
            return NotSent("busy")
        return NotSent("text_refused", permanent=True) if code >= 500 else Unknown("answer_unclear")

    def _mail(self, message: Outgoing) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = Address(addr_spec=self.sender)
        mail["To"] = Address(addr_spec=message.to)
        mail["Subject"] = message.subject
        mail["Date"] = format_datetime(message.at)
        mail["Message-ID"] = f"<{message.key}@{self.sender.rpartition('@')[2]}>"
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body, charset="utf-8")
        mail["Content-Language"] = message.language  # set_content takes such headers away
        return mail


def _silence(error: Exception) -> bool:
    """smtplib calls a time that ran out a lost connection, and keeps what it was behind it."""
    return isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError)
