for character in CHARACTERS:
    rows = [row for row in wealth_data if row["character"] == character]
    if rows:
        values = [row["wealth"] for row in rows]
        print(
            f"{character}: {len(rows)} rows, chapters {rows[0]['chapter']} to {rows[-1]['chapter']},"
            f" from {values[0]} to {values[-1]}, least {min(values)}, greatest {max(values)}"
        )
        for row in (rows[0], max(rows, key=lambda row: row["wealth"]), rows[-1]):
            print(f"    {row['chapter']:3}  {row['wealth']:2}  {row['event'][:110]}")
