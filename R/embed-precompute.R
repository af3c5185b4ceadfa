## Embeddings for delays, computed once: in a file that survives a kill.

#' Compute embeddings once
#'
#' For `estimateTau(method = "effendi")` on large data: cells by scGPT, their
#' chromatin by HyenaDNA, genes by scGPT's table, written block by block into an
#' HDF5 file. A call that finds a file of the same cells and models goes on where
#' it was stopped, also after a kill.
#'
#' @param x cells with RNA and chromatin, as for [estimateTau()], or with one of
#'   the two.
#' @param file the HDF5 file.
#' @param rna an scGPT model, or `NULL`: no RNA.
#' @param atac a HyenaDNA model, or a matrix of peaks' vectors
#'   ([embedPeaks()]), or `NULL`: no chromatin.
#' @param genome see [embedPeaks()].
#' @param minCells,top,width see [embedATAC()].
#' @param maxLength,batchSize see [embedCells()].
#' @param blockSize cells between two points a stopped call goes on from.
#' @param part which experiment, assay or altExp holds the RNA and the chromatin:
#'   `list(rna = , atac = )`; `NULL`: guessed.
#' @param overwrite `TRUE`: a file of other cells or models is replaced.
#' @param verbose show messages and progress.
#' @return `precomputeEmbeddings()`: `file`, invisibly. `readEmbeddings()`: a list
#'   with `rna`, `atac` (cells x dimensions) and `genes` (genes x dimensions),
#'   those that the file has: `estimateTau(x, method = "effendi", embedding =
#'   e[c("rna", "atac")], geneEmbedding = e$genes)`.
#' @section Errors: those of [embedCells()] and [embedATAC()]; a file of other
#'   cells, peaks or models (unless `overwrite`); a file that isn't finished, when
#'   it is read.
#' @seealso [embedCells()], [embedATAC()], [estimateTau()]
#' @examples
#' if (requireNamespace("rhdf5", quietly = TRUE)) {
#'     cells <- exampleCells()
#'     model <- newModel(ScGPTParam(embedDim = 16, layers = 1, heads = 2), cells,
#'         seed = 1
#'     )
#'     file <- tempfile(fileext = ".h5")
#'     precomputeEmbeddings(cells, file, rna = model, verbose = FALSE)
#'     dim(readEmbeddings(file)$rna)
#' }
#' @export
precomputeEmbeddings <- function(x, file, rna = NULL, atac = NULL,
    genome = NULL, minCells = 0, top = Inf, width = NULL, maxLength = 1200,
    batchSize = 8, blockSize = 512, part = NULL, overwrite = FALSE,
    verbose = TRUE) {
    .checkText(file, "file")
    .checkFlag(overwrite, "overwrite")
    .needPackage("rhdf5", "embeddings are kept in an HDF5 file",
        "BiocManager::install(\"rhdf5\")"
    )
    blockSize <- .checkNumber(blockSize, "blockSize", 1, 1e7, TRUE)
    if (is.null(rna) && is.null(atac)) {
        .stopArgument("rna", "and 'atac' are NULL: there is nothing to do.")
    }
    jobs <- list(
        rna = if (!is.null(rna)) .rnaJob(x, rna, part$rna, maxLength,
            batchSize, verbose),
        atac = if (!is.null(atac)) .atacJob(x, atac, genome, minCells, top,
            width, part$atac, verbose)
    )
    jobs <- Filter(Negate(is.null), jobs)
    id <- .hash(lapply(jobs, `[[`, "id"))
    .openEmbeddings(file, jobs, id, overwrite, verbose)
    for (name in names(jobs)) {
        .fillEmbeddings(file, name, jobs[[name]], blockSize, verbose)
    }
    invisible(file)
}

## A job: cells, dim, genes (or NULL), id, run(columns): cells x dim.
.rnaJob <- function(x, model, assay, maxLength, batchSize, verbose) {
    .isScGPT(model)
    reading <- .scgptReading(maxLength, NULL)
    cells <- .encoderCells(x, model, .inputArgs(assay = assay), verbose)
    genes <- embedGenes(.encoderGenes(cells)[cells$rows], model)
    rownames(genes) <- cells$names[cells$rows]
    list(cells = cells$cells, dim = model@config$embsize, genes = genes,
        id = list(cells$cells, .modelPrint(model), maxLength),
        run = function(columns) {
            one <- cells
            one$matrix <- .columnChunk(cells$matrix, columns)
            one$cells <- cells$cells[columns]
            .embedBlocks(model, one, reading, batchSize, FALSE)
        }
    )
}

.atacJob <- function(x, model, genome, minCells, top, width, atac, verbose) {
    part <- .readPart(.chromatinPart(.modalities(x), atac))
    .checkMatrix(part$matrix)
    keep <- .filterPeaks(part$matrix, .checkNumber(minCells, "minCells", 0, 1),
        top
    )
    peaks <- if (is.matrix(model)) {
        .givenPeaks(model, part$names[keep])
    } else {
        if (is.null(genome)) {
            .stopArgument("genome", "is missing: sequences of peaks come ",
                "from it."
            )
        }
        table <- .peakTable(if (is.null(part$ranges)) part$names else
            part$ranges)
        embedSequences(.peakSequences(table[keep, ], genome, width), model,
            verbose = verbose
        )
    }
    list(cells = part$cells, dim = ncol(peaks), genes = NULL,
        id = list(part$cells, .hash(unname(peaks)), part$names[keep]),
        run = function(columns) {
            .openMeans(.columnChunk(part$matrix, columns), keep, peaks)
        }
    )
}

