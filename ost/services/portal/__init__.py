"""The patients' own door: signing in without a telephone and with one, their sessions, their own record.

Everything here takes the patient's id from the session that the gate found, never from an address or a form.
"""
