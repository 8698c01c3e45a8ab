import json
import re


def rows_in(answer, batch):
    """The rows of an answer, or None when it has no list of dicts; rows of other chapters are not believed."""
    found = re.search(r"\[.*\]", answer, re.DOTALL)
    try:
        rows = json.loads(found.group()) if found else None
    except ValueError:
        return None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return None
    return [row for row in rows if row.get("chapter") in batch]


def read(batches):
    """The rows of all batches, and the batches whose answers could not be read."""
    rows, waiting = [], list(batches)
    for attempt in range(ATTEMPTS):
        again = "" if attempt == 0 else "\n\nAnswer with the JSON list alone."
        answers = llm_query_batched([prompt_for(batch) + again for batch in waiting])
        unread = []
        for batch, answer in zip(waiting, answers):
            part = rows_in(answer, batch)
            if part is None:
                print(f"chapters {batch[0]} to {batch[-1]} cannot be read, attempt {attempt + 1}: ...{answer[-70:]!r}")
                unread.append(batch)
            else:
                rows.extend(part)
        waiting = unread
        if not waiting:
            break
    return rows, waiting


wealth_data, unread = read(batches)
print(f"{len(wealth_data)} rows from {len(batches) - len(unread)} of {len(batches)} batches")
print("Not read:", ", ".join(f"chapters {batch[0]} to {batch[-1]}" for batch in unread) or "none")
