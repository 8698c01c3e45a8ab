print(task)
print()
print(type(chapters).__name__, "of", len(chapters), "chapters,", sum(map(len, chapters)), "characters")
lengths = sorted(map(len, chapters))
if lengths:
    print("shortest", lengths[0], "median", lengths[len(lengths) // 2], "longest", lengths[-1])
for number in [1, 2, len(chapters)] if len(chapters) > 2 else []:
    print(repr(chapters[number - 1][:160]))
