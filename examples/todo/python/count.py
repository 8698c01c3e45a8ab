import re
import subprocess


def git(*command):
    return subprocess.run(["git", *command], capture_output=True, text=True, errors="replace").stdout


counted = git("grep", "-zcIwE", "TODO|FIXME|XXX", "--", *pathspecs)
marked = {path: int(count) for path, count in re.findall(r"([^\0]+)\0(\d+)\n", counted)}
print(f"{sum(marked.values())} lines with TODO, FIXME or XXX in {len(marked)} files")
for path, count in marked.items():
    print(f"{count:6}  {path}")
