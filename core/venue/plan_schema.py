"""pretix's published seating-plan format, as far as Onsale draws and sells it.

Fields that are not named here (`uuid`, `displayed`, `number_of_seats`, ...) are allowed and ignored. Positions are
integers in the published schema; the editors in use write floats, so both are accepted. The older schema gives an
area `width`, `height` and a `text` that is a string; newer editors give it a `shape` with a nested object of the
same name, and a `text` object. Both are accepted.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.sentences import said
from core.venue.plan_problems import wrong

#: Plan units. A hall is a few thousand wide; beyond this a browser's canvas has no precision left.
MAX_COORDINATE = 1_000_000

#: Plan units.
MAX_RADIUS = 1000

#: Characters of a name or a number.
MAX_TEXT = 200

_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,30}|(?:rgb|hsl)a?\([0-9.,%/ a-z]{1,60}\)")

# No-break, ideographic and other spaces become a space; a text drawn in the hall may have lines.
_SPACES = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LINE_ENDS = re.compile(r"\r\n?")
# Controls, separators, halves of characters, forced directions: as in event_name.py, but for the ends of lines.
_UNREADABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def _number_as_text(value: Any) -> Any:
    """Some editors write `"seat_number": 12`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 12.0, as a spreadsheet writes it
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value


def _readable(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise wrong(said("plan.text_too_long", most=MAX_TEXT))
    plain: str = as_read(value)
    if found := _UNREADABLE.search(plain):
        raise wrong(said("plan.not_printable", character=f"U+{ord(found[0]):04X}"))
    return plain


def as_read(value: Any) -> Any:
    """A text of the file as the plan has it: its spaces and ends of lines, and numbers written as such."""
    value = _number_as_text(value)
    return _SPACES.sub(" ", _LINE_ENDS.sub("\n", value)) if isinstance(value, str) else value


def _not_empty(value: str) -> str:
    if not value.strip():
        raise wrong(said("plan.empty"))
    return value


def _color(value: str) -> str:
    if value and not _COLOR.fullmatch(value):
        raise wrong(said("plan.not_a_colour"))
    return value


Text = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_readable)]
Name = Annotated[Text, AfterValidator(_not_empty)]
OptionalText = Annotated[Text, BeforeValidator(lambda value: "" if value is None else value)]
Color = Annotated[OptionalText, AfterValidator(_color)]
Coordinate = Annotated[float, Field(ge=-MAX_COORDINATE, le=MAX_COORDINATE, allow_inf_nan=False)]
Length = Annotated[float, Field(gt=0, le=MAX_COORDINATE, allow_inf_nan=False)]
# Editors leave half-drawn areas of no extent in the file; they are kept and not seen.
Extent = Annotated[float, Field(ge=0, le=MAX_COORDINATE, allow_inf_nan=False)]
Rotation = Annotated[float, Field(ge=-36_000, le=36_000, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Position(_Part):
    x: Coordinate
    y: Coordinate


class CategoryPart(_Part):
    name: Name
    color: Color = ""


class SeatPart(_Part):
    seat_guid: Name
    seat_number: OptionalText
    position: Position
    category: Text
    radius: Annotated[float, Field(gt=0, le=MAX_RADIUS, allow_inf_nan=False)] | None = None


class RowPart(_Part):
    row_number: OptionalText = ""
    #: With %s for the number: "Tisch %s" of a row, "Stuhl %s" of its seats.
    row_label: OptionalText = ""
    seat_label: OptionalText = ""
    row_number_position: Literal["start", "end", "both", "left", "right", ""] | None = None
    position: Position = Position(x=0, y=0)
    seats: list[SeatPart]


class Circle(_Part):
    radius: Extent


class EllipseRadius(_Part):
    x: Extent
    y: Extent


class Ellipse(_Part):
    radius: EllipseRadius


class Rectangle(_Part):
    width: Extent
    height: Extent


class Polygon(_Part):
    points: Annotated[list[Position], Field(max_length=1000)]


def _string_as_text_object(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


class TextPart(_Part):
    text: OptionalText = ""
    position: Position = Position(x=0, y=0)
    color: Color = ""
    size: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = None


class AreaPart(_Part):
    """After validation `shape` is set, and so is the part of the same name."""

    position: Position
    shape: Literal["rectangle", "circle", "ellipse", "polygon", "text"] | None = None
    rotation: Rotation | None = None
    color: Color = ""
    border_color: Color = ""
    rectangle: Rectangle | None = None
    circle: Circle | None = None
    ellipse: Ellipse | None = None
    polygon: Polygon | None = None
    text: Annotated[TextPart | None, BeforeValidator(_string_as_text_object)] = None
    width: Extent | None = None
    height: Extent | None = None

    @model_validator(mode="after")
    def _shape_is_described(self) -> AreaPart:
        if self.shape is None and self.width is not None and self.height is not None:
            self.shape, self.rectangle = "rectangle", Rectangle(width=self.width, height=self.height)
        if self.shape is None:
            raise wrong(said("plan.area_without_shape"))
        if getattr(self, self.shape) is None:
            raise wrong(said("plan.area_not_described", shape=self.shape))
        return self


class ZonePart(_Part):
    name: OptionalText = ""
    zone_id: OptionalText = ""
    position: Position
    rows: list[RowPart]
    areas: list[AreaPart] | None = None


class Size(_Part):
    width: Length
    height: Length


class PlanPart(_Part):
    name: Text
    size: Size | None = None
    categories: list[CategoryPart]
    zones: list[ZonePart]
