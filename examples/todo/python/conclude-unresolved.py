counts = ", ".join(f"{count} at {level}" for level, count in sorted(by_difficulty.items()))
answer = f"""{total} TODO, FIXME and XXX comments were read by {len(read)} sub-agents. None was resolved: each needs somebody's
decision or changes what the program does, so a change made without asking would be a guess. Comments by
difficulty, from 1 (mechanical) to 5 (a redesign): {counts}.

The easiest:
""" + "\n".join(
    f'- {other["file"]}:{other["line"]} (difficulty {other["difficulty"]}: {other["why"]}): {other["text"]:.70}'
    for other in candidates[:8]
)
FINAL_VAR("answer")
