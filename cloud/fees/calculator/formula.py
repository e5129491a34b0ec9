"""Free formulas (F-05, F-06, Q-19): read to a tree by a white-listed grammar and worked out in exact fractions, never executed.

    expression  sum [ < <= > >= = == != sum ]          a comparison only as the condition of `if`
    sum         product { + - product }
    product     sign { * / × ÷ sign }
    sign        [ - ] number | name | ( sum ) | min(a, b, ...) | max(a, b, ...) | round(a[, decimals]) | if(condition, a, b)

The result is yuan; `round` is HALF_UP. Refused:
`bad_formula`, `unknown_name`, `missing_fact`, `division_by_zero`, `negative_result`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import NoReturn

from cloud.fees.calculator.values import plain
from protocols.errors import Refused
from protocols.money import round_fen

NAMES = {
    "area": "面积",
    "price": "单价",
    "months": "月数",
    "days": "天数",
    "usage": "用量",
    "floor_factor": "楼层系数",
    "headcount": "人数",
}
FUNCTIONS = ("min", "max", "round", "if")
COMPARISONS: Mapping[str, Callable[[Fraction, Fraction], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_TOKEN = re.compile(r"\s*(?:(\d{1,15}(?:\.\d{1,15})?)|([A-Za-z_]{1,30})|(<=|>=|==|!=|[-+*/(),<>=]))", re.ASCII)
_SPELLED = str.maketrans({"×": "*", "÷": "/", "−": "-", "（": "(", "）": ")", "，": ",", "≤": "≤", "≥": "≥"})
_DEEPEST = 40
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Node:
    """kind: 'number', 'name', 'negative', 'binary', 'compare' or 'call'; `text` is the name, the operator or the function."""

    kind: str
    text: str = ""
    value: Fraction = Fraction(0)
    parts: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        yield self
        for part in self.parts:
            yield from part.walk()


@dataclass(frozen=True, slots=True)
class Tree:
    """A formula that has been read. `names`: which facts it needs."""

    text: str
    root: Node

    @property
    def names(self) -> frozenset[str]:
        return frozenset(node.text for node in self.root.walk() if node.kind == "name")


def parse(text: str) -> Tree:
    """Text -> tree. Refused `bad_formula` with the place, `unknown_name` with the name."""
    if len(text) > _LONGEST:
        raise Refused("bad_formula", f"公式太长，最多 {_LONGEST} 个字", "the formula is too long", field="formula")
    return Tree(text.strip(), _Reader(text).whole())


def evaluate(tree: Tree, facts: Mapping[str, Fraction]) -> Fraction:
    """The exact result in yuan. Refused `missing_fact`, `division_by_zero`, `negative_result`: never silently 0 (F-06)."""
    result = _value(tree.root, facts)
    if result < 0:
        raise Refused("negative_result", f"公式算出负数 {plain(result)}", "the result is negative", field="formula")
    return result


def put_in(tree: Tree, facts: Mapping[str, Fraction]) -> str:
    """The formula with its numbers put in (F-07): '89.53 × 1.98 × 3'."""
    return _said(tree.root, facts)


class _Reader:
    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text.translate(_SPELLED)))
        self.at = 0
        self.depth = 0

    def whole(self) -> Node:
        found = self.sum()
        if self.at < len(self.tokens):
            self.wrong()
        return found

    def sum(self) -> Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise Refused("bad_formula", "公式括号套得太深", "nested too deep", field="formula")
        left = self.product()
        while self.peek() in ("+", "-"):
            left = Node("binary", self.take(), parts=(left, self.product()))
        self.depth -= 1
        return left

    def product(self) -> Node:
        left = self.sign()
        while self.peek() in ("*", "/"):
            left = Node("binary", self.take(), parts=(left, self.sign()))
        return left

    def sign(self) -> Node:
        if self.peek() == "-":
            self.take()
            return Node("negative", parts=(self.atom(),))
        return self.atom()

    def atom(self) -> Node:
        token = self.take()
        if token == "(":
            found = self.sum()
            self.expect(")")
            return found
        if token[0].isdigit():
            return Node("number", value=Fraction(token))
        if token in FUNCTIONS:
            return self.call(token)
        if token in NAMES:
            return Node("name", token)
        if token[0].isalpha() or token[0] == "_":
            raise Refused("unknown_name", f"公式里不认识“{token}”", f"unknown name {token}", field="formula", name=token)
        self.wrong()

    def call(self, name: str) -> Node:
        self.expect("(")
        parts = [self.condition() if name == "if" else self.sum()]
        while self.peek() == ",":
            self.take()
            parts.append(self.sum())
        self.expect(")")
        if name == "if" and len(parts) != 3 or name == "round" and len(parts) > 2 or name in ("min", "max") and len(parts) < 2:
            raise Refused("bad_formula", f"公式里 {name} 的参数个数不对", f"wrong number of arguments of {name}", field="formula")
        if name == "round" and len(parts) == 2 and not (parts[1].kind == "number" and parts[1].value in range(7)):
            raise Refused("bad_formula", "round 的小数位数写 0 到 6", "decimals are 0 to 6", field="formula")
        return Node("call", name, parts=tuple(parts))

    def condition(self) -> Node:
        left = self.sum()
        token = self.take()
        name = "==" if token == "=" else token
        if name not in COMPARISONS:
            self.wrong()
        return Node("compare", name, parts=(left, self.sum()))

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        if self.at >= len(self.tokens):
            raise Refused("bad_formula", "公式没有写完", "the formula ends too early", field="formula")
        self.at += 1
        return self.tokens[self.at - 1]

    def expect(self, token: str) -> None:
        if self.take() != token:
            self.wrong()

    def wrong(self) -> NoReturn:
        token = self.tokens[min(max(self.at - 1, 0), len(self.tokens) - 1)] if self.tokens else ""
        raise Refused("bad_formula", f"公式在“{token}”附近写错了", f"cannot read the formula near {token!r}", field="formula")


def _tokens(text: str) -> Iterator[str]:
    text = text.replace("≤", "<=").replace("≥", ">=")
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise Refused(
                "bad_formula", f"公式里不能有“{text[at:].strip()[:1]}”", "a character outside the grammar", field="formula"
            )
        yield found.group(found.lastindex or 0)
        at = found.end()


def _value(node: Node, facts: Mapping[str, Fraction]) -> Fraction:
    if node.kind == "number":
        return node.value
    if node.kind == "name":
        if node.text not in facts:
            zh = f"算公式要用{NAMES[node.text]}，可是没有"
            raise Refused("missing_fact", zh, f"{node.text} is not known here", field=node.text)
        return facts[node.text]
    if node.kind == "call" and node.text == "if":
        condition, yes, no = node.parts
        left, right = (_value(part, facts) for part in condition.parts)
        return _value(yes if COMPARISONS[condition.text](left, right) else no, facts)
    values = [_value(part, facts) for part in node.parts]
    if node.kind == "negative":
        return -values[0]
    if node.kind == "call":
        return _called(node.text, values)
    return _binary(node.text, values[0], values[1])


def _called(name: str, values: list[Fraction]) -> Fraction:
    if name == "min":
        return min(values)
    if name == "max":
        return max(values)
    scale = 10 ** int(values[1]) if len(values) == 2 else 1
    return Fraction(round_fen(values[0] * scale), scale)


def _binary(operator: str, left: Fraction, right: Fraction) -> Fraction:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    if not right:
        raise Refused("division_by_zero", "公式里除数是 0", "division by zero", field="formula")
    return Fraction(left, right)


_SIGNS = {"*": " × ", "/": " ÷ ", "+": " + ", "-": " − "}


def _said(node: Node, facts: Mapping[str, Fraction], inside: bool = False) -> str:
    if node.kind == "number":
        return plain(node.value)
    if node.kind == "name":
        return plain(facts[node.text]) if node.text in facts else node.text
    parts = [_said(part, facts, inside=node.kind in ("binary", "negative")) for part in node.parts]
    if node.kind == "negative":
        return f"−{parts[0]}"
    if node.kind == "call":
        return f"{node.text}({'，'.join(parts)})"
    if node.kind == "compare":
        return f"{parts[0]} {node.text} {parts[1]}"
    text = _SIGNS[node.text].join(parts)
    return f"({text})" if inside and node.text in "+-" or inside and node.text == "/" else text
