## Reading files of known regulation.

priorEdges <- function(...) {
    priorNetwork("human", data.frame(...), verbose = FALSE)
}

test_that("columns are recognised and edges come once", {
    out <- priorEdges(
        tf = c("A", "A", "B", "", NA, "B", "B"),
        target = c("X", "X", "Y", "Z", "Z", "A ", "A"),
        mor = c(1, 1, -0.4, 1, 1, 1, -1)
    )
    expect_identical(names(out), c("Gene1", "Gene2", "sign", "weight",
        "confidence", "complex"
    ))
    expect_identical(out$Gene1, c("A", "B", "B"))
    expect_identical(out$Gene2, c("X", "Y", "A"))
    expect_identical(out$sign, c(1L, -1L, 0L))
    expect_identical(out$weight, c(2, 1, 2))
    facts <- attr(out, "source")
    expect_identical(facts[c("rows", "unnamed", "repeated")],
        list(rows = 7L, unnamed = 2L, repeated = 2L)
    )
    expect_identical(priorEdges(from = "A", to = "B")$sign, 0L)
    omni <- priorEdges(source = "P1", source_genesymbol = "A",
        target = "P2", target_genesymbol = "B", is_stimulation = "True",
        is_inhibition = "False"
    )
    expect_identical(unlist(omni[1:2], use.names = FALSE), c("A", "B"))
    expect_identical(omni$sign, 1L)
    words <- priorEdges(tf = c("A", "B", "C"), target = "X",
        mode = c("Activation", "Repression", "Unknown")
    )
    expect_identical(words$sign, c(1L, -1L, 0L))
    expect_identical(priorNetwork("human", words)[1:2], words[1:2])
})

test_that("files of every kind are read alike", {
    t <- data.frame(tf = c("A", "B"), target = c("X", "Y"), mor = c(1, -1))
    want <- priorNetwork("human", t)[1:4]
    folder <- tempfile()
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    at <- function(name) file.path(folder, name)
    utils::write.csv(t, at("a.csv"), row.names = FALSE)
    utils::write.csv2(t, at("b.csv"), row.names = FALSE)
    zip <- gzfile(at("c.tsv.gz"), "w")
    utils::write.table(t, zip, sep = "\t", row.names = FALSE, quote = FALSE)
    close(zip)
    saveRDS(t, at("d.rds"))
    save(t, file = at("e.rda"))
    writeLines(c("A\tX\tActivation\t1;2", "B\tY\tRepression\t3"), at("f.tsv"))
    for (file in list.files(folder)) {
        got <- priorNetwork("human", at(file))
        expect_identical(got$Gene2, want$Gene2, info = file)
        expect_identical(got$sign, want$sign, info = file)
        expect_match(attr(got, "source")$sha256, "^[0-9a-f]{64}$")
    }
    writeLines("", at("g.csv"))
    expect_error(priorNetwork("human", at("g.csv")), "is empty")
    writeLines(c("x,y", "1,2"), at("h.csv"))
    expect_error(priorNetwork("human", at("h.csv")),
        "'source' needs the columns Gene1 and Gene2.*it has x, y"
    )
    writeLines("nonsense", at("i.rda"))
    expect_error(priorNetwork("human", at("i.rda")), "can't be read")
    saveRDS(1:3, at("j.rds"))
    expect_error(priorNetwork("human", at("j.rds")), "one data.frame")
})

test_that("wrong tables and arguments are named", {
    expect_error(priorEdges(tf = character(), target = character()),
        "has no edges"
    )
    expect_error(priorEdges(tf = "A", target = "B", mode = "perhaps"),
        "'mode' of signs with perhaps"
    )
    expect_error(priorNetwork("human", "nothing"), "neither a file nor one of")
    expect_error(priorNetwork("human", 3), "'source' must be")
    expect_error(priorNetwork("fish"), "'species'")
    expect_error(priorNetwork(download = NA), "'download'")
})
