folder <- tempfile("served")
dir.create(folder)
big <- file.path(folder, "big.bin")
writeBin(as.raw(seq_len(300000) %% 251), big)
server <- startServer(folder)
old <- options(causeway.retryWait = 0)
fetch <- function(how, to = tempfile(), ...) {
    causeway:::.fetchUrl(paste0(server$url, "/", how, "/big.bin"), to, ...)
    to
}
same <- function(file) {
    identical(unname(tools::md5sum(file)), unname(tools::md5sum(big)))
}

test_that("files come whole, whatever the server does", {
    for (how in c("ok", "cut", "429", "500")) {
        expect_true(same(fetch(how, size = 300000,
            sha256 = causeway:::.sha256(big)
        )))
    }
    expect_match(grep("/cut/", server$log(), value = TRUE)[[2L]],
        "bytes=[1-9][0-9]+-"
    )
})

test_that("a download that was stopped asks for the rest", {
    to <- tempfile()
    part <- paste0(to, ".part")
    writeBin(readBin(big, "raw", 12345), part)
    expect_true(same(fetch("ok", to)))
    expect_match(utils::tail(server$log(), 1), "bytes=12345-")
    expect_false(file.exists(part))
    file.copy(big, part)
    expect_true(same(fetch("ok", to))) # 416: it was whole
    writeBin(as.raw(1:9), part)
    writeLines("\"another\"", paste0(part, ".etag"))
    expect_true(same(fetch("ok", to))) # it has changed there
})

test_that("wrong content is fetched anew, then refused", {
    to <- tempfile()
    writeBin(as.raw(rep(7, 500)), paste0(to, ".part"))
    expect_true(same(fetch("ok", to, sha256 = causeway:::.sha256(big))))
    expect_error(fetch("ok", to, sha256 = strrep("0", 64)),
        "is not what it should be: SHA-256"
    )
    expect_error(fetch("ok", to, size = 5), "expected 5")
    expect_false(file.exists(paste0(to, ".part")))
})

test_that("servers that keep refusing are given up", {
    expect_error(fetch("gone"), "the server answers 404")
    expect_identical(sum(grepl("/gone/", server$log())), 1L)
    expect_error(fetch("always500", tries = 3), "tried 3 times.*answers 500")
    expect_identical(sum(grepl("/always500/", server$log())), 3L)
    expect_error(causeway:::.fetchUrl("http://127.0.0.1:1/x", tempfile(),
        tries = 1L
    ), "could not be downloaded")
})

test_that("repairDownloads() finds and mends", {
    cache <- tempfile("cache")
    expect_identical(nrow(repairDownloads(cache)), 0L)
    to <- fetch("ok")
    causeway:::.noteDownload(cache, to, paste0(server$url, "/ok/big.bin"))
    causeway:::.noteDownload(cache, to, paste0(server$url, "/ok/big.bin"))
    expect_identical(repairDownloads(cache)$state, "sound")
    writeBin(as.raw(1), to)
    expect_identical(repairDownloads(cache, download = FALSE)$state, "broken")
    expect_identical(repairDownloads(cache)$state, "repaired")
    expect_true(same(to))
})

server$stop()
options(old)
