"""The receiver's side of docs/events.md: reads {"secret", "headers", "body", "now"} and says whether the message is genuine."""

import json
import sys

# The example stands in the page and nowhere else.
page = open(sys.argv[1], encoding="utf-8").read()
example = page.split("```python\n", 1)[1].split("```", 1)[0]
exec(example)  # defines verify(secret, headers, body, now)

given = json.load(sys.stdin)
try:
    verify(given["secret"], given["headers"], given["body"].encode(), given["now"])
    print("genuine")
except ValueError as error:
    print(f"refused: {error}")
