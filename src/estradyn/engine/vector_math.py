"""Exponential and logarithm of a vector, written in LLVM instructions.

LLVM turns its own `exp` and `log` of a vector into one library call per lane. These are short
polynomials on whole vectors, accurate to about one unit in the last place.

References
----------
The logarithm follows the scheme of the freely distributable fdlibm (K. C. Ng, Sun Microsystems,
1993); the exponential is Cody and Waite's reduction with a Taylor polynomial of degree 13, whose
truncation error over the reduced range is 4e-18.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from llvmlite import ir

DOUBLE = ir.DoubleType()
INTEGER = ir.IntType(64)

LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LARGEST_EXPONENT = 709.08
SMALLEST_EXPONENT = -708.39
SMALLEST_NORMAL = 2.2250738585072014e-308
# Adding 1.5 * 2**52 leaves the nearest integer in the low bits of a double.
ROUNDING = 6755399441055744.0
TWO_TO_52_BITS = 0x4330000000000000

LOGARITHM_SERIES = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)


class VectorMath:
    """Writes elementary functions of `width` doubles at a builder's position."""

    # Only contraction to fused multiply-add is allowed: reassociation would break the
    # bit manipulation below and the invariance of results.
    FLAGS = ("contract",)

    def __init__(self, width: int):
        self.width = width
        self.vector = ir.VectorType(DOUBLE, width)
        self.integers = ir.VectorType(INTEGER, width)

    def constant(self, value: float) -> ir.Constant:
        """Return a vector with the same number in every lane."""
        return ir.Constant(self.vector, [ir.Constant(DOUBLE, float(value))] * self.width)

    def integer(self, value: int) -> ir.Constant:
        """Return a vector with the same integer in every lane."""
        return ir.Constant(self.integers, [ir.Constant(INTEGER, value)] * self.width)

    def intrinsic(self, builder: ir.IRBuilder, name: str, value: ir.Value) -> ir.Value:
        """Return one of LLVM's own functions of a vector, such as `sqrt` or `fabs`."""
        full_name = f"llvm.{name}.v{self.width}f64"
        function = builder.module.globals.get(full_name)
        if function is None:
            kind = ir.FunctionType(self.vector, [self.vector])
            function = ir.Function(builder.module, kind, full_name)
        return builder.call(function, [value])

    def multiply_add(
        self, builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value
    ) -> ir.Value:
        """Return a * b + c."""
        return builder.fadd(builder.fmul(a, b, flags=self.FLAGS), c, flags=self.FLAGS)

    def polynomial(
        self, builder: ir.IRBuilder, x: ir.Value, coefficients: Sequence[float]
    ) -> ir.Value:
        """Return a polynomial, lowest coefficient first, by Estrin's scheme."""
        terms = [self.constant(coefficient) for coefficient in coefficients]
        power = x
        while len(terms) > 1:
            paired: list[ir.Value] = []
            for low in range(0, len(terms), 2):
                if low + 1 < len(terms):
                    paired.append(self.multiply_add(builder, terms[low + 1], power, terms[low]))
                else:
                    paired.append(terms[low])
            terms = paired
            if len(terms) > 1:
                power = builder.fmul(power, power, flags=self.FLAGS)
        return terms[0]

    def exp(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Return e to the x; zero below -708.39 and infinite above 709.08."""
        above = builder.fcmp_ordered(">", x, self.constant(LARGEST_EXPONENT))
        below = builder.fcmp_ordered("<", x, self.constant(SMALLEST_EXPONENT))
        shifted = self.multiply_add(
            builder, x, self.constant(1.0 / math.log(2.0)), self.constant(ROUNDING)
        )
        count = builder.fsub(shifted, self.constant(ROUNDING))
        rest = self.multiply_add(builder, count, self.constant(-LN2_HIGH), x)
        rest = self.multiply_add(builder, count, self.constant(-LN2_LOW), rest)
        series = [1.0 / math.factorial(degree) for degree in range(14)]
        result = self.polynomial(builder, rest, series)
        exponent = builder.shl(builder.bitcast(shifted, self.integers), self.integer(52))
        scaled = builder.bitcast(
            builder.add(builder.bitcast(result, self.integers), exponent), self.vector
        )
        # Outside the range the bits above are meaningless and never used.
        scaled = builder.select(above, self.constant(math.inf), scaled)
        scaled = builder.select(below, self.constant(0.0), scaled)
        missing = builder.fcmp_unordered("uno", x, x)
        return builder.select(missing, x, scaled)

    def log(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Return the natural logarithm; minus infinity at zero and NaN below."""
        tiny = builder.fcmp_ordered("<", x, self.constant(SMALLEST_NORMAL))
        lifted = builder.select(tiny, builder.fmul(x, self.constant(2.0**54)), x)
        bits = builder.bitcast(lifted, self.integers)
        # Puts the mantissa between sqrt(1/2) and sqrt(2).
        offset = self.integer(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
        moved = builder.add(bits, offset)
        biased = builder.lshr(moved, self.integer(52))
        as_double = builder.bitcast(builder.or_(biased, self.integer(TWO_TO_52_BITS)), self.vector)
        count = builder.fsub(as_double, self.constant(2.0**52 + 1023.0))
        count = builder.select(tiny, builder.fsub(count, self.constant(54.0)), count)
        mantissa_bits = builder.add(
            builder.and_(moved, self.integer(0x000FFFFFFFFFFFFF)),
            self.integer(0x3FE6A09E667F3BCD),
        )
        f = builder.fsub(builder.bitcast(mantissa_bits, self.vector), self.constant(1.0))
        s = builder.fdiv(f, builder.fadd(f, self.constant(2.0)))
        z = builder.fmul(s, s)
        series = builder.fmul(z, self.polynomial(builder, z, LOGARITHM_SERIES))
        half_square = builder.fmul(builder.fmul(f, f), self.constant(0.5))
        correction = builder.fmul(s, builder.fadd(half_square, series))
        low = self.multiply_add(builder, count, self.constant(LN2_LOW), correction)
        tail = builder.fsub(half_square, low)
        result = self.multiply_add(builder, count, self.constant(LN2_HIGH), builder.fsub(f, tail))
        zero = builder.fcmp_ordered("==", x, self.constant(0.0))
        result = builder.select(zero, self.constant(-math.inf), result)
        infinite = builder.fcmp_ordered("==", x, self.constant(math.inf))
        result = builder.select(infinite, x, result)
        outside = builder.fcmp_unordered("<", x, self.constant(0.0))
        return builder.select(outside, self.constant(math.nan), result)
