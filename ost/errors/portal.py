"""At the patients' own pages: signing in, codes, PIN, telephone. Read by patients, on a telephone."""

from ost.errors import N_, Message

MESSAGES = {
    "portal_wrong": Message(
        N_("This did not work"),
        N_("Number and PIN do not fit together, or they open nothing here."),
        N_("Look at the number on your card and try again. A forgotten PIN is given anew at any time at your clinic."),
        401,
    ),
    "portal_wait": Message(
        N_("Too many tries"),
        N_("After several tries that did not work, everybody has to wait a little."),
        N_("Try again in %(seconds)s seconds. At the clinic your number and your PIN work as always."),
        429,
    ),
    "portal_code_wrong": Message(
        N_("This code did not work"),
        N_("It is mistyped, too old, or was used before."),
        N_("Type the newest code, or have another one sent."),
        401,
    ),
    "portal_codes_used_up": Message(
        N_("Please start again"),
        N_("Too many codes did not work, or it took too long."),
        N_("Sign in with number and PIN; then you get a new code."),
        401,
    ),
    "portal_pin_wrong": Message(
        N_("This is not your PIN"),
        N_("What you change here needs the PIN you have now."),
        N_("Type it again. A forgotten PIN is given anew at your clinic."),
        401,
    ),
    "portal_pin_shape": Message(
        N_("The PIN does not have the right number of digits"),
        N_("It opens the person's page from anywhere, so it needs more digits than at the counter."),
        N_("Choose as many digits as the form says: no birthday, no row, no repetition."),
        422,
    ),
    "portal_pin_differs": Message(
        N_("The two PINs are not the same"),
        N_("Type the new PIN twice, so that a slip of the finger does not lock you out."),
        N_("Type both again."),
        422,
    ),
    "portal_nothing_to_confirm": Message(
        N_("Nothing waits to be confirmed"),
        N_("The authenticator is set up already, or it was not begun."),
        N_("Go back to the settings and start there."),
    ),
    "portal_no_telephone": Message(
        N_("There is no telephone to send codes to"),
        N_("A code goes only to a telephone that was found to be yours."),
        N_("Add your telephone first and type the code it receives."),
    ),
    "portal_gone": Message(
        N_("There is nothing here"),
        N_("It is not there any more, or never was."),
        N_("Go back to your page."),
        404,
    ),
    "portal_identity_old": Message(
        N_("Nobody was identified at this counter just now"),
        N_("A lost number is told only to somebody who has just touched the reader or shown a paper here."),
        N_("Have them touch the reader, or identify them by a paper with a photograph, and open this page again."),
    ),
    "portal_nobody_found": Message(
        N_("Nobody fits this paper"),
        N_("Identity number and birth date belong to nobody who has a number here. That you asked is recorded."),
        N_("Look at the paper again; or call the clinic where the person is usually treated."),
        404,
    ),
    "portal_seen_by_needed": Message(
        N_("Say how you saw who it is"),
        N_("Whoever holds a PIN holds the person's own pages: it is given only to somebody you know to be them."),
        N_("Choose what showed it, then go on."),
        422,
    ),
}
