if unread:
    more, still = read([[number] for batch in unread for number in batch])
    wealth_data.extend(more)
    print("Could not be read at all:", [number for batch in still for number in batch] or "none")


def is_sound(row):
    return (
        row.get("character") in CHARACTERS
        and isinstance(row.get("wealth"), int)
        and 1 <= row["wealth"] <= 10
        and isinstance(row.get("event"), str)
        and row["event"] != ""
    )


odd = [row for row in wealth_data if not is_sound(row)]
print(len(odd), "rows are not of the form asked for", odd[:3])
wealth_data = sorted(
    (row for row in wealth_data if is_sound(row)),
    key=lambda row: (row["chapter"], CHARACTERS.index(row["character"])),
)

NAMES = re.compile(r"Dantès|Edmond|Monte Cristo|Busoni|Danglars|Fernand|Morcerf|Villefort|Mercédès")
covered = {row["chapter"] for row in wealth_data}
print(f"{len(covered)} of {len(chapters)} chapters have rows")
for number in numbers:
    if number not in covered:
        names = sorted(set(NAMES.findall(chapters[number - 1])))
        print(f"none for chapter {number}, which names {', '.join(names) or 'none of them'}")
