## Golden values: tests/fixtures, or the folder in CAUSEWAY_FIXTURES.
fixtureRoots <- function() {
    c(
        Sys.getenv("CAUSEWAY_FIXTURES", NA_character_),
        testthat::test_path("..", "fixtures"), file.path("tests", "fixtures")
    )
}

fixture <- function(name) {
    folders <- file.path(fixtureRoots(), name)
    folders <- folders[!is.na(fixtureRoots()) & dir.exists(folders)]
    if (!length(folders)) {
        testthat::skip(paste("no fixture", name))
    }
    normalizePath(folders[[1L]])
}

## A place below the folder in CAUSEWAY_DATA (`make test`: ../shared/data), of
## data that don't belong to the package; the test is skipped without it.
sharedData <- function(...) {
    place <- file.path(Sys.getenv("CAUSEWAY_DATA", "no-shared-data"), ...)
    if (!file.exists(place)) {
        testthat::skip(paste("there is no", place))
    }
    place
}

## All tensors of a small safetensors file; `dim_rm` is the row-major shape.
readTensors <- function(file) {
    bytes <- readBin(file, "raw", file.size(file))
    n <- sum(as.integer(bytes[1:8]) * 256^(0:7))
    header <- jsonlite::parse_json(rawToChar(bytes[8 + seq_len(n)]),
        simplifyVector = TRUE
    )
    header <- header[setdiff(names(header), "__metadata__")]
    lapply(header, function(h) {
        from <- 8 + n + h$data_offsets[[1L]]
        part <- bytes[from + seq_len(diff(h$data_offsets))]
        x <- switch(h$dtype,
            F32 = readBin(part, "numeric", length(part) / 4, size = 4),
            I64 = readBin(part, "integer", length(part) / 4, size = 4)[
                c(TRUE, FALSE)
            ],
            BOOL = as.logical(as.integer(part)),
            stop("dtype ", h$dtype)
        )
        structure(x, dim_rm = as.integer(h$shape))
    })
}

## Genes x cells from a (cells, genes) tensor.
genesByCells <- function(x) {
    shape <- attr(x, "dim_rm")
    matrix(as.vector(x), nrow = shape[[2L]], ncol = shape[[1L]])
}

## Runs R code in a process of its own with the library at hand; what it wrote.
rscript <- function(code, before = "") {
    file <- tempfile(fileext = ".R")
    on.exit(unlink(file))
    libs <- paste(sprintf("'%s'", .libPaths()), collapse = ", ")
    writeLines(c(sprintf(".libPaths(c(%s))", libs), code), file)
    r <- shQuote(file.path(R.home("bin"), "Rscript"))
    suppressWarnings(system(paste(before, "exec", r, "--no-environ --no-save",
        shQuote(file), "2>&1"
    ), intern = TRUE))
}
