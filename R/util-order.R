## An order of text that no locale changes: by character codes, capitals
## before small letters, as order(method = "radix") has it. A level, a
## reference group or a random stream that hangs on the order of names is then
## the same on a desk and on a server.

## The values of x, each once, in order; numbers by size.
.sortedUnique <- function(x) {
    if (length(x)) sort(unique(x), method = "radix") else unique(x)
}

## factor(x) with such levels; a factor keeps the levels it uses.
.asFactor <- function(x) {
    if (is.factor(x)) droplevels(x) else factor(x, .sortedUnique(x))
}

## 1 .. n in random order, a permutation of the engine's: the same for the same
## key (two numbers) and `use` (a whole number, one for each thing that a key
## is used for).
.shuffled <- function(n, key, use) {
    .Call(cw_r_permutation, as.numeric(n), as.double(key), as.integer(use)) + 1L
}
