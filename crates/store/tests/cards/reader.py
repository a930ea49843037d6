# Reads cards as the Python program does and prints what differs from what was meant.
import json, sys, yaml
for line in sys.stdin:
    case = json.loads(line)
    text = case["text"]
    parts = text.split("---", 2)
    front, body = yaml.safe_load(parts[1]) or {}, parts[2].strip()
    front.pop("_rev")
    if front.get("tags") == []:
        front.pop("tags")
    if body != case["body"]:
        print("body", repr(body), repr(case["body"]), repr(text))
    for key, value in case["fields"].items():
        read = front.pop(key, None)
        if key in case["numbers"] and isinstance(read, (int, float)):
            read, value = float(read), float(value)
        if read != value or isinstance(read, bool):
            print("field", repr(key), repr(read), repr(value), repr(text))
    if front:
        print("more", front, repr(text))
