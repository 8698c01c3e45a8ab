"""Prints "N passed, N failed" for a report of vitest, and what failed that the report does not call a failure.

A skip that test/allowed-skips.json does not list counts as failed, and so does an entry there whose file is gone.

Usage: summary.py REPORT STATUS
"""

import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def main(path, status):
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except ValueError:
        report = {}
    suites = report.get("testResults", [])
    passed, failed = report.get("numPassedTests", 0), report.get("numFailedTests", 0)
    # A file that could not be loaded has no tests to count.
    failed += sum(
        suite["status"] == "failed" and not any(test["status"] == "failed" for test in suite["assertionResults"])
        for suite in suites
    )
    problems = unexpected_skips(suites)
    for problem in problems:
        print(problem)
    failed += len(problems)
    if status and not failed:
        failed = 1
    print(f"{passed} passed, {failed} failed")


def unexpected_skips(suites):
    with open(os.path.join(ROOT, "test", "allowed-skips.json"), encoding="utf-8") as file:
        entries = json.load(file)["skips"]
    gone = [
        f'test/allowed-skips.json names a file that is gone: {entry["file"]}'
        for entry in entries
        if not os.path.exists(os.path.join(ROOT, entry["file"]))
    ]
    allowed = [entry for entry in entries if entry.get("when") != "not root" or os.getuid() != 0]
    return gone + [
        f'Skipped, and not in test/allowed-skips.json: {name} > {test["fullName"]}'
        for suite in suites
        for name in [os.path.relpath(suite["name"], ROOT)]
        for test in suite["assertionResults"]
        if test["status"] not in ("passed", "failed")
        and not any(entry["file"] == name and entry.get("test", "") in test["fullName"] for entry in allowed)
    ]


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
