"""Fields that several schemas share: dates in either calendar, amounts as people write them. No floats."""

from __future__ import annotations

from datetime import UTC, date, datetime

import marshmallow as ma

from ost.rules.amounts import AmountError, parse_thousandths
from ost.rules.schedule import DateError, parse_date


class EitherDate(ma.fields.Field):
    """Text in, `date` out: 1979-05-03, 68/5/3, 0680503 or 民國68年5月3日. Written as ISO."""

    def _deserialize(self, value, attr, data, **kwargs) -> date:
        if not isinstance(value, str):
            raise ma.ValidationError("date_not_understood")
        try:
            return parse_date(value)
        except DateError as error:
            raise ma.ValidationError(error.code) from error

    def _serialize(self, value, attr, obj, **kwargs) -> str | None:
        return None if value is None else value.isoformat()


class Moment(ma.fields.AwareDateTime):
    """An instant with its offset, in UTC. One that has no UTC at all (year 1, hour -14) is none."""

    def _deserialize(self, value, attr, data, **kwargs) -> datetime:
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError as error:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from error


class Thousandths(ma.fields.Field):
    """Milligrams or millilitres as text ("0.5"), to whole micrograms or microlitres."""

    def _deserialize(self, value, attr, data, **kwargs) -> int:
        if not isinstance(value, str):
            raise ma.ValidationError("amount_not_understood")
        try:
            return parse_thousandths(value)
        except AmountError as error:
            raise ma.ValidationError(error.code) from error


def text(about: str, most: int, least: int = 0, **kw) -> ma.fields.String:
    return ma.fields.String(
        validate=ma.validate.Length(min=least, max=most), metadata={"description": about}, **kw
    )


def optional_text(about: str, most: int) -> ma.fields.String:
    return text(about, most, load_default=None, allow_none=True)


def day(about: str, **kw) -> EitherDate:
    described = {"description": f"{about}; ISO or ROC calendar", "type": "string", "example": "115/3/10"}
    return EitherDate(metadata=described, **kw)


def thousandths(about: str, **kw) -> Thousandths:
    return Thousandths(metadata={"description": about, "type": "string", "example": "60"}, **kw)


def whole(about: str, **kw) -> ma.fields.Integer:
    return ma.fields.Integer(
        strict=True, validate=ma.validate.Range(0, 10**12), metadata={"description": about}, **kw
    )


def choice(about: str, choices, **kw) -> ma.fields.String:
    return ma.fields.String(
        validate=ma.validate.OneOf(list(choices)), metadata={"description": about}, **kw
    )
