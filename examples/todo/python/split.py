# Neighbours stay together; each part gets about the same number of lines.
limit = sum(marked.values()) / parts
groups = [[]]
for path, count in marked.items():
    filled = sum(marked[other] for other in groups[-1])
    if groups[-1] and filled + count / 2 > limit and len(groups) < parts:
        groups.append([])
    groups[-1].append(path)

tasks = []
for group in groups:
    where = group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}"
    literal = [path if not re.search(r"[][*?:\\]", path) else ":(literal)" + path for path in group]
    lines = [line for line in task.splitlines()[2:]]
    tasks.append(
        "\n".join(
            [
                f"TODO comments in {where}: find every TODO, FIXME and XXX comment and judge how hard it is to resolve.",
                f"Pathspecs for git: {json.dumps(literal)}",
                *lines,
                "This is one reader's work: do not delegate it further.",
            ]
        )
    )

reports = rlm_query_batched(tasks)
for group, report in zip(groups, reports):
    print(f"{group[0]} and {len(group) - 1} more: {report[:120]}")
