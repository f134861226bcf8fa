"""Stations, captures, fingerprints, and showing who one is at the counter."""

from ost.errors import N_, Message

MESSAGES = {
    # --- the door ----------------------------------------------------------------
    "station_unknown": Message(
        N_("This station is not known"),
        N_("No enrolled station has this identity."),
        N_("Ask an administrator for a one-time code and enrol the station again."),
        403,
    ),
    "station_revoked": Message(
        N_("This station was revoked"),
        N_("An administrator withdrew its right to send captures."),
        N_("Use a card or a number at this counter, and call the administrator."),
        403,
    ),
    "signature_wrong": Message(
        N_("The signature does not fit"),
        N_("What arrived was not signed by this station's key, or was changed on the way."),
        N_("Touch again. If it happens twice, tell the administrator: the station may have to be enrolled anew."),
        403,
    ),
    "challenge_wrong": Message(
        N_("The challenge was not made for this station"),
        N_("Each capture answers a challenge that the server gave to this very station."),
        N_("Touch again. If it happens twice, tell the administrator."),
        403,
    ),
    "challenge_stale": Message(
        N_("The challenge is too old"),
        N_("A capture must reach the server within a minute of its challenge."),
        N_("Touch again; the station asks for a fresh challenge by itself."),
    ),
    "capture_replayed": Message(
        N_("This capture was sent before"),
        N_("Its challenge is used up; each capture counts once."),
        N_("Touch again. If nobody touched just now, tell the administrator."),
    ),
    "simulated_reader_refused": Message(
        N_("A simulated reader was refused"),
        N_("Only real readers may act outside the demo."),
        N_("Connect a real reader to this station; until then use a card or a number."),
        403,
    ),
    "touch_malformed": Message(
        N_("The capture could not be read"),
        N_("The field “%(field)s” is missing or wrong."),
        N_("Update the station's program, then touch again."),
        400,
    ),
    "enrol_code_wrong": Message(
        N_("This enrolment code is not valid"),
        N_("It was used, has expired, or was mistyped."),
        N_("Ask an administrator for a new code; each works once and for half an hour."),
        403,
    ),
    "station_key_wrong": Message(
        N_("The station's key could not be used"),
        N_("It is no Ed25519 public key, or another station has it."),
        N_("Remove the station's key file and enrol it with a new code."),
        400,
    ),
    "real_reader_here": Message(
        N_("A real reader stands at this counter"),
        N_("The practice panel does not push it aside."),
        N_("Touch the reader itself, or choose another counter."),
    ),
    # --- what a touch can come to ------------------------------------------------------
    "touch_again": Message(
        N_("Please touch again"),
        N_("Too little of the finger could be read. This says nothing about whose finger it is."),
        N_("Lay the middle of the finger flat on the glass; wipe the glass or the finger if it is wet."),
        422,
    ),
    "too_wet": Message(
        N_("Please dry the finger and touch again"),
        N_("The finger or the glass is wet."),
        N_("Wipe both. A card or the number does as well."),
        422,
    ),
    "no_finger": Message(
        N_("No finger was found"),
        N_("The reader saw something that is no finger."),
        N_("Wipe the glass and touch again."),
        422,
    ),
    "unplugged": Message(
        N_("The reader is not connected"),
        N_("The station runs, but its reader does not answer."),
        N_("Plug the reader in. Until then use a card or a number."),
    ),
    "vanished": Message(
        N_("The reader was lost during the touch"),
        N_("It is not known whether the finger was read."),
        N_("Check the cable, then touch again."),
    ),
    "garbled": Message(
        N_("The reader's answer could not be understood"),
        N_("It is not known whether the finger was read."),
        N_("Touch again. If it goes on, reconnect the reader."),
    ),
    "reader_failed": Message(
        N_("The reader did not deliver a print"),
        N_("It said why in a way this program does not know."),
        N_("Touch again, or use a card or a number."),
    ),
    "not_recognised": Message(
        N_("Nobody was recognised"),
        N_("This finger is near to nobody who is enrolled."),
        N_("Try another enrolled finger, or use the card or the number."),
        404,
    ),
    "choose_face": Message(
        N_("Several people come into question"),
        N_("The print alone does not decide between them."),
        N_("Choose by the face, or touch again."),
    ),
    "known_elsewhere": Message(
        N_("This person is not expected here"),
        N_("Their record is not shown without their consent."),
        N_("Ask for their guest pass, or call their home site."),
        403,
    ),
    "another_persons_finger": Message(
        N_("Stop: this is another person's finger"),
        N_("The dose on this counter was prepared for somebody else."),
        N_("Do not hand it over. Ask the person on the card to step up and touch."),
    ),
    "another_persons_card": Message(
        N_("Stop: this is another person's card"),
        N_("The dose on this counter was prepared for somebody else."),
        N_("Do not hand it over. Ask the person on the card for theirs."),
    ),
    "finger_not_confirmed": Message(
        N_("The finger was not confirmed"),
        N_("It could not be matched with the person on the card. That happens with dry or worn fingers."),
        N_("Touch again with an enrolled finger, or confirm by card or by face."),
    ),
    "no_counter": Message(
        N_("This station belongs to no counter"),
        N_("A touch is shown at the counter its station stands at, and this one has none."),
        N_("Ask an administrator to put the station to a counter."),
    ),
    "gallery_loading": Message(
        N_("The prints are still being loaded"),
        N_("The server was started a moment ago; people expected here are searched already, others not yet."),
        N_("Touch again in a minute, or use the card or the number."),
        503,
    ),
    # --- pictures and enrolment ---------------------------------------------------------
    "image_encoding_wrong": Message(
        N_("The picture did not arrive whole"),
        N_("It is not valid base64."),
        N_("Send the picture again."),
        400,
    ),
    "bad_image": Message(
        N_("The picture could not be used"),
        N_("It is damaged, of another kind than PNG, BMP, JPEG or JPEG 2000, or of an impossible size."),
        N_("Take the print again, with the resolution the reader states."),
        422,
    ),
    "not_a_fingerprint": Message(
        N_("The picture shows no fingerprint"),
        N_("It has not the contrast, the area or the ridges of one."),
        N_("Take the print again: the middle of the finger, flat on the glass."),
        422,
    ),
    "bad_template": Message(
        N_("The template could not be used"),
        N_("It is no ISO/IEC 19794-2:2005 finger minutiae record."),
        N_("Set the reader to send pictures, or this format."),
        422,
    ),
    "too_few_cylinders": Message(
        N_("Too little of the finger was taken"),
        N_("%(cylinders)s usable places were found; %(needed)s are the least."),
        N_("Take the print again: the middle of the finger, flat on the glass."),
        422,
    ),
    "finger_unknown": Message(
        N_("This is not the name of a finger"),
        N_("A finger is named by hand and finger, as in right_index."),
        N_("Choose the finger from the list."),
        422,
    ),
    "impressions_complete": Message(
        N_("This finger has all its impressions"),
        N_("%(most)s impressions of one finger are kept at most."),
        N_("Enrol another finger, or withdraw this one first."),
    ),
    "finger_not_enrolled": Message(
        N_("This finger is not enrolled"),
        N_("There is nothing to withdraw."),
        N_("Look at the list of enrolled fingers."),
        404,
    ),
    # --- card, number, face -----------------------------------------------------------
    "card_unknown": Message(
        N_("This card is not known"),
        N_("It was replaced by a newer one, or is no card of this programme."),
        N_("Ask for the number instead, and issue a new card."),
        404,
    ),
    "number_unknown": Message(
        N_("Nobody has this number"),
        N_("Numbers look like H-0047."),
        N_("Check the number and type it again."),
        404,
    ),
    "identity_path_not_allowed": Message(
        N_("This way of showing who one is is not in use here"),
        N_("The policy of this site allows: %(allowed)s."),
        N_("Use one of those."),
        403,
    ),
    "identity_reason_needed": Message(
        N_("Why not by finger or card?"),
        N_("A number and a face need a reason from the list, so that it can be seen how often readers fail."),
        N_("Choose a reason."),
        422,
    ),
    "counter_holds_other_dose": Message(
        N_("Another dose is open at this counter"),
        N_("The counter is kept for the person on its card until that dose has an outcome."),
        N_("Record the outcome of the open dose first."),
    ),
}
