"""How much one call, or a result, may hold: what the host does for it is bounded in number as well as in size."""

from rlm_kernel.limits import BATCH_ITEMS, CALL_VALUES, CALL_VARIABLES, DICT_KEYS, HANDED_VALUES

BATCHED = ("llm_query_batched", "rlm_query_batched")


def size(value):
    """Characters in a value, about, and what its structure takes; however deep it is."""
    found, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, str):
            found += len(each)
        elif isinstance(each, list):
            left.extend(each)
        elif isinstance(each, dict):
            left.extend(each)
            left.extend(each.values())
        found += 2
    return found


def batch_size(function, arguments):
    """How many prompts or tasks a call has; None for a function that takes one."""
    if function in BATCHED:
        for name, value in arguments.items():
            if name != "variables" and isinstance(value, list):
                return len(value)
    return None


def failure(items, message):
    """An error in the shape of the answer: a list for a function that answers each of its `items`."""
    return message if items is None else [message] * items


def excess_of_call(function, arguments):
    """What is too much of it, as the answer that the code gets; None where nothing is."""
    items = batch_size(function, arguments)
    count = 1 if items is None else items
    if count > BATCH_ITEMS:
        return "Error: %d items are too many for one call of %s; make calls of at most %d" % (count, function, BATCH_ITEMS)
    variables = arguments.get("variables")
    if isinstance(variables, dict) and (len(variables) > CALL_VARIABLES or len(variables) * count > HANDED_VALUES):
        text = "Error: %d variables for each of %d tasks are too many for one call; put them into a list or a dict"
        return text % (len(variables), count)
    found = excess_of_values(arguments)
    return None if found is None else "Error: " + found


def excess_of_values(value):
    """What is too much of a JSON value; None where nothing is."""
    count, left = 0, [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            if len(each) > DICT_KEYS:
                return "a dict of %d keys is too large to be handed over; %d are allowed" % (len(each), DICT_KEYS)
            left.extend(each.values())
        elif isinstance(each, list):
            left.extend(each)
        count += 1
        if count + len(left) > CALL_VALUES:
            return "more than %d values are too many to be handed over; make a text of them, say with json.dumps" % CALL_VALUES
    return None
