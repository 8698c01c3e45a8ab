counts = ", ".join(f"{count} at {level}" for level, count in sorted(by_difficulty.items()))
answer = f"""Resolved: {choice["file"]}:{choice["line"]}, "{choice["text"]}".

How it was found: {total} TODO, FIXME and XXX comments were read by {len(read)} sub-agents and their own. Comments by
difficulty, from 1 (mechanical) to 5 (a redesign): {counts}.
Why this one: {choice["why"]}.
How it was checked: I looked at the place myself; the file still parses; the change is this and nothing else:

{diff}
The next easiest:
""" + "\n".join(
    f'- {other["file"]}:{other["line"]} (difficulty {other["difficulty"]}): {other["text"]:.70}'
    for other in candidates[:6]
    if other is not choice
)
FINAL_VAR("answer")
