from collections import Counter, defaultdict


def first_most(counts):
    return min(counts, key=lambda key: (-counts[key], key))


counts = {kind: 0 for kind in kinds}
by_month, by_user = defaultdict(Counter), Counter()
for number, kind in labels.items():
    date, user, _ = messages[number].split(" | ", 2)
    counts[kind] += 1
    by_month[date[:7]][kind] += 1
    if kind == watched:
        by_user[int(user.split()[1])] += 1

most_frequent = first_most(counts)
busiest = first_most(by_user)
months = {month: first_most(by_month[month]) for month in sorted(by_month)}
print(counts, "together", sum(counts.values()), "of", len(messages))
print("most", watched, "of user", busiest, by_user[busiest], "of", sum(by_user.values()))
print(months)
