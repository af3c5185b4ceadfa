## Networks to files.

test_that("the file holds what edgeTable() gives", {
    grn <- exampleGRN()
    file <- tempfile(fileext = ".csv")
    on.exit(unlink(file))
    expect_silent(writeGRN(grn, file, top = 6, verbose = FALSE))
    got <- read.csv(file)
    want <- edgeTable(grn, top = 6)
    expect_equal(got[1:3], want[1:3])
    expect_equal(got$score, want$score, tolerance = 1e-6)
    expect_identical(readLines(file, 1), "cell_id,Gene1,Gene2,score")
    writeGRN(poolGRN(grn), file, threshold = 0.2, overwrite = TRUE)
    got <- read.csv(file)
    expect_equal(got[1:2], edgeTable(poolGRN(grn), threshold = 0.2)[1:2])
    one <- writeGRN(grn, file, cells = 2, top = 3, overwrite = TRUE)
    expect_identical(one, file)
    expect_identical(unique(read.csv(file)$cell_id), "cell02")
})

test_that("a compressed file can be read back", {
    file <- tempfile(fileext = ".csv.gz")
    on.exit(unlink(file))
    writeGRN(exampleGRN(), file, top = 2)
    expect_identical(readBin(file, "raw", 2), as.raw(c(0x1f, 0x8b)))
    expect_equal(nrow(read.csv(file)), 80)
})

test_that("names with commas and quotes are quoted", {
    s <- matrix(c(1, 3), 1, dimnames = list("a,\"b\"", c("a,\"b\"", "c")))
    file <- tempfile()
    on.exit(unlink(file))
    writeGRN(PooledGRN(s), file, top = 2)
    expect_equal(read.csv(file), edgeTable(PooledGRN(s), top = 2))
})

test_that("nothing is lost and nothing is left behind", {
    grn <- exampleGRN()
    folder <- tempfile("out")
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    file <- file.path(folder, "edges.csv")
    writeLines("precious", file)
    expect_error(writeGRN(grn, file, top = 1), "exists")
    expect_identical(readLines(file), "precious")
    expect_error(
        causeway:::.writeBeside(file, TRUE, function(con) {
            writeLines("half", con)
            stop("broken off")
        }), "broken off"
    )
    expect_identical(readLines(file), "precious")
    expect_identical(list.files(folder, all.files = TRUE, no.. = TRUE),
        "edges.csv"
    )
    expect_error(writeGRN(grn, folder, top = 1), "is a folder")
    expect_error(writeGRN(grn, file.path(folder, "no", "x.csv"), top = 1),
        "doesn't exist"
    )
    expect_error(writeGRN(grn, file, top = 1, threshold = 1), "together")
})

test_that("a folder that can't be written is named", {
    skip_if(identical(Sys.info()[["user"]], "root") && !dir.exists("/proc"))
    folder <- "/proc"
    if (!identical(Sys.info()[["user"]], "root")) {
        folder <- tempfile("readonly")
        dir.create(folder, mode = "0555")
        on.exit(unlink(folder, recursive = TRUE))
    }
    expect_error(
        writeGRN(exampleGRN(), file.path(folder, "x.csv"), top = 1),
        "read-only"
    )
})

test_that("a file cut short by a full disk is told from a whole one", {
    whole <- c(plain = tempfile(), packed = tempfile(fileext = ".gz"))
    on.exit(unlink(whole))
    for (file in whole) {
        writeGRN(exampleGRN(), file, top = 30)
        size <- sum(nchar(readLines(file)) + 1)
        expect_true(causeway:::.holdsBytes(file, size))
        bytes <- readBin(file, "raw", 1e6)
        writeBin(bytes[seq_len(length(bytes) - 100L)], file)
        expect_false(causeway:::.holdsBytes(file, size))
    }
    file <- tempfile(fileext = ".csv")
    writeLines("precious", file)
    on.exit(unlink(file), add = TRUE)
    expect_error(
        causeway:::.writeBeside(file, TRUE, function(con) {
            writeLines("short", con)
            c(rows = 1, bytes = 99)
        }), "could not be written whole"
    )
    expect_identical(readLines(file), "precious")
    expect_length(list.files(tempdir(), all.files = TRUE,
        pattern = paste0("^\\.", basename(file))
    ), 0L)
})

test_that("signs are written where they are known", {
    s <- matrix(c(0, 3, 1, 0, 2, 5), 2, dimnames = list(c("A", "B"),
        c("A", "B", "C")
    ))
    grn <- PooledGRN(s)
    file <- tempfile(fileext = ".csv")
    on.exit(unlink(file))
    expect_error(writeGRN(grn, file, top = 2, signed = TRUE), "have no signs")
    grn@metadata$sign <- matrix(c(0L, -1L, 1L, 0L, -1L, 1L), 2,
        dimnames = dimnames(s)
    )
    writeGRN(grn, file, top = 3)
    expect_identical(readLines(file), c("Gene1,Gene2,score,sign", "B,C,5,1",
        "B,A,3,-1", "A,C,2,-1"
    ))
    writeGRN(grn, file, top = 3, signed = FALSE, overwrite = TRUE)
    expect_identical(readLines(file, 2), c("Gene1,Gene2,score", "B,C,5"))
    expect_error(writeGRN(exampleGRN(), file, top = 1, signed = TRUE,
        overwrite = TRUE
    ), "have no signs")
})

