"""Formulas of SBML as presentation MathML, which browsers typeset without any script."""

from __future__ import annotations

from collections.abc import Sequence

import libsbml
from markupsafe import Markup

WIDEST = 130
"""Characters in a line of a formula before a sum or product at its top is broken."""

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_NAMES: dict[int, str] = {
    libsbml.AST_FUNCTION_EXP: "exp",
    libsbml.AST_FUNCTION_LN: "ln",
    libsbml.AST_FUNCTION_LOG: "log",
    libsbml.AST_FUNCTION_MAX: "max",
    libsbml.AST_FUNCTION_MIN: "min",
    libsbml.AST_FUNCTION_TANH: "tanh",
    libsbml.AST_FUNCTION_SIN: "sin",
    libsbml.AST_FUNCTION_COS: "cos",
}
_RELATIONS: dict[int, str] = {
    libsbml.AST_RELATIONAL_EQ: "=",
    libsbml.AST_RELATIONAL_NEQ: "\N{NOT EQUAL TO}",
    libsbml.AST_RELATIONAL_GT: ">",
    libsbml.AST_RELATIONAL_GEQ: "\N{GREATER-THAN OR EQUAL TO}",
    libsbml.AST_RELATIONAL_LT: "<",
    libsbml.AST_RELATIONAL_LEQ: "\N{LESS-THAN OR EQUAL TO}",
    libsbml.AST_LOGICAL_AND: "and",
    libsbml.AST_LOGICAL_OR: "or",
}
_MINUS = "\N{MINUS SIGN}"
_TIMES = "\N{DOT OPERATOR}"


def name_markup(name: str) -> Markup:
    """Typeset a name as its words."""
    return Markup("<mtext>{}</mtext>").format(name.replace("_", "\N{NO-BREAK SPACE}"))


def rate_markup(name: str) -> Markup:
    """Typeset the time derivative of a quantity."""
    d = Markup('<mi mathvariant="normal">d</mi>')
    return Markup(
        "<mfrac><mrow>{}<mspace width='0.15em'/>{}</mrow><mrow>{}<mi>t</mi></mrow></mfrac>"
    ).format(d, name_markup(name), d)


def equation_markup(left: Markup, right: libsbml.ASTNode) -> Markup:
    """Typeset `left = right`, broken into lines where the right side is a long sum or product.

    Parameters
    ----------
    left
        MathML of the left side.
    right
        Formula of the right side.

    Returns
    -------
    Markup
        A `<math>` element.
    """
    equals = Markup("<mo>=</mo>")
    lines = _lines(right)
    rows = [Markup("").join([left, equals, lines[0]]), *lines[1:]]
    if len(rows) == 1:
        return Markup('<math display="block"><mrow>{}</mrow></math>').format(rows[0])
    indent = Markup("<mspace width='3em'/>")
    cells = [rows[0], *(indent + row for row in rows[1:])]
    table = Markup("").join(
        Markup('<mtr><mtd style="text-align:left"><mrow>{}</mrow></mtd></mtr>').format(cell)
        for cell in cells
    )
    return Markup('<math display="block"><mtable displaystyle="true">{}</mtable></math>').format(
        table
    )


def formula_markup(node: libsbml.ASTNode) -> Markup:
    """Typeset a formula as the inside of a `<math>` element."""
    return _typeset(node)[0]


def _lines(node: libsbml.ASTNode) -> list[Markup]:
    """Break a sum or a product where a line grows too wide."""
    parts = _terms(node) if _is_sum(node) else _factors(node)
    lines: list[list[Markup]] = [[]]
    width = 0
    for operator, part, above in parts:
        markup, level, size = _measured(part)
        if level < above:
            markup, size = _in_brackets(markup), size + 2
        if lines[-1] and width + size > WIDEST:
            lines.append([])
            width = 0
        if operator:
            lines[-1].append(Markup("<mo>{}</mo>").format(operator))
        lines[-1].append(markup)
        width += size + 3
    return [Markup("").join(line) for line in lines]


def _is_sum(node: libsbml.ASTNode) -> bool:
    return node.getType() in (libsbml.AST_PLUS, libsbml.AST_MINUS) and node.getNumChildren() > 1


def _terms(node: libsbml.ASTNode) -> list[tuple[str, libsbml.ASTNode, int]]:
    """Terms of a sum with the sign before each and the binding strength that each needs."""
    if not _is_sum(node):
        return [("", node, _SUM)]
    children = [node.getChild(index) for index in range(node.getNumChildren())]
    sign = "+" if node.getType() == libsbml.AST_PLUS else _MINUS
    found = _terms(children[0])
    for child in children[1:]:
        if sign == "+":
            inner = _terms(child)
            found += [("+", inner[0][1], inner[0][2]), *inner[1:]]
        else:
            found.append((sign, child, _PRODUCT))
    return found


def _factors(node: libsbml.ASTNode) -> list[tuple[str, libsbml.ASTNode, int]]:
    if node.getType() != libsbml.AST_TIMES:
        return [("", node, _SUM)]
    found: list[tuple[str, libsbml.ASTNode, int]] = []
    for index in range(node.getNumChildren()):
        child = node.getChild(index)
        inner = _factors(child) if child.getType() == libsbml.AST_TIMES else [("", child, _PRODUCT)]
        found += [(_TIMES if found else "", inner[0][1], _PRODUCT), *inner[1:]]
    return found


