read, unreadable = [], []
for report in reports:
    try:
        read.append(json.loads(report))
    except ValueError:
        unreadable.append(report)

total = sum(report["comments"] for report in read)
by_difficulty = Counter()
for report in read:
    by_difficulty.update(report["by_difficulty"])
print(f"{total} comments; by difficulty: {dict(sorted(by_difficulty.items()))}")
for report in unreadable:
    print("No report:", report[:200])

candidates = sorted(
    (candidate for report in read for candidate in report["easiest"]),
    key=lambda candidate: (candidate["difficulty"], candidate["file"], candidate["line"]),
)
for candidate in candidates[:8]:
    print("{difficulty}  {file}:{line}  {text:.70}  ({why})".format(**candidate))

choice = next((candidate for candidate in candidates if candidate["edit"]), None)
print("Choice:", json.dumps(choice))
