# Writes front matter as the Python program does, with the values that it means.
import json, random, yaml
random.seed(20261123)
letters = list("abc  \n\n\t'\"#:-?,[]{}&*!|>%@`\\~") + ["\xe9", "\u201c", "\U0001f600", "\x85", "\u2028", "\ufeff",
    "\x07", "\xa0", "word ", "--- ", "\x7f", "\u200b", "no", "1.0", "null", "2026-02-18"]
def text():
    return "".join(random.choice(letters) for _ in range(random.choice([1, 1, 3, 8, 30, 120])))
def value():
    kind = random.random()
    if kind < .7: return text()
    if kind < .85: return [text() for _ in range(random.randint(1, 3))]
    return {"x%d" % n: text() for n in range(random.randint(1, 3))}
for _ in range(1500):
    data = {text() if random.random() < .2 else "k%d" % n: value() for n in range(random.randint(1, 5))}
    dump = yaml.safe_dump(data, sort_keys=False)
    print(json.dumps({"yaml": dump, "data": data}))
