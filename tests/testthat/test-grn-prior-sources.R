## The cache, downloads and published collections.

test_that("nothing is downloaded unasked, and the message says what to do", {
    expect_error(priorNetwork(cache = tempfile()), paste0("not in the cache.*",
        "download = TRUE.*zenodo.*CC BY.*CollecTRI_regulons.csv or collectri"
    ))
})

test_that("a download is checked, noted, and checked again when read", {
    folder <- tempfile()
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    there <- file.path(folder, "there.csv")
    writeLines(c("tf,target", "A,B"), there)
    url <- paste0("file://", normalizePath(there))
    file <- file.path(folder, "cache", "kept.csv")
    said <- capture_messages(.fetchPrior(url, file, NULL, TRUE))
    expect_match(said, "Downloading|no fixed release")
    expect_identical(readLines(file), readLines(there))
    entry <- list(files = "kept.csv")
    expect_silent(.verifyPrior(file, entry))
    writeLines(c("tf,target", "A,C"), file)
    expect_error(.verifyPrior(file, entry), "not the file it was")
    ## a release of another digest is not kept
    fixed <- file.path(folder, "cache", "fixed.csv")
    expect_error(.fetchPrior(url, fixed, strrep("0", 64), FALSE),
        "not the release.*not kept"
    )
    expect_false(file.exists(fixed))
    right <- .sha256(there)
    .fetchPrior(url, fixed, right, FALSE)
    unlink(paste0(fixed, ".sha256"))
    expect_silent(.verifyPrior(fixed, list(files = "fixed.csv",
        sha256 = right
    )))
    ## what comes is an error page, or nothing, or from nowhere
    writeLines("<html>not found</html>", there)
    expect_error(.fetchPrior(url, fixed, NULL, FALSE), "no table of edges")
    file.create(there)
    expect_error(.fetchPrior(url, fixed, NULL, FALSE), "nothing came")
    expect_error(
        .fetchPrior("file:///no/such/file", fixed, NULL, FALSE),
        "could not be downloaded"
    )
    expect_identical(
        sort(list.files(file.path(folder, "cache"))),
        c("fixed.csv", "kept.csv", "kept.csv.sha256")
    )
})

test_that("the digest is SHA-256", {
    file <- tempfile()
    on.exit(unlink(file))
    cat("abc", file = file)
    expect_identical(.sha256(file), paste0("ba7816bf8f01cfea414140de5dae2223",
        "b00361a396177a9cb410ff61f20015ad"
    ))
})

test_that("the collections as their authors publish them", {
    folder <- sharedData("04_resources")
    at <- function(...) file.path(folder, ...)
    collectri <- priorNetwork(cache = at("collectri"))
    raw <- utils::read.csv(at("collectri", "collectri.csv"))
    plain <- raw[!(raw$source %in% c("AP1", "NFKB")), ]
    own <- collectri[is.na(collectri$complex), ]
    expect_identical(own$Gene1, plain$source)
    expect_equal(own$sign, plain$weight)
    expect_setequal(collectri$Gene1[!is.na(collectri$complex)],
        c("FOS", "FOSB", "FOSL1", "FOSL2", "JUN", "JUNB", "JUND", "NFKB1",
            "NFKB2", "REL", "RELA", "RELB"
        )
    )
    mouse <- priorNetwork("mouse", cache = at("collectri"))
    expect_true("Myod1" %in% mouse$Gene1)
    expect_gt(nrow(mouse), 0.8 * nrow(collectri))
    expect_identical(
        attr(mouse, "source")$noHomolog > 0L, TRUE
    )
    dorothea <- priorNetwork("mouse", "dorothea", confidence = "A",
        cache = at("dorothea")
    )
    expect_true(all(dorothea$confidence == "A"))
    trrust <- priorNetwork("human", "trrust", cache = at("trrust"))
    expect_identical(nrow(trrust), 8427L)
    expect_setequal(unique(trrust$sign), c(-1L, 0L, 1L))
})
