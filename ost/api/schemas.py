"""What every schema of the API starts from: unknown fields are refused."""

from __future__ import annotations

import marshmallow as ma

from ost.errors import N_


class Strict(ma.Schema):
    """A field nobody declared is an error: a misspelt one must not be lost in silence."""

    class Meta:
        unknown = ma.RAISE


class ErrorDetail(ma.Schema):
    code = ma.fields.String(required=True, metadata={"description": "stable name of what happened"})
    title = ma.fields.String(
        required=True, metadata={"description": "what happened, in the reader's language"}
    )
    detail = ma.fields.String(required=True, metadata={"description": "why"})
    action = ma.fields.String(required=True, metadata={"description": "what to do now"})
    fields = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.List(ma.fields.String()),
        required=True,
        metadata={"description": "what is wrong with which field"},
    )


class ErrorAnswer(ma.Schema):
    """The one error shape."""

    error = ma.fields.Nested(ErrorDetail, required=True)


#: What marshmallow says, so that it is translated too.
TEXTS = (
    N_("Missing data for required field."),
    N_("Field may not be null."),
    N_("Unknown field."),
    N_("Invalid input type."),
    N_("Not a valid string."),
    N_("Not a valid integer."),
    N_("Not a valid number."),
    N_("Not a valid boolean."),
    N_("Not a valid date."),
    N_("Not a valid datetime."),
    N_("Not a valid list."),
    N_("Not a valid UUID."),
    N_("Invalid value."),
)
