"""Writes src/engine/io/unicode_tables.h from Python's unicodedata (14.0 in Python 3.11).

    python make_unicode.py >../../src/engine/io/unicode_tables.h
"""
import sys
import unicodedata


def kind(c):
    category = unicodedata.category(chr(c))
    if c in (0x09, 0x0A, 0x0D) or category == "Zs":
        return "BLANK"
    if category[0] == "C" or c == 0xFFFD:
        return "DROP"
    if category == "Mn":
        return "MARK"
    if category[0] == "P" or 33 <= c <= 47 or 58 <= c <= 64 or 91 <= c <= 96 or 123 <= c <= 126:
        return "PUNCT"
    return "BLANK" if category in ("Zl", "Zp") else None


def fold(c):
    text = unicodedata.normalize("NFD", chr(c))
    text = "".join(x for x in text if unicodedata.category(x) != "Mn")
    return [ord(y) for x in text for y in (x.lower() if len(x.lower()) == 1 else x)]


def lines(items):
    line = "   "
    for item in items:
        if len(line) + len(item) > 118:
            print(line)
            line = "   "
        line += " " + item
    print(line)


print("/* unicode_tables.h: made by tests/engine/make_unicode.py from Unicode %s; see unicode.h. */"
      % unicodedata.unidata_version)
ranges, at = [], None
for c in range(0x110001):
    k = kind(c) if c < 0x110000 else None
    if at and (k != at[2] or at[1] != c - 1):
        ranges.append(at)
        at = None
    if k:
        at = (at[0], c, k) if at else (c, c, k)
print("static const kind_range kinds[] = {")
lines("{0x%X, 0x%X, %s}," % r for r in ranges)
print("};")
single, several = [], []
for c in range(0x110000):
    if 0xAC00 <= c <= 0xD7A3 or 0xD800 <= c <= 0xDFFF or kind(c) in ("DROP", "MARK"):
        continue
    f = fold(c)
    if f == [c]:
        continue
    if len(f) == 1:
        single.append((c, f[0]))
    elif len(f) in (2, 3):
        several.append((c, *f, *[0] * (3 - len(f))))
    else:
        sys.exit("U+%04X has %d parts" % (c, len(f)))
runs = []
for c, f in single:
    if runs:
        first, last, step, to, to_step = runs[-1]
        if last == first and c - first in (1, 2) and f - to in (0, 1, 2):
            runs[-1] = (first, c, c - first, to, f - to)
            continue
        if last > first and c - last == step and f == to + ((c - first) // step) * to_step:
            runs[-1] = (first, c, step, to, to_step)
            continue
    runs.append((c, c, 1, f, 0))
print("static const fold_run folds[] = {")
lines("{0x%X, 0x%X, %d, 0x%X, %d}," % r for r in runs)
print("};")
print("static const uint32_t several[][4] = {")
lines("{0x%X, 0x%X, 0x%X, 0x%X}," % r for r in several)
print("};")
