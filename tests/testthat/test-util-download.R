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
    for (how in c("ok", "cut", "429", "date429", "neg429", "500", "open")) {
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

test_that("parts that weren't asked for aren't put together", {
    to <- tempfile()
    expect_error(fetch("otherpart", to, tries = 3), "another part than it was")
    expect_false(file.exists(to))
    writeBin(readBin(big, "raw", 5000), paste0(to, ".part"))
    expect_true(same(fetch("ok", to)))
})

test_that("a server that stands still is given up", {
    stall <- options(causeway.stallTime = 1)
    on.exit(options(stall))
    expect_error(fetch("still", tries = 1), "[Tt]oo slow|timed out|tried 1")
})

test_that("what can't be written is said, and what came is kept", {
    expect_error(fetch("ok", file.path(tempfile(), "x")),
        "can't be written; is there room")
    skip_if_not(file.exists("/dev/full"))
    to <- tempfile()
    file.symlink("/dev/full", paste0(to, ".part"))
    expect_error(expect_warning(fetch("ok", to), NA),
        "can't be written; is there room")
    expect_false(file.exists(to))
    unlink(paste0(to, ".part"))
})

test_that("a page instead of what was asked for is told", {
    writeLines("<!DOCTYPE html><html>Log in</html>", file.path(folder, "page"))
    url <- paste0(server$url, "/ok/page")
    expect_error(causeway:::.fetchUrl(url, tempfile(), size = 5),
        "a page of HTML: of a proxy, or a login. Nothing"
    )
    expect_error(causeway:::.fetchJson(url, 1, FALSE),
        "ok/page' gives no JSON, but a page of HTML.*server"
    )
})

test_that("times to wait are seconds, dates, or nothing", {
    wait <- causeway:::.retryAfter
    expect_identical(wait("7"), 7)
    expect_identical(wait("-7"), 0)
    expect_identical(wait("Sun, 06 Nov 1994 08:49:37 GMT"), 0)
    soon <- format(Sys.time() + 60, "%a, %d %b %Y %H:%M:%S GMT", tz = "GMT")
    expect_lt(abs(wait(soon) - 60), 5)
    expect_true(is.na(wait(NULL)))
    expect_true(is.na(wait("soon")))
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
    ## one that can't be had doesn't keep others from being mended
    gone <- fetch("ok")
    causeway:::.noteDownload(cache, gone, paste0(server$url, "/gone/big.bin"))
    writeBin(as.raw(1), gone)
    writeBin(as.raw(1), to)
    expect_warning(got <- repairDownloads(cache), "1 file couldn't.*answers 404")
    expect_setequal(got$state, c("repaired", "broken"))
    expect_true(same(to))
    expect_identical(file.size(gone), 1)
})

server$stop()
options(old)
