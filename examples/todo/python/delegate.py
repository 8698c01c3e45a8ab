import glob
import json


def parts_of(folder):
    """Its subfolders, and the files directly in it, as git pathspecs with their number of lines."""
    parts = Counter()
    for path, count in marked.items():
        if path.startswith(folder):
            name, slash, _ = path[len(folder):].partition("/")
            parts[folder + name + "/" if slash else f":(glob){glob.escape(folder)}*"] += count
    return parts


# Largest first; a folder that holds too much is cut into its parts.
shares = parts_of("")
while len(shares) < WANTED and any(share.endswith("/") for share in shares):
    largest = max((share for share in shares if share.endswith("/")), key=shares.get)
    del shares[largest]
    shares.update(parts_of(largest))

ordered = [share for share, _ in shares.most_common()]
groups = [[share] for share in ordered[: WANTED - 1]]
if ordered[WANTED - 1 :]:
    groups.append(ordered[WANTED - 1 :])

TASK = """TODO comments in {where}: find every TODO, FIXME and XXX comment there and judge how hard it is to resolve.
Pathspecs for git: {pathspecs}
Difficulty: 1 mechanical, and checked in the code; 2 small; 3 needs somebody's decision; 4 changes behaviour; 5 redesign.
Report JSON: {{"comments": number, "by_difficulty": {{"1": number, ...}}, "easiest": [the five easiest:
{{"file", "line", "text", "difficulty", "why", "edit": {{"old", "new"}} where the change is certain, else null}}]}}"""


def describe(pathspecs):
    return ", ".join(pathspec.replace(":(glob)", "./") for pathspec in pathspecs)


tasks = [TASK.format(where=describe(group), pathspecs=json.dumps(group)) for group in groups]
reports = rlm_query_batched(tasks)
for group, report in zip(groups, reports):
    print(f"{describe(group)}: {report[:120]}")
