## Every verb gives the same wherever the networks are kept.

test_that("all verbs agree on memory, file and lazy networks", {
    x <- tinyCells()
    model <- tinyModel(x)
    file <- h5File()
    on.exit(unlink(file))
    memory <- inferGRN(x, model, verbose = FALSE)
    old <- options(causeway.blockBytes = 2000)
    on.exit(options(old), add = TRUE)
    disk <- inferGRN(x, model, file = file, batchSize = 4, verbose = FALSE)
    lazy <- inferGRN(x, model, backing = "lazy", verbose = FALSE)
    expect_gt(length(causeway:::.cellBlocks(disk, seq_along(disk@cells))), 3)
    pick <- c(9, 2, 3, 20)
    for (other in list(disk, lazy, loadGRN(file))) {
        expect_true(validObject(other))
        sameNetworks(other, memory)
        expect_equal(poolGRN(other), poolGRN(memory), tolerance = 1e-6)
        expect_equal(poolGRN(other, cells = pick)@scores,
            poolGRN(memory, cells = pick)@scores,
            tolerance = 1e-6
        )
        expect_equal(poolGRN(other, group = rep(1:3, 7))[[2]]@scores,
            poolGRN(memory, group = rep(1:3, 7))[[2]]@scores,
            tolerance = 1e-6
        )
        expect_equal(edgeTable(other, cells = pick, top = 7)$score,
            edgeTable(memory, cells = pick, top = 7)$score,
            tolerance = 1e-6
        )
        expect_equal(
            nrow(edgeTable(other, threshold = 0.2)),
            nrow(edgeTable(memory, threshold = 0.2))
        )
        for (method in c("targets", "strength")) {
            expect_equal(regulonActivity(other, method = method),
                regulonActivity(memory, method = method),
                tolerance = 1e-4
            )
        }
        expect_equal(as.list(summary(other))$overlap,
            as.list(summary(memory))$overlap,
            tolerance = 1e-4
        )
        expect_equal(as.list(summary(other))$betweenCells,
            as.list(summary(memory))$betweenCells,
            tolerance = 1e-4
        )
        part <- other[pick]
        expect_identical(class(part@factors), class(other@factors))
        sameNetworks(part, memory[pick])
        sameNetworks(part[c(3, 1)], memory[pick[c(3, 1)]])
        expect_equal(regulonActivity(part), regulonActivity(memory[pick]),
            tolerance = 1e-4
        )
        csv <- tempfile(fileext = ".csv")
        writeGRN(part, csv, top = 3, verbose = FALSE)
        expect_equal(nrow(read.csv(csv)), 12)
        unlink(csv)
        expect_equal(other$stage, memory$stage)
    }
    expect_output(show(disk), "kept: +in the file .*h5\n")
    expect_output(show(disk[1:2]), "(21 cells in all)", fixed = TRUE)
    expect_output(show(lazy), "makes them anew")
    expect_output(show(memory), "in memory, ")
    expect_identical(metadata(loadGRN(file))$modelHash,
        metadata(memory)$modelHash
    )
    expect_output(show(summary(loadGRN(file))), "seed 7|seed 0:7|seed")
})

test_that("arguments that don't fit are refused", {
    x <- tinyCells()
    model <- tinyModel(x)
    infer <- function(...) inferGRN(x, model, ..., verbose = FALSE)
    expect_error(infer(backing = "tape"), "\"memory\", \"hdf5\" or \"lazy\"")
    expect_error(infer(backing = "hdf5"), "'file' is missing")
    expect_error(infer(backing = "lazy", file = "a.h5"), "can't be used with")
    expect_error(infer(resume = TRUE), "'resume' has no meaning")
    expect_error(infer(overwrite = NA, file = "a.h5"), "'overwrite' must be")
    expect_error(infer(file = 1), "'file' must be")
    expect_error(infer(file = tempdir()), "is a folder")
    expect_error(infer(file = file.path(tempdir(), "no", "a.h5")),
        "doesn't exist"
    )
    file <- h5File()
    on.exit(unlink(file))
    writeLines("something", file)
    expect_error(infer(file = file), "exists")
    expect_error(infer(file = file, resume = TRUE), "isn't an HDF5 file")
    expect_identical(readLines(file), "something")
    expect_message(
        inferGRN(x, model, file = file, overwrite = TRUE, verbose = TRUE),
        "Networks of"
    )
    expect_length(loadGRN(file), 21)
    old <- options(causeway.blockBytes = "a")
    on.exit(options(old), add = TRUE)
    expect_error(poolGRN(loadGRN(file)), "causeway.blockBytes")
})
