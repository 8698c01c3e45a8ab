CHARACTERS = ["Dantès", "Danglars", "Fernand/Morcerf", "Villefort", "Mercédès"]

INSTRUCTIONS = """Extract wealth events from these chapters of a novel, as a JSON list of
{"chapter": int, "character": str, "wealth": int, "event": str}.
Wherever a chapter says or implies how rich or poor one of these characters is, give one entry: CHARACTERS.
Dantès goes by other names as well: Sinbad, Abbé Busoni, Lord Wilmore, the Count of Monte Cristo; Mercédès becomes
Madame de Morcerf. wealth goes from 1 (destitute) to 10 (the richest in Paris); event says in a few words what shows
it, with a phrase of the text. Use the numbers of the chapters as they are given below.""".replace(
    "CHARACTERS", ", ".join(CHARACTERS)
)


def prompt_for(numbers):
    return "\n\n".join([INSTRUCTIONS] + [f"=== Chapter {number} ===\n{chapters[number - 1]}" for number in numbers])


numbers = list(range(1, len(chapters) + 1))
batches = [numbers[start : start + TOGETHER] for start in range(0, len(numbers), TOGETHER)]
prompts = [prompt_for(batch) for batch in batches]
print(f"{len(prompts)} prompts of {min(map(len, prompts), default=0)} to {max(map(len, prompts), default=0)} characters")
