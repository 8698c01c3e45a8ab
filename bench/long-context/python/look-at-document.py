print(question)
print(type(document).__name__, "of", len(document), "characters,", document.count("\n\n") + 1, "paragraphs")
print(repr(document[:160]))
