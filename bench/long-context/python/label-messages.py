import re

SIZE = 24_000
ATTEMPTS = 5

MEANINGS = "\n".join(f"- {kind}: {meaning}" for kind, meaning in kinds.items())


def prompt_for(numbers):
    lines = "\n".join(f"{number}. {messages[number]}" for number in numbers)
    return f"""Of which kind is each of these messages? The kinds are:
{MEANINGS}

Answer with one line for each message, "number: kind", and nothing else.

=== Messages ===
{lines}"""


def batches_of(numbers):
    """As many messages together as fit into one prompt."""
    batches, length = [], SIZE
    for number in numbers:
        length += len(messages[number]) + 8
        if length > SIZE:
            batches.append([])
            length = len(messages[number]) + 8
        batches[-1].append(number)
    return batches


labels, waiting = {}, list(range(len(messages)))
for attempt in range(ATTEMPTS):
    batches = batches_of(waiting)
    answers = llm_query_batched([prompt_for(batch) for batch in batches])
    failed = [answer for answer in answers if answer.startswith("Error:")]
    for batch, answer in zip(batches, answers):
        asked = set(batch)
        for number, kind in re.findall(r"^(\d+): (\w+)$", answer, re.MULTILINE):
            if int(number) in asked and kind in kinds:
                labels[int(number)] = kind
    waiting = [number for number in waiting if number not in labels]
    print(f"attempt {attempt + 1}: {len(batches)} prompts, {len(labels)} of {len(messages)} messages have a kind")
    print(len(failed), "calls failed", failed[:1])
    if not waiting:
        break
