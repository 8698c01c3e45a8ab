with open(path, encoding="utf-8") as file:
    source = file.read()
if path.endswith(".py"):
    compile(source, path, "exec")
    print("It still compiles.")

print(git("status", "--short"))
diff = git("diff")
print(diff)
