"""Exponential and logarithm of a vector, written in LLVM instructions.

LLVM turns its own `exp` and `log` of a vector into one library call per lane. These are short
polynomials on whole vectors, accurate to about one unit in the last place. Powers are made from a
logarithm and an exponential to base two, which need no logarithm of two in two parts; the
logarithm near one is accurate to two units in its last place.

References
----------
The logarithm follows the scheme of the freely distributable fdlibm (K. C. Ng, Sun Microsystems,
1993); the exponentials are Cody and Waite's reduction with polynomials found by Remez's exchange
algorithm, whose largest relative error over the reduced range is 1.1e-17, and 4.3e-17 to base two.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from llvmlite import ir

DOUBLE = ir.DoubleType()
INTEGER = ir.IntType(64)

LN2_HIGH = 6.93147180369123816490e-01
LN2_LOW = 1.90821492927058770002e-10
LARGEST_EXPONENT = 710.0
SMALLEST_EXPONENT = -709.0
EXPONENT_BIAS = 1023.0
BITS_OF_SMALLEST = 0x0010000000000000
BITS_OF_INFINITY = 0x7FF0000000000000
LARGEST_BINARY_EXPONENT = 1024.0
SMALLEST_BINARY_EXPONENT = -1023.0
LOG_OF_ZERO_AS_BASE = -1e300
"""Makes zero to the power p 0, 1 or infinite as p is above, at or below 0."""
# Adding 1.5 * 2**52 leaves the nearest integer in the low bits of a double.
ROUNDING = 6755399441055744.0
TWO_TO_52_BITS = 0x4330000000000000

EXPONENTIAL_SERIES = (
    0.5000000000000011,
    0.16666666666666413,
    0.04166666666653027,
    0.00833333333349433,
    0.001388888894359667,
    0.00019841269506785765,
    2.4801493137140432e-05,
    2.755758626277851e-06,
    2.76302336094729e-07,
    2.5000073013431864e-08,
)
"""Of (exp(r) - 1 - r) / r**2 for r between -log(2)/2 and log(2)/2, lowest degree first."""

BINARY_EXPONENTIAL_SERIES = (
    0.6931471805599457,
    0.24022650695910097,
    0.05550410866479039,
    0.009618129107607003,
    0.0013333558153439966,
    0.0001540353044157213,
    1.5252727385193868e-05,
    1.3215442675329823e-06,
    1.0180647659234139e-07,
    7.072570412814423e-09,
    4.078071929588337e-10,
)
"""Of (2**r - 1) / r for r between -1/2 and 1/2, lowest degree first."""

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
        # Each constant is built and written as text once: most come back in every stage.
        self._constants: dict[tuple[ir.Type, float | int, float], ir.Constant] = {}

    def _repeated(self, kind: ir.Type, value: float | int) -> ir.Constant:
        key = (kind, value, math.copysign(1.0, value))
        if key not in self._constants:
            self._constants[key] = ir.Constant(
                ir.VectorType(kind, self.width), [ir.Constant(kind, value)] * self.width
            )
        return self._constants[key]

    def constant(self, value: float) -> ir.Constant:
        """Return a vector with the same number in every lane."""
        return self._repeated(DOUBLE, float(value))

    def integer(self, value: int) -> ir.Constant:
        """Return a vector with the same integer in every lane."""
        return self._repeated(INTEGER, value)

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

    def horner(self, builder: ir.IRBuilder, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
        """Return a polynomial, lowest coefficient first, by Horner's scheme."""
        result: ir.Value = self.constant(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = self.multiply_add(builder, result, x, self.constant(coefficient))
        return result

    def exp(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Return e to the x; zero below -708.74 and infinite above 709.43."""
        highest, lowest = self.constant(LARGEST_EXPONENT), self.constant(SMALLEST_EXPONENT)
        # Neither comparison holds for NaN, which so passes through.
        x = builder.select(builder.fcmp_ordered("<", highest, x), highest, x)
        x = builder.select(builder.fcmp_ordered(">", lowest, x), lowest, x)
        shifted = self.multiply_add(
            builder, x, self.constant(1.0 / math.log(2.0)), self.constant(ROUNDING + EXPONENT_BIAS)
        )
        count = builder.fsub(shifted, self.constant(ROUNDING + EXPONENT_BIAS))
        rest = self.multiply_add(builder, count, self.constant(-LN2_HIGH), x)
        rest = self.multiply_add(builder, count, self.constant(-LN2_LOW), rest)
        square = builder.fmul(rest, rest)
        even = self.horner(builder, square, EXPONENTIAL_SERIES[::2])
        odd = self.horner(builder, square, EXPONENTIAL_SERIES[1::2])
        curved = self.multiply_add(builder, odd, rest, even)
        result = builder.fadd(
            self.multiply_add(builder, square, curved, rest), self.constant(1.0), flags=self.FLAGS
        )
        return self._times_two_to(builder, result, shifted)

    def exp2(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Return two to the x; zero below -1022.5 and infinite above 1023.5."""
        highest = self.constant(LARGEST_BINARY_EXPONENT)
        lowest = self.constant(SMALLEST_BINARY_EXPONENT)
        x = builder.select(builder.fcmp_ordered("<", highest, x), highest, x)
        x = builder.select(builder.fcmp_ordered(">", lowest, x), lowest, x)
        shifted = builder.fadd(x, self.constant(ROUNDING + EXPONENT_BIAS))
        count = builder.fsub(shifted, self.constant(ROUNDING + EXPONENT_BIAS))
        rest = builder.fsub(x, count)
        square = builder.fmul(rest, rest)
        slope, *curvature = BINARY_EXPONENTIAL_SERIES
        even = self.horner(builder, square, curvature[::2])
        odd = self.horner(builder, square, curvature[1::2])
        curved = self.multiply_add(builder, odd, rest, even)
        straight = builder.fmul(rest, self.constant(slope))
        result = builder.fadd(
            self.multiply_add(builder, square, curved, straight),
            self.constant(1.0),
            flags=self.FLAGS,
        )
        return self._times_two_to(builder, result, shifted)

    def _times_two_to(self, builder: ir.IRBuilder, value: ir.Value, shifted: ir.Value) -> ir.Value:
        """Multiply by a power of two, given shifted by `ROUNDING` and `EXPONENT_BIAS`."""
        # Its low bits are then those of an exponent: zero for 0, 2047 for infinity.
        bits = builder.shl(builder.bitcast(shifted, self.integers), self.integer(52))
        return builder.fmul(value, builder.bitcast(bits, self.vector))

    def logs(
        self, builder: ir.IRBuilder, xs: Sequence[ir.Value], of_base: Sequence[bool]
    ) -> list[ir.Value]:
        """Return the logarithms of several values, with their rare cases in one branch.

        Parameters
        ----------
        builder
            Position to write at.
        xs
            Arguments; the logarithm of a negative number is NaN.
        of_base
            For each argument, whether it is the base of a power: its logarithm is to base two and
            at zero a very negative number. That of any other is natural.
        """
        common = [
            self._log2_of_normal(builder, x) if base else self._log_of_normal(builder, x)
            for x, base in zip(xs, of_base, strict=True)
        ]
        rare = [self._is_not_normal(builder, x) for x in xs]
        any_rare = rare[0]
        for bits in rare[1:]:
            any_rare = builder.or_(any_rare, bits)
        some = builder.icmp_unsigned(
            "!=",
            builder.bitcast(any_rare, ir.IntType(self.width)),
            ir.Constant(ir.IntType(self.width), 0),
        )
        before = builder.block
        with builder.if_then(some, likely=False):
            mended = [
                builder.select(bits, self._log_of_rare(builder, x, base), value)
                for x, bits, value, base in zip(xs, rare, common, of_base, strict=True)
            ]
            inside = builder.block
        results = []
        for value, other in zip(common, mended, strict=True):
            result = builder.phi(self.vector)
            result.add_incoming(value, before)
            result.add_incoming(other, inside)
            results.append(result)
        return results

    def _is_not_normal(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Whether x is anything but a positive normal number: one comparison of its bits."""
        above = builder.sub(builder.bitcast(x, self.integers), self.integer(BITS_OF_SMALLEST))
        return builder.icmp_unsigned(">=", above, self.integer(BITS_OF_INFINITY - BITS_OF_SMALLEST))

    def _log_of_rare(self, builder: ir.IRBuilder, x: ir.Value, of_base: bool) -> ir.Value:
        """Logarithm of subnormal numbers, zero, infinity, negative numbers and NaN."""
        raised = builder.fmul(x, self.constant(2.0**54))
        if of_base:
            lifted, by, at_zero = self._log2_of_normal(builder, raised), 54.0, LOG_OF_ZERO_AS_BASE
        else:
            lifted, by = self._log_of_normal(builder, raised), 54.0 * math.log(2.0)
            at_zero = -math.inf
        result = builder.fsub(lifted, self.constant(by))
        zero = builder.fcmp_ordered("==", x, self.constant(0.0))
        result = builder.select(zero, self.constant(at_zero), result)
        infinite = builder.fcmp_ordered("==", x, self.constant(math.inf))
        result = builder.select(infinite, x, result)
        outside = builder.fcmp_unordered("<", x, self.constant(0.0))
        return builder.select(outside, self.constant(math.nan), result)

    def _log_of_normal(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Natural logarithm of positive normal numbers."""
        count, f, s = self._reduced(builder, x)
        z = builder.fmul(s, s)
        square = builder.fmul(z, z)
        even = self.horner(builder, square, LOGARITHM_SERIES[::2])
        odd = self.horner(builder, square, LOGARITHM_SERIES[1::2])
        series = builder.fmul(z, self.multiply_add(builder, odd, z, even))
        half_square = builder.fmul(builder.fmul(f, f), self.constant(0.5))
        correction = builder.fmul(s, builder.fadd(half_square, series))
        low = self.multiply_add(builder, count, self.constant(LN2_LOW), correction)
        tail = builder.fsub(half_square, low)
        return self.multiply_add(builder, count, self.constant(LN2_HIGH), builder.fsub(f, tail))

    def _log2_of_normal(self, builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
        """Logarithm to base two of positive normal numbers."""
        count, _, s = self._reduced(builder, x)
        z = builder.fmul(s, s)
        square = builder.fmul(z, z)
        series = [coefficient / math.log(2.0) for coefficient in (2.0, *LOGARITHM_SERIES)]
        even = self.horner(builder, square, series[::2])
        odd = self.horner(builder, square, series[1::2])
        return self.multiply_add(builder, s, self.multiply_add(builder, odd, z, even), count)

    def _reduced(self, builder: ir.IRBuilder, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Write x as 2**count (1 + f); return count, f and f / (2 + f)."""
        bits = builder.bitcast(x, self.integers)
        # Puts the mantissa between sqrt(1/2) and sqrt(2).
        offset = self.integer(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
        moved = builder.add(bits, offset)
        biased = builder.lshr(moved, self.integer(52))
        as_double = builder.bitcast(builder.or_(biased, self.integer(TWO_TO_52_BITS)), self.vector)
        count = builder.fsub(as_double, self.constant(2.0**52 + 1023.0))
        mantissa_bits = builder.add(
            builder.and_(moved, self.integer(0x000FFFFFFFFFFFFF)),
            self.integer(0x3FE6A09E667F3BCD),
        )
        f = builder.fsub(builder.bitcast(mantissa_bits, self.vector), self.constant(1.0))
        return count, f, builder.fdiv(f, builder.fadd(f, self.constant(2.0)))
