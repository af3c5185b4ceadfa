## Memory: what may be used, what a call needs, what it took (Linux).

## Bytes a call may use: option causeway.memoryLimit, else what is free.
.memoryLimit <- function() {
    limit <- getOption("causeway.memoryLimit")
    if (!is.null(limit)) {
        return(.checkNumber(limit, "options(causeway.memoryLimit)", 0))
    }
    .freeMemory()
}

.freeMemory <- function() min(.systemMemory(), .containerMemory())

## What a container's control group (version 2, then 1) leaves; file cache
## that can be dropped counts as free.
.containerMemory <- function(root = "/sys/fs/cgroup") {
    number <- function(file, pattern = "", fallback = NA_real_) {
        lines <- tryCatch(
            suppressWarnings(readLines(file.path(root, file))),
            error = function(e) character()
        )
        line <- grep(paste0("^", pattern), lines, value = TRUE)
        if (!length(line)) {
            return(fallback)
        }
        suppressWarnings(as.numeric(sub(pattern, "", line[[1L]])))
    }
    limit <- number("memory.max")
    used <- number("memory.current")
    cache <- number("memory.stat", "inactive_file ", 0)
    if (is.na(used)) {
        limit <- number("memory/memory.limit_in_bytes")
        used <- number("memory/memory.usage_in_bytes")
        cache <- number("memory/memory.stat", "total_inactive_file ", 0)
    }
    left <- limit - used + cache
    if (is.na(left)) Inf else max(0, left)
}

.systemMemory <- function() {
    if (!file.exists("/proc/meminfo")) {
        return(Inf)
    }
    lines <- readLines("/proc/meminfo", warn = FALSE)
    line <- grep("^MemAvailable:", lines, value = TRUE)
    if (!length(line)) {
        return(Inf)
    }
    1024 * as.numeric(gsub("[^0-9]", "", line[[1L]]))
}

## `result`: bytes of what comes out; `spill`: how to keep that elsewhere.
.checkMemory <- function(model, nCells, nGenes, nTfs, train, arg,
    result = 0, spill = NULL) {
    need <- result + .engineForecast(model, cells = as.double(nCells),
        genes = as.double(nGenes), tfs = as.double(nTfs), train = train
    )
    limit <- .memoryLimit()
    if (need > limit && 2 * result > need && !is.null(spill)) {
        stop("not enough memory: the result takes about ", .bytes(result),
            ", and ", .bytes(limit), " may be used. ", spill, "; or take ",
            "fewer cells or genes, or raise options(causeway.memoryLimit = ",
            "bytes).",
            call. = FALSE
        )
    }
    if (need > limit) {
        stop("not enough memory: ", nCells, " cells x ", nGenes, " genes ",
            "in a batch need about ", .bytes(need), ", and ", .bytes(limit),
            " may be used. Make '", arg, "' smaller, take fewer cells or ",
            "genes, or raise options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}

.procMemory <- function(what) {
    lines <- tryCatch(
        suppressWarnings(readLines("/proc/self/status", warn = FALSE)),
        error = function(e) character()
    )
    line <- grep(paste0("^", what, ":"), lines, value = TRUE)
    if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line[[1L]])) else
        NA_real_
}

## Sets the kernel's record of the most memory back; NA where it can't. What
## is garbage by now is freed first, or it would hide what the call takes.
.peakStart <- function() {
    gc(verbose = FALSE)
    reset <- tryCatch({
        suppressWarnings(writeLines("5", "/proc/self/clear_refs"))
        TRUE
    }, error = function(e) FALSE)
    if (reset) .procMemory("VmRSS") else NA_real_
}

.peakEnd <- function(before) max(0, .procMemory("VmHWM") - before)
