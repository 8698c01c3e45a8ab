places = {}
for number in sorted(entries):
    for entry in entries[number]:
        place = pieces[number].find(entry["sentence"])
        if place < 0 or entry["code"] not in entry["sentence"]:
            print("not in the document:", entry)
        else:
            places[(number, place)] = entry
codes = [places[place]["code"] for place in sorted(places)]
for place in sorted(places)[:12]:
    print(places[place])
print(len(codes), "codes,", len(set(codes)), "different;", len(waiting), "parts unread")
