with open(path, encoding="utf-8") as file:
    lines = file.readlines()
for n in range(max(1, number - 4), min(len(lines), number + 4) + 1):
    print(f"{n:5}  {lines[n - 1].rstrip()}")

if name is not None:
    print(f"\nWhere the word {name} stands:")
    print(git("grep", "-nw", name, "--", "*.py"))