## What tells one model's weights from another's, without reading all of them.
.modelPrint <- function(model) {
    all <- modelTensors(model)
    last <- grep("norm|bias", all$name, value = TRUE)
    .hash(list(all, lapply(last, .engineGet, model = model)))
}

## ---- the file --------------------------------------------------------------
## /id; /done (cells complete of each matrix); /rna, /atac (dim, cells) as R
## reads them; /rnaCells, /atacCells; /genes (dim, genes), /geneNames

.openEmbeddings <- function(file, jobs, id, overwrite, verbose) {
    if (file.exists(file)) {
        old <- tryCatch(as.character(rhdf5::h5read(file, "id")),
            error = function(e) ""
        )
        if (identical(old, id)) {
            .say(verbose, "Going on with ", file, ".")
            return(invisible())
        }
        if (!overwrite) {
            .stopArgument("file", "is \"", file, "\", which holds other ",
                "embeddings, or something else; choose another, or say ",
                "overwrite = TRUE."
            )
        }
        .removeFile(file)
    }
    rhdf5::h5createFile(file)
    for (name in names(jobs)) {
        job <- jobs[[name]]
        n <- length(job$cells)
        rhdf5::h5createDataset(file, name, c(job$dim, n),
            storage.mode = "double", H5type = "H5T_IEEE_F32LE",
            chunk = c(job$dim, min(n, 256L)), level = 0
        )
        rhdf5::h5write(job$cells, file, paste0(name, "Cells"))
        rhdf5::h5write(0L, file, paste0(name, "Done"))
        if (!is.null(job$genes)) {
            rhdf5::h5write(t(job$genes), file, "genes")
            rhdf5::h5write(rownames(job$genes), file, "geneNames")
        }
    }
    rhdf5::h5write(id, file, "id") # last: a file without it isn't ours
    invisible()
}

.fillEmbeddings <- function(file, name, job, blockSize, verbose) {
    counter <- paste0(name, "Done")
    done <- as.integer(rhdf5::h5read(file, counter))
    n <- length(job$cells)
    bar <- .progressStart(paste0("Embedding cells (", name, ") "),
        ceiling(n / blockSize), verbose, floor(done / blockSize)
    )
    on.exit(.progressDone(bar))
    while (done < n) {
        columns <- seq(done + 1L, min(n, done + blockSize))
        values <- job$run(columns)
        suspendInterrupts({
            rhdf5::h5write(t(unname(values)), file, name,
                index = list(NULL, columns)
            )
            done <- done + length(columns)
            rhdf5::h5write(done, file, counter)
        })
        .progressTick(bar, ceiling(done / blockSize))
    }
    invisible()
}

#' @rdname precomputeEmbeddings
#' @export
readEmbeddings <- function(file) {
    .checkText(file, "file")
    .needPackage("rhdf5", "embeddings are kept in an HDF5 file",
        "BiocManager::install(\"rhdf5\")"
    )
    there <- if (file.exists(file)) tryCatch(rhdf5::h5ls(file)$name,
        error = function(e) character()
    )
    if (!"id" %in% there) {
        .stopArgument("file", "is \"", file, "\", which is no file of ",
            "precomputeEmbeddings()."
        )
    }
    out <- list()
    for (name in intersect(c("rna", "atac"), there)) {
        cells <- as.character(rhdf5::h5read(file, paste0(name, "Cells")))
        done <- as.integer(rhdf5::h5read(file, paste0(name, "Done")))
        if (done < length(cells)) {
            .stopArgument("file", "is not finished: ", done, " of ",
                length(cells), " cells (", name, "). The same call of ",
                "precomputeEmbeddings() goes on."
            )
        }
        out[[name]] <- t(rhdf5::h5read(file, name))
        rownames(out[[name]]) <- cells
    }
    if ("genes" %in% there) {
        out$genes <- t(rhdf5::h5read(file, "genes"))
        rownames(out$genes) <- as.character(rhdf5::h5read(file, "geneNames"))
    }
    out
}

## ---- for estimateTau() -----------------------------------------------------

## An encoder in place of a matrix of cells: input as .readPairs() gives it.
.encoderEmbedding <- function(input, model, which, genome) {
    if (which == "rna") {
        .isScGPT(model)
        return(embedCells(input$rna, model, verbose = FALSE))
    }
    if (!methods::is(model, "HyenaModel") || is.null(genome)) {
        .stopArgument("embedding", "has a model of chromatin, ",
            if (is.null(genome)) "but no part 'genome', from which the " else
                "which must be HyenaDNA: it reads the ",
            "sequences of peaks", if (is.null(genome)) " come", "."
        )
    }
    embedATAC(input$atac, genome, model, verbose = FALSE)
}
