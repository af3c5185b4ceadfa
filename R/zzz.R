.onLoad <- function(libname, pkgname) {
    ## Options the user has set already are left alone. Nothing else happens
    ## here: the engine wakes at its first call.
    wanted <- list(causeway.tuneBLAS = TRUE)
    missing <- !(names(wanted) %in% names(options()))
    if (any(missing)) {
        options(wanted[missing])
    }
    invisible()
}

.onUnload <- function(libpath) {
    library.dynam.unload("causeway", libpath)
}
