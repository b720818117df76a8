"""Finds the one flipped bit of a message from its CRC-32C alone: a discrete logarithm.

Theory. A CRC is linear, so the XOR of the stored and the recomputed CRC (the *syndrome*) depends
only on which bits flipped, not on the message. A single flip at distance d from the last bit gives
the syndrome x^(d+32) mod P. The polynomial of CRC-32C is P = (x + 1) Q with Q primitive of degree
31, and 2^31 - 1 is prime; hence the powers x^0 ... x^(2^31-2) are all different: in messages of up
to 2^31 - 33 bits each single flip has its own syndrome. Every single flip has odd weight and so
leaves a syndrome outside the ideal of (x + 1), every double flip one inside it: no double flip can
be mistaken for a single one. Triple flips can (about n / 2^31 of them, n the message's bits), and
therefore nothing found here may be believed before an independent code has confirmed it.

The exponent is found by baby steps and giant steps (Shanks): a table of x^i for i < 2^12, then
steps of x^(-2^12), so a megabyte costs at most 2,048 steps and no byte is hashed again.

Reflected arithmetic throughout: bit 31 of a word is the coefficient of x^0, as CRC-32C stores it.
"""

from __future__ import annotations

from functools import cache

POLYNOMIAL_REFLECTED = 0x82F63B78
MESSAGE_BITS_MAX = (1 << 31) - 33
_BABY_STEPS = 1 << 12
_ORDER = (1 << 31) - 1  # of x modulo P
_ONE = 1 << 31  # x^0


def _times_x(word: int) -> int:
    return (word >> 1) ^ (POLYNOMIAL_REFLECTED if word & 1 else 0)


def multiply(left: int, right: int) -> int:
    """Return the product of two residues modulo P."""
    product = 0
    for shift in range(31, -1, -1):
        if right >> shift & 1:
            product ^= left
        left = _times_x(left)
    return product


def power_of_x(exponent: int) -> int:
    """Return x^exponent mod P for any integer exponent; x has order 2^31 - 1."""
    result, square, exponent = _ONE, _ONE >> 1, exponent % _ORDER
    while exponent:
        if exponent & 1:
            result = multiply(result, square)
        square = multiply(square, square)
        exponent >>= 1
    return result


@cache
def _baby_steps() -> dict[int, int]:
    table, word = {}, _ONE
    for exponent in range(_BABY_STEPS):
        table[word] = exponent
        word = _times_x(word)
    return table


@cache
def _giant_step() -> tuple[tuple[int, ...], ...]:
    """Multiplication by x^(-2^12) as four tables, one for each byte of the operand."""
    factor = power_of_x(-_BABY_STEPS)
    return tuple(
        tuple(multiply(byte << shift, factor) for byte in range(256)) for shift in (0, 8, 16, 24)
    )


def logarithm(syndrome: int, exponent_max: int) -> int | None:
    """Return e <= exponent_max with x^e = syndrome mod P, or None when there is none."""
    baby, (first, second, third, fourth) = _baby_steps(), _giant_step()
    for base in range(0, exponent_max + 1, _BABY_STEPS):
        exponent = baby.get(syndrome)
        if exponent is not None:
            return base + exponent if base + exponent <= exponent_max else None
        syndrome = (
            first[syndrome & 255]
            ^ second[syndrome >> 8 & 255]
            ^ third[syndrome >> 16 & 255]
            ^ fourth[syndrome >> 24]
        )
    return None


def locate_flip(stored_crc: int, computed_crc: int, length_bytes: int) -> int | None:
    """Return the bit that was flipped in a message, or None when no single flip explains it.

    Args:
        stored_crc: the CRC-32C of the message as it was sealed.
        computed_crc: the CRC-32C of the message as it is now.
        length_bytes: size of the message.

    Returns:
        Bit number 8 x byte offset + bit, where bit 0 is the least significant of its byte.
    """
    bits = 8 * length_bytes
    syndrome = stored_crc ^ computed_crc
    if not syndrome or not bits or bits > MESSAGE_BITS_MAX:
        return None
    exponent = logarithm(syndrome, 32 + bits - 1)
    if exponent is None or exponent < 32:  # noqa: PLR2004 - the CRC's own 32 bits: not the message
        return None
    return bits - 1 - (exponent - 32)
