"""What sub-agents answer."""

_TOO_LARGE = "the %s is too large to be handed over: let the sub-agent %s"


class Report(str):
    """A string that knows what its sub-agent did. Whatever is made of it, and its pickle, is a plain `str`."""

    __slots__ = ("_more",)

    @property
    def full(self):
        """All of it; itself where nothing was cut. ValueError where it was too large to be sent."""
        whole = self._more.get("whole", str.__str__(self))
        if whole is None:
            raise ValueError(_TOO_LARGE % ("whole report", "report less, or in several reports"))
        return whole

    @property
    def patch(self):
        """The sub-agent's changes to its clone, as git writes them; '' without any. ValueError where they were too large."""
        encoded = self._more.get("patch", "")
        if encoded is None:
            raise ValueError(_TOO_LARGE % ("patch", "change less, or leave large files out"))
        from base64 import b64decode

        return b64decode(encoded).decode("utf-8", "surrogateescape")

    @property
    def files(self):
        """The paths that its patch changes, in order."""
        from rlm_kernel.patch_files import patch_files

        return [change.path.decode("utf-8", "surrogateescape") for change in patch_files(self.patch)]

    @property
    def usage(self):
        """What it and all sub-agents below it used: input_tokens, output_tokens, cost (USD), llm_calls. None if unknown."""
        usage = self._more.get("usage")
        return None if usage is None else dict(usage)

    def __reduce_ex__(self, protocol):
        return str, (str.__str__(self),)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def as_reports(value, reports):
    """Strings of an answer as reports; `reports` says more of them, by their place (docs/kernel-protocol.md)."""
    if isinstance(value, list):
        return [_report(each, reports, place) for place, each in enumerate(value)]
    return _report(value, reports, 0)


def _report(text, reports, place):
    if not isinstance(text, str):
        return text
    report = Report(text)
    report._more = reports.get(str(place), {})
    return report
