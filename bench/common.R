## What the benchmarks in R begin with, sourced from beside them: `arguments` of
## the command line; `bench`, the folder they are in; or(i, default), the i-th
## argument where it is given; attachCauseway(library), the package from a
## library ("": R's own).

arguments <- commandArgs(trailingOnly = TRUE)
bench <- local({
    script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
    if (length(script)) dirname(script) else "bench"
})
or <- function(i, default) {
    if (length(arguments) >= i && nzchar(arguments[[i]])) arguments[[i]] else
        default
}
attachCauseway <- function(library) {
    suppressPackageStartupMessages(
        library(causeway, lib.loc = if (nzchar(library)) library)
    )
}
