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
    cache <- file.path(folder, "cache")
    expect_null(.keptPrior(cache, "kept.csv"))
    expect_false(dir.exists(cache))
    said <- capture_messages(file <- .fetchPrior(url, cache, "kept.csv", NULL,
        TRUE))
    expect_match(said, "Downloading|no fixed release")
    expect_identical(readLines(file), readLines(there))
    kept <- .keptPrior(cache, "kept.csv")
    expect_identical(kept, list(path = file, sha256 = .sha256(there)))
    ## as it is used: found without a download, compared with its digest
    entry <- list(files = "kept.csv", url = "file:///no/such", licence = "-")
    again <- function() .cachedPrior(entry, "kept", cache, FALSE, FALSE)
    expect_identical(again(), file)
    writeLines(c("tf,target", "A,C"), file)
    expect_error(again(), "not the file it was")
    unlink(file)
    expect_error(again(), "not in the cache")
    entry$url <- url
    expect_identical(readLines(.cachedPrior(entry, "kept", cache, TRUE, FALSE)),
        readLines(there))
    ## a release of another digest is not kept
    expect_error(.fetchPrior(url, cache, "fixed.csv", strrep("0", 64), FALSE),
        "not the release.*not kept"
    )
    expect_null(.keptPrior(cache, "fixed.csv"))
    right <- .sha256(there)
    .fetchPrior(url, cache, "fixed.csv", right, FALSE)
    expect_identical(.keptPrior(cache, "fixed.csv")$sha256, right)
    ## what comes is an error page, or nothing, or from nowhere
    fetch <- function(url) .fetchPrior(url, cache, "bad.csv", NULL, FALSE)
    writeLines("<html>not found</html>", there)
    expect_error(fetch(url), "no table of edges")
    file.create(there)
    expect_error(fetch(url), "nothing came")
    expect_error(fetch("file:///no/such/file"), "could not be downloaded")
    expect_null(.keptPrior(cache, "bad.csv"))
})

test_that("a misspelt collection is recognised, wherever it stands", {
    expect_error(priorNetwork("colectri"), "source = \"collectri\"")
    expect_error(priorNetwork("dorothea"), "source = \"dorothea\"")
    expect_error(priorNetwork("human", "colectri"), "mean \"collectri\"")
    expect_error(priorNetwork("human", "TRRUST2"), "mean \"trrust\"")
    expect_error(priorNetwork("fish"), "'species'")
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
