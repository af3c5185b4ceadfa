## A web server for tests, a process of its own that serves a folder and can
## misbehave. The path begins with what goes wrong, once for each file:
## /ok/, /cut/ (the connection ends after a third), /429/, /date429/ (until a
## date), /neg429/, /500/, /open/ (a third, and no length that tells), /gone/
## (404, always), /always500/, /otherpart/ (a third, then always the beginning),
## /still/ (a few bytes, then nothing). A list: url, log() (requests so far), stop().
startServer <- function(folder) {
    code <- tempfile(fileext = ".R")
    log <- tempfile("requests")
    file.create(log)
    dump("serveFolder", code, envir = environment(startServer))
    cat("\nserveFolder(commandArgs(TRUE))\n", file = code, append = TRUE)
    port <- NULL
    for (try in 1:20) {
        port <- 20000L + (Sys.getpid() * 7L + try * 131L) %% 30000L
        ready <- paste0(log, ".", port)
        system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", code, port,
            folder, log, ready
        ), wait = FALSE, stdout = FALSE, stderr = FALSE)
        for (wait in 1:200) {
            if (file.exists(ready)) break
            Sys.sleep(0.05)
        }
        if (identical(tryCatch(readLines(ready)[[1L]], error = function(e) "",
            warning = function(w) ""), "ready")) break
    }
    url <- paste0("http://127.0.0.1:", port)
    list(url = url, log = function() readLines(log), stop = function() {
        try(curl::curl_fetch_memory(paste0(url, "/quit/")), silent = TRUE)
    })
}

serveFolder <- function(args) {
    socket <- tryCatch(serverSocket(as.integer(args[[1L]])),
        error = function(e) NULL
    )
    writeLines(if (is.null(socket)) "taken" else "ready", args[[4L]])
    if (is.null(socket)) quit("no")
    seen <- character()
    repeat {
        con <- tryCatch(socketAccept(socket, blocking = TRUE, open = "r+b",
            timeout = 60
        ), error = function(e) quit("no"))
        lines <- character()
        repeat {
            line <- readLines(con, 1L)
            if (!length(line) || !nzchar(line)) break
            lines <- c(lines, line)
        }
        path <- if (length(lines)) strsplit(lines[[1L]], " ")[[1L]][[2L]] else "/"
        range <- grep("^range:", lines, ignore.case = TRUE, value = TRUE)
        cat(path, range, "\n", file = args[[3L]], append = TRUE)
        if (startsWith(path, "/quit/")) quit("no")
        how <- sub("^/([^/]*)/.*", "\\1", path)
        file <- file.path(args[[2L]], sub("[?].*", "", sub("^/[^/]*/", "", path)))
        first <- !(path %in% seen)
        seen <- c(seen, path)
        answer <- function(code, headers = NULL, body = raw(), most = Inf) {
            writeBin(charToRaw(paste0("HTTP/1.1 ", code, " x\r\n",
                paste0(headers, rep("\r\n", length(headers)), collapse = ""),
                "Connection: close\r\nContent-Length: ", length(body),
                "\r\n\r\n"
            )), con)
            writeBin(utils::head(body, most), con)
        }
        if (how == "gone" || !file.exists(file)) {
            answer(404, body = charToRaw("nothing here"))
        } else if (how == "always500" || first && how == "500") {
            answer(500, body = charToRaw("trouble"))
        } else if (first && how %in% c("429", "date429", "neg429")) {
            answer(429, paste("Retry-After:", switch(how, `429` = 0,
                neg429 = -5, date429 = "Sun, 06 Nov 1994 08:49:37 GMT"
            )), charToRaw("too many"))
        } else if (how == "open" && first) {
            writeBin(charToRaw("HTTP/1.0 200 x\r\n\r\n"), con)
            body <- readBin(file, "raw", file.size(file))
            writeBin(utils::head(body, length(body) %/% 3), con)
        } else if (how == "still") {
            writeBin(charToRaw("HTTP/1.1 200 x\r\nContent-Length: 99\r\n\r\nabc"),
                con)
            Sys.sleep(3)
        } else if (how == "otherpart") {
            body <- readBin(file, "raw", file.size(file))
            if (length(range)) {
                answer(206, sprintf("Content-Range: bytes 0-%d/%d",
                    length(body) - 1, length(body)), body)
            } else {
                answer(200, body = body, most = length(body) %/% 3)
            }
        } else {
            body <- readBin(file, "raw", file.size(file))
            from <- if (length(range)) {
                as.numeric(sub(".*bytes=([0-9]+)-.*", "\\1", range))
            } else 0
            tag <- paste0("ETag: \"", tools::md5sum(file), "\"")
            asked <- grep("^if-range:", lines, ignore.case = TRUE, value = TRUE)
            if (length(asked) && !grepl(sub("ETag: ", "", tag), asked,
                fixed = TRUE)) {
                from <- 0
            }
            if (from > 0 && from >= length(body)) {
                answer(416)
            } else {
                rest <- body[seq(from + 1, length.out = length(body) - from)]
                answer(if (from > 0) 206 else 200, c(tag, if (from > 0)
                    sprintf("Content-Range: bytes %d-%d/%d", from,
                        length(body) - 1, length(body))), rest,
                if (first && how == "cut") length(rest) %/% 3 else Inf)
            }
        }
        close(con)
    }
}
