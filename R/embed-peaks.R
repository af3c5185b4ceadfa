## Peaks to sequences to vectors, cells to the mean of their open peaks.

#' Embed peaks and the chromatin of cells
#'
#' `embedPeaks()` takes the sequences of peaks from a genome and embeds them by
#' HyenaDNA. `embedATAC()` gives every cell the mean of the vectors of its peaks,
#' weighted by its counts.
#'
#' @param x peaks: names like `"chr1:100-200"`, a GRanges, or a container with
#'   peaks in its rows; of `embedATAC()` the container, or a matrix, peaks x
#'   cells (a container of several modalities: its chromatin).
#' @param genome a BSgenome (or its name), an FaFile or the file name of an
#'   indexed FASTA, a DNAStringSet, or a character vector, the latter two named
#'   by sequence.
#' @param model a HyenaDNA model.
#' @param width `NULL`: peaks as they are; a number: so many bases around each
#'   peak's centre, within the sequence.
#' @param peaks `NULL`, or a matrix, peaks x dimensions, of [embedPeaks()] for
#'   peaks of `x`: then neither `genome` nor `model` is needed.
#' @param minCells share of the cells in which a peak must be open; the
#'   published rule is .1, `0`: off.
#' @param top only so many peaks, the most variable ones; `Inf`: off.
#' @param atac which part of a container holds the chromatin, see
#'   [estimateTau()].
#' @param name what the reduced dimension is called.
#' @param assay.type the assay with the counts.
#' @param verbose show messages and progress.
#' @param ... for `embedPeaks()`, and `embedATAC()` that calls it: arguments of
#'   [embedSequences()].
#' @return `embedPeaks()`: a matrix, peaks x width. `embedATAC()`: `x` with
#'   `reducedDim(x, name)`, see [embedCells()]; cells without an open peak have
#'   `NA`, with a warning. The attribute `peaks` of the matrix says how many
#'   peaks were used.
#' @section Errors: peaks without coordinates, on sequences that the genome
#'   doesn't have (they are named, and the change of style where one would
#'   help) or beyond their end; a genome package that isn't installed.
#' @seealso [embedSequences()], [estimateTau()]
#' @references The specification "Effendi": accessibility-weighted mean of peak
#'   embeddings.
#' @examples
#' model <- newModel(HyenaParam(embedDim = 8, layers = 1, longest = 100),
#'     seed = 1
#' )
#' genome <- c(chr1 = strrep("ACGTTGCATC", 20))
#' peaks <- c("chr1:11-50", "chr1:101-160")
#' embedPeaks(peaks, genome, model, verbose = FALSE)
#' open <- matrix(c(1, 0, 2, 1, 0, 3), 2, dimnames = list(peaks, letters[1:3]))
#' embedATAC(open, genome, model, verbose = FALSE)
#' @rdname embedPeaks
#' @export
setMethod("embedPeaks", "ANY", function(x, genome, model, width = NULL,
    verbose = TRUE, ...) {
    .given(genome, "genome", "a BSgenome, an indexed FASTA or sequences")
    .given(model, "model", "a HyenaDNA model, of loadModel()")
    sequences <- .peakSequences(.peaksOf(x), genome, width)
    out <- embedSequences(sequences, model, verbose = verbose, ...)
    rownames(out) <- names(sequences)
    out
})

## data.frame(peak, chr, start, end) of peaks in any form.
.peaksOf <- function(x) {
    if (is.character(x) || .isRanges(x)) {
        return(.peakTable(x))
    }
    found <- .modalities(x)
    part <- .readPart(.chromatinPart(found, NULL))
    .peakTable(if (is.null(part$ranges)) part$names else part$ranges)
}

## The part with chromatin; of one modality itself.
.chromatinPart <- function(found, atac) {
    if (is.null(found$what) || length(found$parts) == 1L) {
        return(found$parts[[1L]])
    }
    names <- names(found$parts)
    found$parts[[.chromatinOf(found, names, atac, NULL)]]
}

