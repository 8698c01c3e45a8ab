print(type(messages).__name__, "of", len(messages), "messages,", sum(map(len, messages)), "characters")
print("kinds:", kinds, "watched:", watched)
for message in messages[:3]:
    print(message)
