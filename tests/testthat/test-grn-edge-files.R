## Files of edges: every form, strange files, quotes.

test_that("files are read in every form", {
    folder <- tempfile()
    dir.create(folder)
    want <- data.frame(Gene1 = c("MYOD1", "MYOG"), Gene2 = c("ACTA1", "CKM"))
    text <- function(sep, head = c("TF", "target"), end = "\n") {
        paste0(head[[1]], sep, head[[2]], sep, "score", end,
            "MYOD1", sep, " ACTA1 ", sep, "1", end,
            "\"MYOG\"", sep, "CKM", sep, "2", end
        )
    }
    try1 <- function(content, name = "a.csv", open = file) {
        path <- file.path(folder, name)
        con <- open(path, "wb")
        writeBin(if (is.raw(content)) content else charToRaw(content), con)
        close(con)
        readReference(path)
    }
    expect_equal(try1(text(",")), want)
    expect_equal(try1(text("\t"), "a.tsv"), want)
    expect_equal(try1(text(";")), want)
    expect_equal(try1(text(",", end = "\r\n")), want)
    expect_equal(try1(text(","), "a.csv.gz", gzfile), want)
    expect_equal(try1(text("\t"), "a.bz2", bzfile), want)
    expect_equal(try1(sub("\n$", "", text(","))), want)
    bom <- c(as.raw(c(0xef, 0xbb, 0xbf)), charToRaw(text(",")))
    expect_equal(try1(bom), want)
    omni <- paste0("source,target,source_genesymbol,target_genesymbol\n",
        "P1,P2,MYOD1,ACTA1\nP3,P4,MYOG,CKM\n"
    )
    expect_equal(try1(omni), want)
    hash <- "TF,target\n#A,B'C\nNA,x\n"
    expect_equal(try1(hash), data.frame(Gene1 = c("#A", NA),
        Gene2 = c("B'C", "x")
    ))
    path <- file.path(folder, "a.csv")
    try1(text(","))
    grn <- exampleGRN()
    expect_equal(evaluateGRN(grn, path, nBoot = 0, seed = 1),
        evaluateGRN(grn, want, nBoot = 0, seed = 1)
    )
    filtered <- as.matrix(poolGRN(grn))
    filtered[] <- 0
    filtered["MYOG", "CKM"] <- 0.3
    filtered["MYOD1", "ACTA1"] <- 0.2
    expect_equal(
        as.data.frame(evaluateGRN(grn, PooledGRN(filtered, filtered = TRUE),
            nBoot = 0, seed = 1
        )), as.data.frame(evaluateGRN(grn, want, nBoot = 0, seed = 1))
    )
    expect_error(evaluateGRN(grn, poolGRN(grn)), "with all edges")
})

test_that("strange files are refused, with the reason", {
    folder <- tempfile()
    dir.create(folder)
    path <- file.path(folder, "x.csv")
    refuse <- function(content, message, ...) {
        writeBin(if (is.raw(content)) content else charToRaw(content), path)
        expect_error(readReference(path, ...), message)
    }
    expect_error(readReference(file.path(folder, "none.csv")), "no file")
    expect_error(readReference(folder), "a folder")
    refuse(raw(0), "is empty")
    refuse("\n", "is empty")
    refuse(c(charToRaw("TF,target\n"), as.raw(0:3)), "bytes that no text has")
    refuse(c(charToRaw("TF,target\nM"), as.raw(0xfc), charToRaw("ller,B\n")),
        "isn't UTF-8"
    )
    refuse(c(charToRaw("TF,target\nA,B\nM"), as.raw(0xfc)), "isn't UTF-8")
    refuse("TF,target\nA,B,C,D\n", "can't be read as a table")
    refuse("TF,target\nA\n", "can't be read as a table")
    refuse("TF,target\n\"A,B\nC,D\n", "can't be read as a table")
    refuse("from_gene,to_gene\nA,B\n", "needs the columns")
    refuse(strrep("a,", 2000), "has 2001 columns")
    refuse(paste0("TF,target\n", strrep("a", 1.2e6), ",B\n"), "has a line of")
    refuse("TF,target\nA,B\n", "more than 5 B", maxBytes = 5)
    ## a small file that unpacks to a large one
    con <- gzfile(path, "wb")
    writeBin(charToRaw("TF,target\n"), con)
    for (i in 1:30) writeBin(charToRaw(strrep("A,B\n", 1e5)), con)
    close(con)
    expect_lt(file.size(path), 1e5)
    expect_error(readReference(path, maxBytes = 1e6), "once unpacked")
    expect_error(readReference(c("a", "b")), "one character string")
})

test_that("stray quotes lose no row, or the line is named", {
    file <- tempfile(fileext = ".tsv")
    on.exit(unlink(file))
    tf <- rep(c("MYOG", "SOX2"), each = 5)
    gene <- paste0("GENE", 1:10)
    for (note in c("5\" primer", "\"odd", "odd\"", "\"5\" wide", "'", "#")) {
        writeLines(c("TF\ttarget\tnote", paste(tf, gene,
            replace(rep("ok", 10), c(3, 7), note), sep = "\t")), file)
        expect_identical(readReference(file)$Gene2, gene, info = note)
        expect_identical(priorNetwork("human", file)$Gene2, gene, info = note)
    }
    read <- function(..., name = file) {
        writeLines(c("TF,target,note", ...), name)
        readReference(name)
    }
    expect_error(read("A,B,ok", "C,D,\"x, y", "E,F,ok", "G,H,z\""),
        "line 3 has 4 fields")
    expect_error(read("A,B,ok", "\"C,D,ok"), "line 3 has a quote")
    expect_error(read("A,B,\"two", "lines\"", "C,D,ok"), "line 3 has 1 field")
    ## properly quoted fields, doubled and escaped quotes, empty fields
    expect_identical(read("MYOG,\"A,B\",\"say \"\"x\"\"\"",
        "MYOG,\"C\",\"say \\\"x, y\\\"\"", ",\"\",")$Gene2,
        c("A,B", "C", NA))
    utils::write.table(data.frame(TF = "A", target = "B", note = "a \"b\" c"),
        file, sep = "\t", row.names = FALSE)
    expect_identical(readReference(file), data.frame(Gene1 = "A", Gene2 = "B"))
    ## more lines than are read at a time have their own numbers
    expect_error(read("", "A,B,ok", "# C,D,ok", "A,B"), "line 5 has 2 fields")
})

test_that("files without rows, or without a header, are read as they are", {
    file <- tempfile(fileext = ".tsv")
    on.exit(unlink(file))
    writeLines(c("# a comment", "TF\ttarget"), file)
    expect_identical(nrow(readReference(file)), 0L)
    writeLines(c("A\tX\tActivation\t1;2", "B\tY\tRepression\t3"), file)
    expect_identical(readReference(file),
        data.frame(Gene1 = c("A", "B"), Gene2 = c("X", "Y")))
})
