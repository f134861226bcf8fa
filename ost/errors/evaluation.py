"""Evaluating a device: captures that cannot be used, sessions that cannot go on, reports that are not whole."""

from ost.errors import N_, Message

MESSAGES = {
    # --- captures ------------------------------------------------------------------
    "captures_not_a_folder": Message(
        N_("There is no such folder"),
        N_("Captures are read from a folder of pictures or templates."),
        N_("Check the path of the folder."),
        400,
    ),
    "captures_none": Message(
        N_("No captures were found"),
        N_("Nothing there is named person/finger/impression or FINGER_IMPRESSION, with a picture or an ISO template."),
        N_("Sort the files into person/finger/impression.png, and try again."),
        422,
    ),
    "captures_twice": Message(
        N_("Two files stand for the same capture"),
        N_("One impression has one picture and at most one template."),
        N_("Remove the copies, or give them numbers of their own."),
        422,
    ),
    "captures_beyond_limit": Message(
        N_("There are too many captures"),
        N_("At most %(limit)s impressions are evaluated at once: every one is compared with every other."),
        N_("Leave out impressions of the same finger first, people last."),
        422,
    ),
    "captures_too_large": Message(
        N_("The captures are too large"),
        N_("More than %(limit_mb)s MB, in one file or in all."),
        N_("Use pictures of single fingers at about 500 dpi, or fewer of them."),
        413,
    ),
    "evaluation_busy": Message(
        N_("Other evaluations come first"),
        N_("As many wait as this machine has memory for. Nothing was begun."),
        N_("Try again when one of them is done."),
        409,
    ),
    "captures_no_archive": Message(
        N_("The archive could not be read"),
        N_("It is no ZIP file, or it is damaged."),
        N_("Make the ZIP file again, without a password, and send it once more."),
        422,
    ),
    "captures_encrypted": Message(
        N_("The archive has a password"),
        N_("Its files cannot be opened here."),
        N_("Make the ZIP file again without a password; the connection is encrypted already."),
        422,
    ),
    "captures_unsafe_names": Message(
        N_("The archive was refused"),
        N_("A name in it leads out of it, or a file unpacks to many times its size."),
        N_("Make the ZIP file again from the folder of captures and nothing else."),
        422,
    ),
    # --- guided sessions ------------------------------------------------------------
    "evaluation_plan_wrong": Message(
        N_("This plan cannot be captured"),
        N_("People, fingers, impressions or tries are out of range, or a finger is not named as in right_index."),
        N_("Plan 1 to 500 people, each finger once, and 1 to 20 impressions of it; 3,000 impressions in all at most."),
        422,
    ),
    "evaluation_session_name_wrong": Message(
        N_("A session cannot have this name"),
        N_("It has letters, digits, - and _ only, 40 at most."),
        N_("Choose another name."),
        422,
    ),
    "evaluation_session_other_plan": Message(
        N_("A session of this name has another plan"),
        N_("It was begun for another device, other people or other fingers; what was captured stays."),
        N_("Go on with the plan it was begun with, or choose another name."),
    ),
    "evaluation_session_in_use": Message(
        N_("This session is open elsewhere"),
        N_("Two readers would take each other's place in the plan."),
        N_("End it there first."),
    ),
    "evaluation_session_done": Message(
        N_("This session is complete"),
        N_("Every impression of the plan was taken or given up."),
        N_("Make the report, or begin another session."),
    ),
    "evaluation_session_unknown": Message(
        N_("There is no session of this name"),
        N_("It was finished or removed, or was begun on another machine."),
        N_("Look at the list, or begin one."),
        404,
    ),
    "evaluation_person_unknown": Message(
        N_("This code is not part of the session"),
        N_("Participants are P01, P02 and so on, as many as were planned."),
        N_("Check the participant's code."),
        404,
    ),
    "evaluation_other_device": Message(
        N_("This is another device than before"),
        N_("Kind, maker, model or serial number differ from what the session was begun with."),
        N_("Connect the device of the session, or begin a session for this one."),
    ),
    "evaluation_no_finger_reader": Message(
        N_("This is no fingerprint reader"),
        N_("Only fingerprints can be compared here; other kinds need a matcher of their maker."),
        N_("Evaluate a fingerprint reader."),
        422,
    ),
    "evaluation_own_matching_only": Message(
        N_("This device gives nothing that could be compared"),
        N_("It only matches inside itself, so that nobody enrolled on another device is recognised on it."),
        N_("Ask the maker for a way to get pictures, or ISO/IEC 19794-2 templates."),
        422,
    ),
    # --- reports and what is kept ------------------------------------------------------
    "evaluation_unknown": Message(
        N_("There is no such evaluation"),
        N_("It was removed, or made on another machine."),
        N_("Look at the list of evaluations."),
        404,
    ),
    "evaluation_run_lost": Message(
        N_("The evaluation stopped"),
        N_("The program was restarted while it was running; captures are never written down, so it cannot go on."),
        N_("Send the archive again, or finish the session again; nothing of a session is lost."),
        503,
    ),
    "evaluation_unreadable": Message(
        N_("This is no evaluation report"),
        N_("The file is damaged, or something else."),
        N_("Use the JSON file that was made beside the report."),
        422,
    ),
    "evaluation_altered": Message(
        N_("The report was changed after it was signed"),
        N_("Its signature does not fit its content."),
        N_("Do not rely on it. Ask whoever made it for the original."),
    ),
    "evaluation_file_altered": Message(
        N_("The HTML or PDF beside the report was changed"),
        N_("It is not the file whose digest was signed."),
        N_("Do not rely on it. Ask whoever made it for the original."),
    ),
    "evaluation_key_unknown": Message(
        N_("The report was signed with another key"),
        N_("It may be whole, but this machine cannot say who made it."),
        N_("Ask the maker of the report for their public key, compare it by telephone, and give it with --key."),
    ),
    "evaluation_key_unsafe": Message(
        N_("A key of the evaluations is damaged or can be read by others"),
        N_("Only the owner of the program may read it."),
        N_("Restore the file from the backup, and give it mode 600."),
        500,
    ),
    "evaluation_sealed_broken": Message(
        N_("Kept minutiae do not open"),
        N_("The file was moved, changed or cut, or belongs to another key."),
        N_("Restore it from the backup, or forget this evaluation's minutiae; its report stays."),
    ),
}