## Sequences of the peaks, named.
.peakSequences <- function(peaks, genome, width) {
    genome <- .openGenome(genome)
    lengths <- genome$lengths
    unknown <- setdiff(unique(peaks$chr), names(lengths))
    if (length(unknown)) {
        .stopArgument("x", "has peaks on sequences that 'genome' doesn't ",
            "have: ", .some(unknown), "; its are ", .some(names(lengths), 3L),
            ".", .styleHint(unknown, names(lengths))
        )
    }
    end <- lengths[peaks$chr]
    if (!is.null(width)) {
        width <- .checkNumber(width, "width", 1, 1e9, TRUE)
        first <- floor((peaks$start + peaks$end) / 2) - width %/% 2L
        peaks$start <- pmax(1, pmin(first, end - width + 1))
        peaks$end <- pmin(end, peaks$start + width - 1)
    }
    beyond <- peaks$start < 1 | peaks$end > end
    if (any(beyond)) {
        .stopArgument("x", "has ", .count(sum(beyond), "peak"), " that lie ",
            "beyond their sequence: ", .some(peaks$peak[beyond]), ". Are ",
            "they of another genome build?"
        )
    }
    setNames(genome$read(peaks), peaks$peak)
}

.styleHint <- function(unknown, known) {
    without <- sub("^chr", "", unknown)
    if (any(paste0("chr", unknown) %in% known)) {
        return(paste0(" The genome writes \"chr", unknown[[1L]], "\": ",
            "GenomeInfoDb::seqlevelsStyle(peaks) <- \"UCSC\"."
        ))
    }
    if (any(without != unknown & without %in% known)) {
        return(paste0(" The genome writes \"", without[[1L]], "\": ",
            "GenomeInfoDb::seqlevelsStyle(peaks) <- \"NCBI\"."
        ))
    }
    ""
}

## list(lengths, read): lengths of the genome's sequences by name, and
## read(peaks), the text of peaks.
.openGenome <- function(genome) {
    if (is.character(genome) && length(genome) == 1L &&
        is.null(names(genome))) {
        genome <- if (file.exists(genome)) .fastaFile(genome) else
            .genomePackage(genome)
    }
    if (is.character(genome)) {
        if (is.null(names(genome))) {
            .stopArgument("genome", "must have names: those of its sequences.")
        }
        return(list(lengths = setNames(nchar(genome), names(genome)),
            read = function(peaks) {
                substring(genome[peaks$chr], peaks$start, peaks$end)
            }
        ))
    }
    kinds <- c("BSgenome", "FaFile", "DNAStringSet", "TwoBitFile")
    if (!any(vapply(kinds, function(k) inherits(genome, k), NA))) {
        .stopArgument("genome", "must be a BSgenome, an FaFile, the name of ",
            "an indexed FASTA file, or named sequences; it is a ",
            class(genome)[[1L]], "."
        )
    }
    .genomeOf(genome)
}

.genomeOf <- function(genome) {
    need <- function(package) {
        .needPackage(package, "'genome' needs it",
            paste0("BiocManager::install(\"", package, "\")")
        )
    }
    need("Biostrings")
    if (inherits(genome, "DNAStringSet")) {
        return(list(lengths = setNames(BiocGenerics::width(genome),
            names(genome)
        ), read = function(peaks) {
            as.character(unname(Biostrings::subseq(genome[peaks$chr],
                peaks$start, peaks$end
            )))
        }))
    }
    need("GenomeInfoDb")
    need("GenomicRanges")
    list(lengths = GenomeInfoDb::seqlengths(genome), read = function(peaks) {
        ranges <- GenomicRanges::GRanges(peaks$chr,
            IRanges::IRanges(peaks$start, peaks$end)
        )
        as.character(unname(Biostrings::getSeq(genome, ranges)))
    })
}

.fastaFile <- function(file) {
    .needPackage("Rsamtools", "'genome' is a FASTA file",
        "BiocManager::install(\"Rsamtools\")"
    )
    if (!file.exists(paste0(file, ".fai"))) {
        .stopArgument("genome", "is \"", file, "\", which has no index: ",
            "Rsamtools::indexFa(\"", file, "\") makes one."
        )
    }
    Rsamtools::FaFile(file)
}

