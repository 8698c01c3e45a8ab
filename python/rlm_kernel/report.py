"""What sub-agents answer."""


class Report(str):
    """A string that remembers what it was cut from. Whatever is made of it, and its pickle, is a plain `str`."""

    __slots__ = ("_whole",)

    @property
    def full(self):
        """All of it; itself where nothing was cut. ValueError where it was too large to be sent."""
        if self._whole is None:
            raise ValueError(
                "the whole report is too large to be handed over: let the sub-agent report less, or in several reports"
            )
        return self._whole

    def __reduce_ex__(self, protocol):
        return str, (str.__str__(self),)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def as_reports(value, whole):
    """Strings of an answer as reports; `whole` holds all of those that are cut, by their place, None where it was not sent."""
    if isinstance(value, list):
        return [_report(each, whole, place) for place, each in enumerate(value)]
    return _report(value, whole, 0)


def _report(text, whole, place):
    if not isinstance(text, str):
        return text
    report = Report(text)
    report._whole = whole.get(str(place), text)
    return report
