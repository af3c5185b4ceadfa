## The report in twenty lines of the help page.
methods::setClass("CoverageReport", contains = "CausewayReport",
    where = environment())

coverageOf <- function(x, reference, where = parent.frame()) {
    found <- reference %in% rownames(x)
    causeway:::.report("CoverageReport",
        verdict = causeway:::.verdict(sprintf("%.0f%% of the genes are there",
            100 * mean(found)), holds = mean(found) > 0.5),
        tables = list(genes = data.frame(gene = reference, found = found),
            lost = data.frame(gene = reference[!found]), none = NULL),
        facts = list(genes = length(reference), share = mean(found),
            by = list(kind = "symbol")), seed = "1:2"
    )
}

toy <- function() {
    x <- matrix(0, 2, 1, dimnames = list(c("A", "B"), NULL))
    coverageOf(x, c("A", "B", "<C>"))
}

test_that("a report needs twenty lines and has all verbs", {
    r <- toy()
    expect_identical(verdict(r)$text, "67% of the genes are there")
    expect_true(verdict(r)$holds)
    expect_identical(names(r@tables), c("genes", "lost"))
    expect_identical(as.data.frame(r)$found, c(TRUE, TRUE, FALSE))
    expect_identical(as.data.frame(r, which = "lost")$gene, "<C>")
    expect_identical(as.data.frame(r, "lost"), as.data.frame(r, which = "lost"))
    out <- utils::capture.output(show(r))
    expect_identical(out[[1]], "67% of the genes are there")
    expect_match(out, "<C> *FALSE", all = FALSE)
    expect_match(out, "\"lost\" (1 row)", fixed = TRUE, all = FALSE)
    s <- summary(r)
    expect_identical(s$value[s$name == "genes" & s$part == "facts"], "3")
    expect_identical(s$value[s$name == "by.kind"], "symbol")
    expect_identical(s$value[s$name == "seed"], "1:2")
    expect_identical(s$value[s$name == "version"],
        as.character(utils::packageVersion("causeway")))
})

test_that("a report refuses what it doesn't have", {
    r <- toy()
    expect_error(as.data.frame(r, which = "edges"), "'which'.*genes.*lost")
    expect_error(as.data.frame(r, wich = "lost"), "wich")
    expect_error(plot(r), "no drawing")
    expect_error(verdict(r, 1), "aren't known")
    expect_error(summary(r, top = 1), "top")
    expect_error(new("CoverageReport", verdict = list()), "'text'")
    expect_error(new("CoverageReport", verdict = list(text = "a"),
        tables = list(1)), "data.frames with names")
})

test_that("a report is written as table, page and folder", {
    r <- toy()
    file <- tempfile(fileext = ".csv")
    expect_identical(write(r, file), file)
    expect_identical(utils::read.csv(file)$gene, c("A", "B", "<C>"))
    expect_error(write(r, file), "exists")
    write(r, file, which = "lost", overwrite = TRUE)
    expect_identical(utils::read.csv(file)$gene, "<C>")
    expect_error(write(r), "'file' or 'dir'")
    expect_error(write(r, file, dir = tempdir()), "'file' or 'dir'")
    expect_error(write(r, "report.xls"), "html or .csv")
    page <- tempfile(fileext = ".html")
    write(r, page)
    text <- paste(readLines(page), collapse = "\n")
    expect_match(text, "67% of the genes are there", fixed = TRUE)
    expect_match(text, "&lt;C&gt;", fixed = TRUE)
    expect_no_match(text, "<C>", fixed = TRUE)
    dir <- tempfile()
    write(r, dir = dir)
    expect_setequal(list.files(dir),
        c("verdict.txt", "facts.csv", "genes.csv", "lost.csv"))
    expect_identical(readLines(file.path(dir, "verdict.txt")),
        verdict(r)$text)
    expect_error(write(r, dir = dir), "already")
    write(r, dir = dir, which = "lost", overwrite = TRUE)
    unlink(c(file, page, dir), recursive = TRUE)
})

test_that("write() of other things is base's", {
    file <- tempfile()
    write(c("a", "b"), file)
    write(1:4, file, ncolumns = 4, append = TRUE)
    expect_identical(readLines(file), c("a", "b", "1 2 3 4"))
    unlink(file)
})

test_that("a folder's numbers don't hang on the user's options", {
    change <- nullGRN(poolGRN(exampleGRN()), nPerm = 19, type = "marginal",
        seed = 1)
    written <- function() {
        dir <- tempfile()
        write(change, dir = dir)
        lapply(list.files(dir, full.names = TRUE), readLines)
    }
    plain <- written()
    old <- options(OutDec = ",", scipen = -20, digits = 3)
    on.exit(options(old))
    expect_identical(written(), plain)
})