.genomePackage <- function(name) {
    install <- paste0("BiocManager::install(\"", name, "\")")
    if (!grepl("^BSgenome[.]", name)) {
        .stopArgument("genome", "is \"", name, "\", neither a file nor the ",
            "name of a BSgenome package like \"BSgenome.Hsapiens.UCSC.hg38\"."
        )
    }
    .needPackage(name, "'genome' names it", install)
    getExportedValue(name, name)
}

## ---- cells -----------------------------------------------------------------

#' @rdname embedPeaks
#' @export
setMethod("embedATAC", "ANY", function(x, genome = NULL, model = NULL,
    peaks = NULL, minCells = 0, top = Inf, width = NULL, atac = NULL,
    name = "HyenaDNA", assay.type = NULL, verbose = TRUE, ...) {
    .checkText(name, "name")
    minCells <- .checkNumber(minCells, "minCells", 0, 1)
    found <- .modalities(x)
    part <- .readPart(.chromatinPart(found, atac), assay.type, verbose)
    .checkMatrix(part$matrix)
    keep <- .filterPeaks(part$matrix, minCells, top)
    .say(verbose, "Peaks: ", length(keep), " of ", nrow(part$matrix), ".")
    if (is.null(peaks)) {
        if (is.null(genome) || is.null(model)) {
            .stopArgument(if (is.null(model)) "model" else "genome",
                "is missing: the vectors of peaks come from a HyenaDNA model ",
                "and a genome, or are given as 'peaks'."
            )
        }
        table <- .peakTable(if (is.null(part$ranges)) part$names else
            part$ranges)
        sequences <- .peakSequences(table[keep, ], genome, width)
        peaks <- embedSequences(sequences, model, verbose = verbose, ...)
    } else {
        .noDots(...)
        peaks <- .givenPeaks(peaks, part$names[keep])
    }
    out <- .openMeans(part$matrix, keep, peaks)
    rownames(out) <- part$cells
    attr(out, "peaks") <- c(used = length(keep), all = nrow(part$matrix))
    .intoContainer(x, out, name)
})

.givenPeaks <- function(peaks, names) {
    if (!is.matrix(peaks) || !is.numeric(peaks)) {
        .stopArgument("peaks", "must be a matrix of numbers, peaks x ",
            "dimensions; it is ", .show(peaks), "."
        )
    }
    at <- match(names, rownames(peaks))
    if (anyNA(at)) {
        .stopArgument("peaks", "lacks ", .count(sum(is.na(at)), "peak"),
            " of 'x': ", .some(names[is.na(at)], 3L), "."
        )
    }
    peaks[at, , drop = FALSE]
}

## Peaks open in enough cells; of these the `top` of largest variance.
.filterPeaks <- function(m, minCells, top) {
    if (!identical(top, Inf)) {
        top <- .checkNumber(top, "top", 1, whole = TRUE)
    }
    keep <- seq_len(nrow(m))
    if (minCells > 0 || is.finite(top)) {
        sums <- Reduce(`+`, lapply(.columnChunks(m), function(part) {
            chunk <- .columnChunk(m, part)
            cbind(Matrix::rowSums(chunk > 0), Matrix::rowSums(chunk),
                Matrix::rowSums(chunk^2)
            )
        }))
        keep <- keep[sums[, 1L] >= minCells * ncol(m)]
        variance <- sums[, 3L] - sums[, 2L]^2 / ncol(m)
        first <- order(-variance[keep])[seq_len(min(top, length(keep)))]
        keep <- sort(keep[first])
    }
    if (!length(keep)) {
        .stopArgument("minCells", "is ", minCells, ": no peak is open in so ",
            "large a share of the cells."
        )
    }
    keep
}

## cells x dimensions: sum of counts x vectors / sum of counts.
.openMeans <- function(m, keep, peaks) {
    out <- lapply(.columnChunks(m), function(part) {
        chunk <- .columnChunk(m, part, keep)
        total <- Matrix::colSums(chunk)
        as.matrix(Matrix::crossprod(chunk, peaks)) / ifelse(total > 0, total,
            NA)
    })
    out <- unname(do.call(rbind, out))
    empty <- is.na(out[, 1L])
    if (any(empty)) {
        warning(.count(sum(empty), "cell"), " without an open peak: their ",
            "vectors are NA.",
            call. = FALSE
        )
    }
    out
}
