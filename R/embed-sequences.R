## Sequences and peaks to vectors by HyenaDNA.

#' Embed DNA sequences
#'
#' The mean of HyenaDNA's states over each sequence. Sequences are read at their
#' own length: padding, which the published code adds and the model then reads,
#' plays no part. Equal sequences are computed once.
#'
#' @details
#' Letters are read in upper case (published models know no lower case: soft
#' masked bases would be unknown to them). `N` has a token of its own, other
#' letters (`R`, `Y`, ...) share the token of the unknown; both are counted
#' in a message. The model is causal: the state of a base has seen what is before
#' it only. The two strands give different vectors; `strand = "both"` averages
#' them.
#'
#' @param x a DNAStringSet, or a character vector.
#' @param model a HyenaDNA model, of [loadModel()].
#' @param pool `"mean"` of all states, or the `"last"` one.
#' @param strand `"forward"`: as given; `"both"`: the mean with the reverse
#'   complement.
#' @param tooLong what to do with sequences longer than the model reads:
#'   `"error"`, or take their `"start"` or `"centre"`.
#' @param special add the tokens `[CLS]` and `[SEP]`, as the published tokenizer
#'   does unless told otherwise?
#' @param batchBases bases that are given to the engine at once.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A matrix, sequences x width, with the names of `x`.
#' @section Errors: no sequences, missing or empty ones, sequences longer than
#'   the model reads (unless `tooLong` says otherwise), not enough memory: each
#'   names the sequences.
#' @seealso [embedPeaks()], [embedATAC()], [EncoderModel-class]
#' @references Nguyen et al. (2023), HyenaDNA.
#' @examples
#' model <- newModel(HyenaParam(embedDim = 8, layers = 1, longest = 100),
#'     seed = 1
#' )
#' embedSequences(c(a = "ACGTTGCA", b = "acgtNNA"), model, verbose = FALSE)
#' @rdname embedSequences
#' @export
setMethod("embedSequences", c("ANY", "HyenaModel"), function(x, model,
    pool = c("mean", "last"), strand = c("forward", "both"),
    tooLong = c("error", "start", "centre"), special = FALSE,
    batchBases = 2^18, verbose = TRUE, ...) {
    .noDots(...)
    .alive(model)
    pool <- .oneOf(pool, c("mean", "last"), "pool")
    strand <- .oneOf(strand, c("forward", "both"), "strand")
    tooLong <- .oneOf(tooLong, c("error", "start", "centre"), "tooLong")
    .checkFlag(special, "special")
    .checkFlag(verbose, "verbose")
    batchBases <- .checkNumber(batchBases, "batchBases", 1, 1e9, TRUE)
    names <- names(x)
    x <- .sequencesOf(x)
    most <- model@config$layer$l_max - if (special) 2L else 0L
    x <- .fitSequences(x, most, tooLong, names)
    .tellLetters(x, verbose)
    out <- .embedSequences(model, x, pool, special, batchBases, verbose)
    if (strand == "both") {
        out <- (out + .embedSequences(model, .reverseComplement(x), pool,
            special, batchBases, verbose)) / 2
    }
    rownames(out) <- names
    out
})

#' @rdname embedSequences
#' @export
setMethod("embedSequences", c("ANY", "ANY"), function(x, model, ...) {
    .refuseEncoder(x, model, "sequences", "sequences (HyenaDNA)", "embedSequences(x, model)")
})

## Sequences as upper-case text.
.sequencesOf <- function(x) {
    if (inherits(x, "XStringSet") || inherits(x, "XString")) {
        .needPackage("Biostrings", "'x' holds sequences of Biostrings",
            "BiocManager::install(\"Biostrings\")"
        )
        x <- if (inherits(x, "XString")) Biostrings::toString(x) else
            as.character(x)
    }
    if (is.factor(x)) {
        x <- as.character(x)
    }
    if (!is.character(x) || !length(x)) {
        .stopArgument("x", "must be sequences: a DNAStringSet or a character ",
            "vector; it is ", if (length(x)) paste("a", class(x)[[1L]]) else
                "empty", "."
        )
    }
    bad <- which(is.na(x) | !nzchar(x))
    if (length(bad)) {
        .stopArgument("x", "has sequences that are empty or missing: number ",
            .some(bad), "; leave them out."
        )
    }
    toupper(unname(x))
}

.fitSequences <- function(x, most, tooLong, names) {
    n <- nchar(x)
    long <- which(n > most)
    if (!length(long)) {
        return(x)
    }
    if (tooLong == "error") {
        .stopArgument("x", "has ", .count(length(long), "sequence"),
            " longer than the ", most, " bases the model reads (",
            .some(if (is.null(names)) long else names[long], 3L), ": up to ",
            max(n), "). Cut them, or say tooLong = \"centre\"."
        )
    }
    first <- if (tooLong == "start") 1L else (n[long] - most) %/% 2L + 1L
    x[long] <- substr(x[long], first, first + most - 1L)
    x
}

.tellLetters <- function(x, verbose) {
    all <- sum(nchar(x))
    n <- all - sum(nchar(gsub("N", "", x, fixed = TRUE)))
    other <- sum(nchar(gsub("[ACGTN]", "", x)))
    if (n) {
        .say(verbose, n, " of ", all, " bases are N.")
    }
    if (other) {
        .say(verbose, other, " of ", all, " letters are none of A, C, G, T, ",
            "N: unknown to the model."
        )
    }
    invisible()
}

.reverseComplement <- function(x) {
    turned <- vapply(strsplit(x, ""), function(s) {
        paste(rev(s), collapse = "")
    }, "")
    chartr("ACGT", "TGCA", turned)
}

.embedSequences <- function(model, x, pool, special, batchBases, verbose) {
    distinct <- unique(x)
    ## long ones together: one length of Fourier transform a block
    distinct <- distinct[order(nchar(distinct))]
    size <- nchar(distinct) + 2L
    .checkSequenceMemory(model, max(size), min(sum(size), 4096))
    block <- floor(cumsum(as.numeric(size)) / batchBases)
    parts <- split(distinct, block)
    bar <- .progressStart("Embedding sequences ", length(parts), verbose)
    on.exit(.progressDone(bar))
    out <- vector("list", length(parts))
    for (i in seq_along(parts)) {
        found <- .engineRun(model, "embed", .dnaTokens(parts[[i]], special),
            list(pool = pool)
        )
        out[[i]] <- t(found$embedding)
        .progressTick(bar, i)
    }
    do.call(rbind, out)[match(x, distinct), , drop = FALSE]
}

## rows: tokens that are computed at once, beyond the longest sequence.
.checkSequenceMemory <- function(model, longest, rows) {
    need <- .engineForecast(model, length = as.double(longest),
        cells = max(1, ceiling(rows / longest)), train = FALSE
    )
    if (need > .memoryLimit()) {
        stop("not enough memory: a sequence of ", longest, " bases needs ",
            "about ", .bytes(need), ", and ", .bytes(.memoryLimit()),
            " may be used. Cut the sequences, or raise ",
            "options(causeway.memoryLimit = bytes).",
            call. = FALSE
        )
    }
    invisible(need)
}
