import re
import subprocess
from collections import Counter


def git(*command):
    return subprocess.run(["git", *command], capture_output=True, text=True, errors="replace").stdout


files = git("ls-files", "-z").split("\0")[:-1]
counted = git("grep", "-zcIwE", "TODO|FIXME|XXX")
marked = {path: int(count) for path, count in re.findall(r"([^\0]+)\0(\d+)\n", counted)}

folders = Counter()
for path, count in marked.items():
    folder, slash, _ = path.partition("/")
    folders[folder + slash if slash else "(top folder)"] += count

print(f"{sum(marked.values())} lines with TODO, FIXME or XXX in {len(marked)} of {len(files)} files")
for folder, count in folders.most_common(25):
    print(f"{count:6}  {folder}")
