"""Why a reader cannot be used, and how a capture ended without a print: all codes of devices.interface that a
driver may answer with and that biometrics.py does not have."""

from ost.errors import N_, Message

MESSAGES = {
    # --- it cannot be used now: TROUBLES ----------------------------------------------
    "reader_unplugged": Message(
        N_("No reader was found"),
        N_("The device is not plugged in, or its service or folder is not there."),
        N_(
            "Plug it in or start its service; the station finds it by itself. Until then use a card or a number."
        ),
    ),
    "reader_package_missing": Message(
        N_("A program library for this reader is missing"),
        N_("The driver needs a library that is not installed on this machine."),
        N_("Install what `ost devices list` names for it, then start the station's program again."),
    ),
    "reader_permission_denied": Message(
        N_("This account may not use the reader"),
        N_("The system lets other accounts or groups use the device, not this one."),
        N_("Add the account to the group that `ost devices list` names, sign out and in, and try again."),
    ),
    "reader_port_taken": Message(
        N_("Another program holds the reader"),
        N_("A device serves one program at a time."),
        N_("End the other program, often the maker's own or a second station program, and try again."),
    ),
    "reader_not_answering": Message(
        N_("The reader does not answer"),
        N_("Its port or address is there, but nothing that is understood came back in time."),
        N_("Check its power, its cable, and the speed or address that is set for it, then plug it in again."),
    ),
    "reader_not_ready": Message(
        N_("The reader is not ready yet"),
        N_("It answers, and says that it is starting, busy, or not registered."),
        N_("Wait a minute and try again. If it stays so, finish its set-up in the maker's own program."),
    ),
    "reader_not_trusted": Message(
        N_("The reader could not prove that it is the right one"),
        N_("Its certificate or signature is unknown, has expired, or is not the one that was set for it."),
        N_(
            "Do not use it. Set its certificate again from the maker's papers, or call whoever looks after it."
        ),
        403,
    ),
    "reader_refused_password": Message(
        N_("The reader refused the password"),
        N_("It is protected, and the password or licence that is set here is not its own."),
        N_("Set the right password or licence for it at the station, and start the station's program again."),
        403,
    ),
    "reader_misconfigured": Message(
        N_("The reader's settings are wrong"),
        N_("An option is missing, unknown, or has a value that cannot be."),
        N_("Compare the options with the README's table of readers, and start the station's program again."),
        400,
    ),
    # --- certainly no print: NOT_CAPTURED_CODES ------------------------------------------
    "timed_out": Message(
        N_("Nobody touched in time"),
        N_("The reader waited, and no finger came."),
        N_("Touch again when the reader is lit."),
        422,
    ),
    "cancelled": Message(
        N_("The touch was called off"),
        N_("Somebody ended the capture at the reader or in its own program."),
        N_("Touch again."),
    ),
    "closed": Message(
        N_("The reader is switched off in this program"),
        N_("The station closed it; nothing was read."),
        N_("Start the station's program again. Until then use a card or a number."),
    ),
    "busy": Message(
        N_("The reader is busy"),
        N_("Another program, or an earlier touch, still holds it. Nothing was read."),
        N_("Touch again in a few seconds. If it stays so, end the other program that uses the reader."),
    ),
    "rejected": Message(
        N_("The reader's answer was not accepted"),
        N_(
            "It gave something other than it says it gives: another size or resolution, or a wrong signature."
        ),
        N_(
            "Touch again. If it happens twice, use a card or a number and call whoever looks after the reader."
        ),
        422,
    ),
    "device_error": Message(
        N_("The reader reported a fault"),
        N_("It said itself that it could not take the print."),
        N_("Touch again. If it happens twice, unplug it, wait ten seconds and plug it in again."),
    ),
    # --- not known: UNKNOWN_CODES ---------------------------------------------------------
    "silent": Message(
        N_("The reader fell silent during the touch"),
        N_("It is not known whether the finger was read."),
        N_("Touch again. If it goes on, reconnect the reader."),
    ),
}
