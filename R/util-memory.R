## Most memory that a call takes (Linux).

.procMemory <- function(what) {
    lines <- tryCatch(
        suppressWarnings(readLines("/proc/self/status", warn = FALSE)),
        error = function(e) character()
    )
    line <- grep(paste0("^", what, ":"), lines, value = TRUE)
    if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line[[1L]])) else
        NA_real_
}

## Sets the kernel's record of the most memory back; NA where it can't.
.peakStart <- function() {
    reset <- tryCatch({
        suppressWarnings(writeLines("5", "/proc/self/clear_refs"))
        TRUE
    }, error = function(e) FALSE)
    if (reset) .procMemory("VmRSS") else NA_real_
}

.peakEnd <- function(before) max(0, .procMemory("VmHWM") - before)
