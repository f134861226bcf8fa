"""The commands of `ost`, one file each with `command` (a click command or group).

Add the file's name to COMMANDS. A file is imported when its command is called,
so that starting the server pays for nothing else.
"""

#: In the order of `ost --help`.
COMMANDS = (
    "init",
    "serve",
    "scheduler",
    "demo",
    "doctor",
    "verify",
    "policy",
    "account",
    "agent",
    "devices",
    "drill",
    "bench",
)
