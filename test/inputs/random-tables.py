"""1,000 tables as Python's csv writes them, in random dialects and encodings: the files, and what is in them."""

import codecs
import csv
import io
import json
import os
import random
import sys

FOLDER, SEED, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(SEED)

WORDS = ["a", "b c", "12", "-7.5", "1e3", "", " ", "true", "it's", "x" * 40, "007", "#1", "2026-01-31", "null", "50 %"]
LATIN = ["Müller", "Søren", "naïve", "£5", "Ärger – ja"]
WIDE = ["漢字", "Привет", "😀 ok", "\u2028x", "עברית"]
ENCODINGS = {
    "utf-8": WIDE,
    "utf-8-sig": WIDE,
    "utf-16": WIDE,
    "utf-16-le": WIDE,
    "utf-16-be": WIDE,
    "utf-32": WIDE,
    "utf-32-be": WIDE,
    "cp1252": LATIN,
    "cp1251": ["Привет", "мир"],
    "shift_jis": ["漢字", "カナ"],
}
MARKS = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE, "utf-32-be": codecs.BOM_UTF32_BE}
NAMED = ("cp1252", "cp1251", "shift_jis")


def cell(encoding, end, delimiter):
    kind = chance.random()
    if kind < 0.5:
        return chance.choice(WORDS)
    if kind < 0.75:
        return chance.choice(ENCODINGS[encoding])
    marks = [delimiter, '"', '""', end, " ", "x", chance.choice(ENCODINGS[encoding])]
    return "".join(chance.choice(marks) for _ in range(chance.randrange(1, 6)))


def dialect():
    quote = chance.choice(['"'] * 9 + ["'"])
    doubled = chance.random() < 0.9 or quote == "'"
    return {
        "delimiter": chance.choice(",;\t|"),
        "lineterminator": chance.choice(["\r\n", "\n", "\r"]),
        # Outside of quotes a backslash is one.
        "quoting": chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]) if doubled else csv.QUOTE_ALL,
        "quotechar": quote,
        "doublequote": doubled,
        "escapechar": None if doubled else "\\",
    }


tables = []
for index in range(COUNT):
    encoding = chance.choice(sorted(ENCODINGS))
    written = dialect()
    columns = chance.randrange(2, 6)
    names = chance.sample(["id", "name", "amount", "note, long", "Größe" if encoding not in ("cp1251", "shift_jis") else "size"], columns)
    rows = [
        [cell(encoding, written["lineterminator"], written["delimiter"]) for _ in range(columns)]
        for _ in range(chance.randrange(0, 30))
    ]
    text = io.StringIO(newline="")
    writer = csv.writer(text, **written)
    writer.writerow(names)
    writer.writerows(rows)
    # A text of one line is no table by itself: its name has to say so.
    file = "%d.%s" % (index, chance.choice(["csv", "csv", "tsv", "txt"] if rows else ["csv", "tsv"]))
    with open(os.path.join(FOLDER, file), "wb") as out:
        out.write(MARKS.get(encoding, b"") + text.getvalue().encode(encoding))
    option = ";encoding=" + encoding if encoding in NAMED else ""
    if written["quotechar"] == "'" and written["quoting"] == csv.QUOTE_MINIMAL:
        # Nothing tells such quotes from apostrophes.
        option += ";quote='"
    tables.append({"file": file, "option": option, "written": repr(written) + encoding, "rows": [dict(zip(names, row)) for row in rows]})
json.dump(tables, sys.stdout)
