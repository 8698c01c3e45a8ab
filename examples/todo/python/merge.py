from collections import Counter

read = [json.loads(report) for report in reports if not report.startswith("Error:")]
by_difficulty = Counter()
for part in read:
    by_difficulty.update(part["by_difficulty"])
easiest = sorted(
    (candidate for part in read for candidate in part["easiest"]),
    key=lambda candidate: (candidate["difficulty"], candidate["file"], candidate["line"]),
)[:5]

# A report is believed when its line is really there.
for candidate in easiest:
    with open(candidate["file"], encoding="utf-8", errors="replace") as file:
        line = file.readlines()[candidate["line"] - 1]
    assert re.search(r"\b(TODO|FIXME|XXX)\b", line), candidate

FINAL(
    {
        "comments": sum(part["comments"] for part in read),
        "by_difficulty": dict(sorted(by_difficulty.items())),
        "easiest": easiest,
    }
)