## Two states, A with one edge up, B with it down.
twoStates <- function() {
    tf <- c("A", "B")
    genes <- c("A", "B", "C")
    slope <- array(0, c(2, 3, 2))
    slope[1, 3, ] <- c(2, -4)
    slope[2, 3, ] <- c(1, 1)
    w <- cbind(one = rep(1:0, each = 30), two = rep(0:1, each = 30))
    values <- Matrix::sparseMatrix(i = 1, j = 1, x = 1, dims = c(3L, 60L))
    new("StateGRN", tfs = tf, genes = genes, cells = paste0("c", 1:60),
        pooled = slope[, , 1], slope = slope, sd = matrix(1, 2, 2),
        memberships = w, expression = values,
        cellData = S4Vectors::make_zero_col_DFrame(60L), verdict = list(),
        metadata = list()
    )
}

test_that("states are written once, the cells by their memberships", {
    grn <- twoStates()
    file <- tempfile(fileext = ".csv")
    beside <- sub("\\.csv$", "-cells.csv", file)
    on.exit(unlink(c(file, beside)))
    said <- capture_messages(writeGRN(grn, file, top = 2, verbose = TRUE))
    expect_match(said[[1]], "^Writing 4 edges, about [0-9]+ B")
    expect_match(said[[2]], "4 edges of 2 states .* memberships of 60 cells")
    expect_identical(readLines(file), c("state,Gene1,Gene2,score,sign",
        "one,A,C,2,1", "one,B,C,1,1", "two,A,C,4,-1", "two,B,C,1,1"
    ))
    cells <- read.csv(beside)
    expect_identical(names(cells), c("cell_id", "one", "two"))
    expect_identical(cells$one, rep(1:0, each = 30))
    expect_error(writeGRN(grn, file, top = 2), "exists")
    unlink(file)
    expect_error(writeGRN(grn, file, top = 2), "exists: .*-cells.csv")
    writeGRN(grn, file, cells = c("c40", "c2"), top = 1, overwrite = TRUE)
    expect_identical(readLines(file), c("cell_id,Gene1,Gene2,score,sign",
        "c40,A,C,4,-1", "c2,A,C,2,1"
    ))
})

test_that("GraphML comes back with scores, signs and states", {
    file <- tempfile(fileext = ".graphml")
    on.exit(unlink(file))
    pooled <- poolGRN(exampleGRN())
    writeGRN(pooled, file, top = 8)
    graph <- igraph::read_graph(file, "graphml")
    edges <- edgeTable(pooled, top = 8)
    expect_identical(unname(igraph::as_edgelist(graph)),
        unname(as.matrix(edges[c("Gene1", "Gene2")]))
    )
    expect_equal(igraph::E(graph)$weight, edges$score)
    expect_identical(igraph::V(graph)$tf,
        igraph::V(graph)$name %in% tfNames(pooled)
    )
    writeGRN(exampleGRN(), file, top = 8, overwrite = TRUE)
    expect_equal(igraph::E(igraph::read_graph(file, "graphml"))$weight,
        edges$score
    )
    writeGRN(twoStates(), file, top = 1, overwrite = TRUE)
    graph <- igraph::read_graph(file, "graphml")
    expect_identical(igraph::E(graph)$state, c("one", "two"))
    expect_equal(igraph::E(graph)$sign, c(1, -1))
    other <- tempfile()
    expect_error(writeGRN(pooled, other, top = 1, format = "xml"), "graphml")
    writeGRN(pooled, other, top = 1, format = "graphml")
    expect_match(readLines(other, 1), "xml")
    unlink(other)
})

test_that("the same bytes whatever the user's options", {
    grn <- poolGRN(exampleGRN())
    file <- tempfile(fileext = ".csv")
    graph <- tempfile(fileext = ".graphml")
    page <- tempfile(fileext = ".html")
    on.exit(unlink(c(file, graph, page)))
    write <- function() {
        writeGRN(grn, file, top = 20, overwrite = TRUE)
        writeGRN(grn, graph, top = 20, overwrite = TRUE)
        networkWidget(grn, page, top = 20, engine = "builtin",
            overwrite = TRUE
        )
        lapply(c(file, graph, page), readLines)
    }
    want <- write()
    old <- options(OutDec = ",", scipen = -50, digits = 3)
    on.exit(options(old), add = TRUE)
    expect_identical(write(), want)
    options(scipen = 100)
    expect_identical(write(), want)
})
