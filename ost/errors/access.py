"""Signing in, and who may do what."""

from __future__ import annotations

from ost.errors import N_, Message

MESSAGES = {
    "not_signed_in": Message(
        N_("You are not signed in"),
        N_("Nobody is signed in here, or the session has ended."),
        N_("Sign in and try again."),
        401,
    ),
    "session_locked": Message(
        N_("The screen is locked"),
        N_("Nobody used it for a while, or somebody locked it. Nothing was saved."),
        N_("Enter your PIN: you return to the same place."),
        401,
    ),
    "not_permitted": Message(
        N_("You may not do this here"),
        N_("None of your roles allows it at this place."),
        N_("Ask a colleague who may, or ask the administrator for the role."),
        403,
    ),
    "sign_in_wrong": Message(
        N_("That did not work"),
        N_("The user name, the password or the code is not right. A code works once only."),
        N_("Wait for the next code and try again."),
        401,
    ),
    "sign_in_wait": Message(
        N_("Too many tries"),
        N_("After several wrong tries the next one has to wait."),
        N_(
            "Try again in %(seconds)s seconds. At a counter, a colleague who is signed in can unlock at once."
        ),
        429,
    ),
    "pin_wrong": Message(
        N_("The PIN is not right"),
        N_("Tries left before a full sign-in is needed: %(left)s."),
        N_("Try again, or sign in with your password."),
        401,
    ),
    "pin_used_up": Message(
        N_("Please sign in again"),
        N_("The PIN was wrong too often, so the session was ended. Nothing was lost."),
        N_("Sign in with your password and a code."),
        401,
    ),
    "witness_wrong": Message(
        N_("The second person was not recognised"),
        N_("The user name or the PIN is not right, or this person may not be a second person here."),
        N_("Let the second person enter their own user name and PIN."),
        403,
    ),
    "witness_is_you": Message(
        N_("The second person has to be somebody else"),
        N_("Nobody witnesses their own step."),
        N_("Ask a colleague to enter their own user name and PIN."),
        403,
    ),
    "witness_invalid": Message(
        N_("The second person's sign-in is no longer valid"),
        N_("It is used once, for one step, within a short time."),
        N_("Let the second person enter their user name and PIN again."),
        403,
    ),
    "account_exists": Message(
        N_("This user name is taken"),
        N_("User names are not used twice."),
        N_("Choose another user name."),
        409,
    ),
    "account_unknown": Message(
        N_("There is no such account here"),
        N_("No account with this name works at your sites."),
        N_("Check the user name."),
        404,
    ),
    "password_weak": Message(
        N_("The password is too short"),
        N_("A password has at least %(shortest)s characters and is not the user name."),
        N_("Choose a longer one: several words do well."),
        422,
    ),
    "pin_weak": Message(
        N_("The PIN is too easy"),
        N_("A PIN has 6 to 12 digits, not all the same and not in a row."),
        N_("Choose another PIN."),
        422,
    ),
    "role_unknown": Message(
        N_("There is no such role"),
        N_("The program does not know this role or scope."),
        N_("Choose a role and a scope from the list."),
        422,
    ),
}
