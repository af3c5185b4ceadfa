folder <- tempfile("hub")
dir.create(folder)
server <- startServer(folder)
old <- options(causeway.retryWait = 0)
model <- newModel(tinyParam(), tinyCells(), seed = 1, threads = 1)
files <- file.path(folder, "own/tiny/resolve/main")
dir.create(dirname(files), recursive = TRUE)
saveModel(model, files)

## What the hub says of the files.
describe <- function(break_ = FALSE) {
    paths <- list.files(files, recursive = TRUE)
    all <- lapply(paths, function(p) {
        file <- file.path(files, p)
        bytes <- readBin(file, "raw", file.size(file))
        blob <- cli::hash_raw_sha1(c(charToRaw(paste("blob", length(bytes))),
            as.raw(0), bytes
        ))
        c(list(type = "file", path = p, size = length(bytes), oid = blob),
            if (grepl("safetensors", p)) list(lfs = list(
                oid = if (break_) strrep("0", 64) else causeway:::.sha256(file)
            )))
    })
    to <- file.path(folder, "api/models/own/tiny/tree/main")
    dir.create(dirname(to), recursive = TRUE, showWarnings = FALSE)
    writeLines(jsonlite::toJSON(all, auto_unbox = TRUE), to)
}

test_that("a package comes whole over bad connections", {
    describe()
    cache <- tempfile("cache")
    for (how in c("cut", "429")) {
        unlink(cache, recursive = TRUE)
        got <- downloadAssets("own/tiny", cache = cache,
            server = paste0(server$url, "/", how), verbose = FALSE
        )
        expect_identical(weightsOf(loadModel(got, verbose = FALSE)),
            weightsOf(model)
        )
    }
    n <- length(server$log())
    downloadAssets("own/tiny", cache = cache, server = paste0(server$url, "/ok"))
    expect_identical(length(server$log()), n + 1L) # the list alone
    expect_true(all(repairDownloads(cache)$state == "sound"))
})

test_that("wrong checksums and names are refused", {
    describe(TRUE)
    expect_error(downloadAssets("own/tiny", "safetensors", cache = tempfile(),
        server = paste0(server$url, "/ok"), verbose = FALSE
    ), "not what it should be")
    writeLines("[{\"type\":\"file\",\"path\":\"../x\",\"size\":1,\"oid\":\"a\"}]",
        file.path(folder, "api/models/own/tiny/tree/main")
    )
    expect_error(downloadAssets("own/tiny", cache = tempfile(),
        server = paste0(server$url, "/ok")
    ), "outside its folder")
    expect_error(downloadAssets("tiny", cache = tempfile()), "owner/name")
    expect_error(downloadAssets("own/none", cache = tempfile(),
        server = paste0(server$url, "/ok")
    ), "answers 404")
})

server$stop()
options(old)
