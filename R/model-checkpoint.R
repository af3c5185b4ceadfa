## Files of weights, in whatever format they were published.

#' Look into a file of weights, and turn it into safetensors
#'
#' `inspectCheckpoint()` lists the tensors of a file without reading their
#' values. `convertCheckpoint()` writes them all into a safetensors file.
#' Neither needs Python, and nothing that a file holds is ever run.
#'
#' @details
#' The format is told from the file's content, not its name:
#' * PyTorch's zip format (`.pt`, `.pth`, `.bin`, `.ckpt`; since version 1.6,
#'   zip64 too) and the older one. A PyTorch file is a *pickle*, a small
#'   program. It is read by a machine that builds numbers, texts, lists,
#'   dictionaries and tensors, and calls nothing. Objects of other classes are
#'   passed over; a file that holds nothing else, and one that asks for a
#'   function such as `os.system`, is refused with that name.
#' * MindSpore's `.ckpt`.
#' * safetensors.
#' * An index of shards (`pytorch_model.bin.index.json`,
#'   `model.safetensors.index.json`), whose files are in the same folder.
#'
#' Nested dictionaries become names joined by dots. What only training needs
#' (optimizer, scheduler, counters) is left out. When a model is loaded,
#' `state_dict.`, `module.` and `model.` in front of all names count for
#' nothing; here names are as in the file.
#'
#' @param file,from a file of weights, or an index of shards.
#' @param to the safetensors file to write.
#' @param overwrite `TRUE`: an existing file is replaced.
#' @param verbose say what was written.
#' @return `inspectCheckpoint()`: a data.frame with one row per tensor, in file
#'   order: `name`, `shape` (rows first, `"512 x 60697"`; `""` for a single
#'   number), `dtype` (`"F32"`, `"F16"`, `"BF16"`, `"I64"`, ...) and `bytes`.
#'   Its attributes are `format` and `skipped`, the number of tensors that only
#'   training needs. `convertCheckpoint()`: `to`, invisibly. Types, shapes and
#'   values are as in `from`; tensors that share memory there are written
#'   apart.
#' @section Errors: a file that isn't there, is of no known format, cut short,
#'   compressed, encrypted, one volume of several, a git-lfs pointer, or holds
#'   no tensors but an object of a program: each says so.
#' @seealso [loadModel()], which reads all of these formats as they are.
#' @examples
#' file <- system.file("extdata", "checkpoint.pt", package = "causeway")
#' inspectCheckpoint(file)
#' to <- tempfile(fileext = ".safetensors")
#' convertCheckpoint(file, to)
#' inspectCheckpoint(to)
#' @export
inspectCheckpoint <- function(file) {
    found <- .checkpointTensors(file, "file")
    shape <- vapply(found$shape, paste, character(1), collapse = " x ")
    structure(
        data.frame(name = found$name, shape = shape, dtype = found$dtype,
            bytes = found$bytes
        ),
        format = found$format, skipped = found$skipped
    )
}

#' @rdname inspectCheckpoint
#' @export
convertCheckpoint <- function(from, to, overwrite = FALSE,
    verbose = interactive()) {
    .checkpointFile(from, "from")
    place <- .filePlace(to, overwrite, "to")
    .checkFlag(verbose, "verbose")
    .atPlace(.Call(cw_r_checkpoint_convert, from, place$path), "from")
    .say(verbose, "Wrote ", to, " (", file.size(to), " bytes).")
    invisible(to)
}

.checkpointFile <- function(file, arg) {
    .checkText(file, arg)
    if (!file.exists(file) || dir.exists(file)) {
        .stopArgument(arg, "is \"", file, "\", which is ",
            if (dir.exists(file)) "a folder; name a file in it." else
                "not there."
        )
    }
    invisible(file)
}

## list(name, shape, dtype, bytes, format, skipped); shapes as numbers.
.checkpointTensors <- function(file, arg = "file") {
    .checkpointFile(file, arg)
    .atPlace(.Call(cw_r_checkpoint_inspect, file), arg)
}

## A pickled Python dictionary of numbers or texts, as a named vector. Nothing
## of it is run.
.readPickle <- function(file) {
    size <- file.size(file)
    if (is.na(size) || size > 512 * 1024^2) {
        stop("'", file, "' can't be read or is larger than 512 MB.",
            call. = FALSE
        )
    }
    found <- tryCatch(
        .Call(cw_r_pickle_table, readBin(file, "raw", size)),
        causewayError = function(e) {
            stop("'", file, "' can't be read: ", conditionMessage(e), ".",
                call. = FALSE
            )
        }
    )
    stats::setNames(found$value, found$key)
}
