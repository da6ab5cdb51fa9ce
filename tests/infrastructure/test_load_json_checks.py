"""What the quick look at JSON sets aside is what the strict one refuses, and little else is looked at twice."""

import json
import random

import pytest

from regulars.domain.events import MAX_DEPTH, check_json
from regulars.errors import EventError
from regulars.infrastructure.importers import documents
from regulars.infrastructure.importers.source import create_broken
from tests.infrastructure.load_support import Warehouse

LIMIT = 65_536
TEXTS = [
    "",
    "a",
    "}",
    "{",
    "[",
    "]",
    '"',
    "\\",
    "//",
    "/*",
    "NaN",
    "finance",
    "https://a.b",
    ",]",
    "1e400",
    "ü",
    "\ud83d",
    "\n",
]
ODD = [
    "NaN",
    "Infinity",
    "-inf",
    "nan",
    "1e400",
    "1E+999",
    "01",
    "+1",
    "// x\n1",
    "/* x */ 1",
    "[1,]",
    '{"a":1,}',
    "'a'",
    '"\\ud83d"',
]


def value(rng, depth):
    kind = rng.randrange(7 if depth > 0 else 4)
    if kind == 0:
        return json.dumps("".join(rng.choices(TEXTS, k=rng.randrange(4))))
    if kind == 1:
        return rng.choice(ODD) if rng.random() < 0.05 else str(rng.randrange(10**6))
    if kind == 2:
        return rng.choice(["null", "true", "1.5", "[]", "{}", '[{},{"a":[]}]'])
    if kind == 3:
        wrapped = rng.randrange(MAX_DEPTH + 4)
        return '{"x":"}","a":' * wrapped + "1" + "}" * wrapped if rng.random() < 0.2 else "0"
    if kind == 4:
        return "[" + ",".join(value(rng, depth - 1) for _ in range(rng.randrange(12))) + "]"
    members = [f"{json.dumps(rng.choice(TEXTS))}:{value(rng, depth - 1)}" for _ in range(rng.randrange(8))]
    return "{" + ",".join(members) + "}"


def refused(text):
    try:
        check_json(text, LIMIT)
    except EventError:
        return True
    return False


@pytest.mark.parametrize("seed", range(3))
def test_the_quick_look_and_the_strict_one_refuse_the_same(seed):
    rng = random.Random(seed)
    texts = [f'{{"k":{value(rng, 4)}}}' for _ in range(1500)]
    # A piece cut out of a document or put into it makes it wrong in any way there is.
    for at in range(0, len(texts), 3):
        cut = rng.randrange(len(texts[at]))
        texts[at] = texts[at][:cut] + rng.choice(["", *ODD, *'{}[]",:']) + texts[at][cut + rng.randrange(2) :]
    texts = [text.replace("\n", " ") for text in texts]
    engine = Warehouse().engine
    with engine.transaction():
        documents.stage(engine, iter(enumerate(texts, start=1)))
        create_broken(engine)
        documents.set_aside_broken(engine, LIMIT)
        kept = {row[0] for row in engine.fetch(f"SELECT line FROM {documents.DOCS}")}
    wrong = {line for line, text in enumerate(texts, start=1) if refused(text)}
    assert 50 < len(wrong) < len(texts) - 50
    assert kept == set(range(1, len(texts) + 1)) - wrong


def test_addresses_and_many_small_objects_are_not_looked_at_twice():
    row = {"url": "https://a.b/finance//x", "params": [{"key": str(n), "value": {"int_value": n}} for n in range(60)]}
    text = json.dumps(row)
    engine = Warehouse().engine
    odd = f"SELECT {documents.may_nest_deep('doc')}, {documents._is_loose('doc')} FROM (SELECT $1 AS doc)"
    assert engine.fetch(odd, [text]) == [(False, False)]
    deep = '{"x":"}","a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)
    assert engine.fetch(odd, [deep]) == [(True, False)]
    assert engine.fetch(odd, ['{"a":NaN}']) == [(False, True)]