def _measured(node: libsbml.ASTNode) -> tuple[Markup, int, int]:
    markup, level = _typeset(node)
    return markup, level, _width(node)


def _width(node: libsbml.ASTNode) -> int:
    """Estimate the characters that a formula is wide."""
    children = [node.getChild(index) for index in range(node.getNumChildren())]
    if not children:
        return len(node.getName() or "") or 4
    if node.getType() == libsbml.AST_DIVIDE:
        return max(map(_width, children)) + 1
    return sum(map(_width, children)) + 3 * (len(children) - 1) + 4


def _typeset(node: libsbml.ASTNode) -> tuple[Markup, int]:
    """MathML of a formula and how tightly its outermost operation binds."""
    kind = node.getType()
    children = [node.getChild(index) for index in range(node.getNumChildren())]
    if not children:
        return _leaf(node), _ATOM
    if kind == libsbml.AST_MINUS and len(children) == 1:
        return Markup("<mo>{}</mo>{}").format(_MINUS, _bound(children[0], _PRODUCT)), _SUM
    if kind in (libsbml.AST_PLUS, libsbml.AST_MINUS):
        return _joined(_terms(node)), _SUM
    if kind == libsbml.AST_TIMES:
        return _joined(_factors(node)), _PRODUCT
    if kind == libsbml.AST_DIVIDE:
        over, under = _fraction(node)
        return Markup("<mfrac><mrow>{}</mrow><mrow>{}</mrow></mfrac>").format(over, under), _POWER
    if kind in (libsbml.AST_POWER, libsbml.AST_FUNCTION_POWER):
        base, exponent = _bound(children[0], _ATOM), formula_markup(children[1])
        return Markup("<msup><mrow>{}</mrow><mrow>{}</mrow></msup>").format(base, exponent), _POWER
    if kind == libsbml.AST_FUNCTION_ROOT:
        return Markup("<msqrt>{}</msqrt>").format(formula_markup(children[-1])), _ATOM
    if kind == libsbml.AST_FUNCTION_PIECEWISE:
        return _cases(children), _ATOM
    if kind in _RELATIONS:
        return _separated(children, f" {_RELATIONS[kind]} "), _SUM
    name = _NAMES.get(kind) or node.getName() or libsbml.formulaToL3String(node).split("(")[0]
    arguments = _in_brackets(_separated(children, ","))
    return Markup("<mi>{}</mi><mo>&#x2061;</mo>{}").format(name, arguments), _ATOM


def _fraction(node: libsbml.ASTNode) -> tuple[Markup, Markup]:
    """Above and below the bar; of a / b / c, both b and c stand below."""
    over, below = node.getChild(0), [node.getChild(1)]
    while over.getType() == libsbml.AST_DIVIDE:
        over, below = over.getChild(0), [over.getChild(1), *below]
    if len(below) == 1:
        return formula_markup(over), formula_markup(below[0])
    times = Markup("<mo>{}</mo>").format(_TIMES)
    return formula_markup(over), times.join(_bound(part, _PRODUCT) for part in below)


def _leaf(node: libsbml.ASTNode) -> Markup:
    if node.isNumber():
        return Markup("<mn>{}</mn>").format(_number(node))
    if node.getType() == libsbml.AST_NAME_TIME:
        return Markup("<mi>t</mi>")
    return name_markup(node.getName() or libsbml.formulaToL3String(node))


def _number(node: libsbml.ASTNode) -> str:
    value = node.getInteger() if node.isInteger() else node.getValue()
    return f"{value:g}".replace("-", _MINUS)


def _bound(node: libsbml.ASTNode, at_least: int) -> Markup:
    markup, level = _typeset(node)
    return markup if level >= at_least else _in_brackets(markup)


def _joined(parts: Sequence[tuple[str, libsbml.ASTNode, int]]) -> Markup:
    pieces = []
    for operator, part, at_least in parts:
        if operator:
            pieces.append(Markup("<mo>{}</mo>").format(operator))
        pieces.append(_bound(part, at_least))
    return Markup("").join(pieces)


def _in_brackets(markup: Markup) -> Markup:
    return Markup('<mrow><mo fence="true">(</mo>{}<mo fence="true">)</mo></mrow>').format(markup)


def _separated(nodes: Sequence[libsbml.ASTNode], separator: str) -> Markup:
    kind = Markup(' separator="true"') if separator == "," else Markup("")
    between = Markup("<mo{}>{}</mo>").format(kind, separator)
    return between.join(formula_markup(node) for node in nodes)


def _cases(children: Sequence[libsbml.ASTNode]) -> Markup:
    """Value and condition in turn, with a value that holds otherwise at the end."""
    rows = []
    for index in range(0, len(children) - 1, 2):
        rows.append(
            (
                children[index],
                Markup("<mtext>if </mtext>{}").format(formula_markup(children[index + 1])),
            )
        )
    if len(children) % 2:
        rows.append((children[-1], Markup("<mtext>otherwise</mtext>")))
    cells = Markup("").join(
        Markup("<mtr><mtd>{}</mtd><mtd>{}</mtd></mtr>").format(formula_markup(value), condition)
        for value, condition in rows
    )
    return Markup('<mrow><mo fence="true">{{</mo><mtable>{}</mtable></mrow>').format(cells)
