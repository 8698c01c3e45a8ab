import json
import re

SIZE = 24_000
ATTEMPTS = 3


def pieces_of(text):
    """Whole paragraphs together, as many as fit into one prompt."""
    pieces, paragraphs, length = [], [], 0
    for paragraph in text.split("\n\n"):
        if paragraphs and length + len(paragraph) > SIZE:
            pieces.append("\n\n".join(paragraphs))
            paragraphs, length = [], 0
        paragraphs.append(paragraph)
        length += len(paragraph) + 2
    return pieces + ["\n\n".join(paragraphs)]


def prompt_for(piece):
    return f"""{question}

Below is a part of the document. Answer with a JSON list of {{"code": "...", "sentence": "..."}}, the sentence word for
word as it stands there; an empty list where this part states none.

=== Part ===
{piece}"""


def entries_in(answer):
    """The entries of an answer, or None when it cannot be read."""
    found = re.search(r"\[.*\]", answer, re.DOTALL)
    try:
        return json.loads(found.group()) if found else None
    except ValueError:
        return None


pieces = pieces_of(document)
entries, waiting = {}, list(range(len(pieces)))
for attempt in range(ATTEMPTS):
    again = "" if attempt == 0 else "\n\nAnswer with the JSON list alone."
    answers = llm_query_batched([prompt_for(pieces[number]) + again for number in waiting])
    failed = [answer for answer in answers if answer.startswith("Error:")]
    for number, answer in zip(waiting, answers):
        read = None if answer.startswith("Error:") else entries_in(answer)
        if read is not None:
            entries[number] = read
    waiting = [number for number in waiting if number not in entries]
    print(f"attempt {attempt + 1}: {len(entries)} of {len(pieces)} parts read")
    print(len(failed), "calls failed", failed[:1])
    if not waiting:
        break
