## Peaks to genes: the pairs within a window.

#' Link peaks to genes by distance
#'
#' Every peak that lies within `window` bases of a gene's body is linked to
#' the gene. A peak may be linked to several genes, a gene to many peaks.
#'
#' @details
#' Peak names are read in every common form: `chr1:100-200`, `chr1-100-200`,
#' `chr1_100_200`, `1:100-200`, `chr1:100-200:+`, `GL000194.1-100-200`,
#' `chrUn_KI270742v1_100_200`, with thousands' commas or as `1e+05`.
#'
#' Sequence names must be the same in peaks and genes (`"chr1"` and `"1"`
#' aren't): this is checked first.
#' Whether both come from the same genome build is told by the promoters: the
#' share of genes with a peak within 500 bases of their start is compared with
#' the mean share at places 20, 50 and 100 kb to both sides. With the right
#' build the ratio is high (13.7 on A549 cells, hg19 peaks and genes), with the
#' other one near 1 (1.8 with genes of hg38). Below 3 (and from 200 genes on)
#' there is a warning. Between builds most places shift by less than the
#' window, so most links stay and some are wrong: the verdict of
#' [estimateTau()] can't be trusted to see it, because the genes left to it
#' are those whose links happen to be right. Peaks that avoid promoters by
#' design look the same.
#'
#' @param x the peaks: a character vector of names, a `GRanges`, or a
#'   container or file as for [estimateTau()] (then only genes of its RNA are
#'   linked).
#' @param genes the annotation: a `GRanges`, an `EnsDb` or `TxDb` object, the
#'   name of a GTF, GFF or BED file (by rtracklayer) or of a CSV or TSV, or a
#'   data.frame with columns for gene, chromosome, start, end and strand (`gene`, `gene_name`, `symbol` or `gene_id`; `chr`, `chrom`, `seqnames`;
#'   `start`; `end`; `strand`, optional). Several records of a gene on one
#'   chromosome and strand are taken together.
#' @param window how far, in bases, a peak may lie from the gene's body.
#' @param upstream as `window`, on the side of the gene's start; NULL:
#'   `window`.
#' @param promoter peaks within so many bases of the gene's start are of type
#'   `"promoter"`.
#' @param features names of the genes to link; NULL: all of the annotation, or
#'   those of the container. Names are compared as they are, then without
#'   Ensembl versions, then without regard to case.
#' @param ... for containers: `rna`, `atac`, `altExp`, as for [estimateTau()].
#' @param verbose show messages.
#' @return A data.frame with a row per pair, in the order of the annotation
#'   and along the chromosome: `gene` and `peak` (names), `distance` (bases; 0
#'   when the peak touches the gene's body, otherwise from the gene's start,
#'   negative upstream; without a strand the start is the lower end), `type`
#'   (`"promoter"`, `"body"` or `"distal"`).
#' @section Errors: peaks without coordinates; sequence names of peaks and
#'   genes in different styles; columns missing from the annotation; no gene
#'   of the data in the annotation.
#' @seealso [estimateTau()], [peakLinks()]
#' @examples
#' genes <- data.frame(
#'     gene = c("A", "B"), chr = "chr1", start = c(5000, 90000),
#'     end = c(9000, 95000), strand = c("+", "-")
#' )
#' linkPeaks(c("chr1:4000-4500", "chr1-6000-6500", "chr1_96000_96500"),
#'     genes, window = 10000
#' )
#' @export
linkPeaks <- function(x, genes, window = 1e5, upstream = NULL,
    promoter = 2000, features = NULL, ..., verbose = interactive()) {
    .checkFlag(verbose, "verbose")
    reach <- .linkReach(window, upstream, promoter)
    x <- .openedCells(x)
    if (is.character(x) || is.factor(x) || .isRanges(x)) {
        .noDots(...)
        peaks <- .peakTable(x)
    } else {
        input <- .unpairedInput(x, ..., verbose = verbose)
        peaks <- .inputPeaks(input)
        if (is.null(features)) {
            features <- input$genes
        }
        if (missing(genes)) {
            genes <- .ownGenes(input)
        }
    }
    if (missing(genes) || is.null(genes)) {
        .stopArgument("genes", "is missing: give a GRanges, an EnsDb or TxDb ",
            "object, or a data.frame with gene, chr, start, end, strand."
        )
    }
    .linkRanges(peaks, .geneTable(genes, features, verbose), reach, verbose)
}

## Only names and coordinates of a container: cells needn't be paired.
.unpairedInput <- function(x, atac = NULL, rna = NULL, altExp = NULL, ...,
    verbose = FALSE) {
    .noDots(...)
    parts <- .pairedParts(x, atac, rna, altExp, verbose)
    list(
        genes = .featureNames(parts$rna$features, "RNA"),
        peaks = .featureNames(parts$atac$features, "chromatin"),
        parts = lapply(parts, function(part) {
            list(ranges = part$ranges(), annotation = part$annotation)
        })
    )
}

.linkReach <- function(window, upstream = NULL, promoter = 2000) {
    window <- .checkNumber(window, "window", 0, 1e9)
    list(
        down = window,
        up = if (is.null(upstream)) window else
            .checkNumber(upstream, "upstream", 0, 1e9),
        promoter = .checkNumber(promoter, "promoter", 0, 1e9)
    )
}

## "chr1" and "1" don't match: said before anything is linked.
.checkSequences <- function(peaks, genes, verbose) {
    known <- peaks$chr %in% genes$chr
    if (any(known)) {
        if (!all(known)) {
            .say(verbose, .count(sum(!known), "peak"), " on sequences ",
                "without an annotated gene: ",
                .some(unique(peaks$chr[!known])), "."
            )
        }
        return(invisible())
    }
    peak <- unique(peaks$chr)
    gene <- unique(genes$chr)
    bare <- function(x) sub("^(chr|CHR|Chr)", "", x)
    remedy <- if (any(bare(peak) %in% bare(gene))) {
        added <- any(startsWith(tolower(peak), "chr"))
        paste0("Only the style of the names differs: ", if (added) {
            paste0("add \"chr\" to those of the genes, ",
                "GenomeInfoDb::seqlevelsStyle(genes) <- \"UCSC\" or ",
                "genes$chr <- paste0(\"chr\", genes$chr).")
        } else {
            paste0("take \"chr\" from those of the genes, ",
                "GenomeInfoDb::seqlevelsStyle(genes) <- \"NCBI\" or ",
                "genes$chr <- sub(\"^chr\", \"\", genes$chr).")
        })
    } else {
        "Are both of the same species and assembly?"
    }
    .stopArgument("genes", "and the peaks have no sequence name in common: ",
        "peaks are on ", .some(peak, 3L), "; genes on ", .some(gene, 3L),
        ". ", remedy
    )
}

## Share of gene starts near a peak, over the share of places beside them: near
## 1 when peaks and genes are of two builds. NA where nothing can be said.
.buildRatio <- function(peaks, genes) {
    genes <- genes[genes$chr %in% peaks$chr, , drop = FALSE]
    genes <- genes[!duplicated(genes$gene), , drop = FALSE]
    if (nrow(genes) < 200L) {
        return(NA_real_)
    }
    start <- ifelse(genes$strand < 0, genes$end, genes$start)
    near <- function(shift) {
        at <- list(chr = genes$chr, start = start + shift - 500,
            end = start + shift + 500
        )
        length(unique(.overlaps(at, peaks)$query)) / nrow(genes)
    }
    beside <- mean(vapply(c(-1, 1) %o% c(2e4, 5e4, 1e5), near, 0))
    here <- near(0)
    if (beside > 0) here / beside else if (here > 0) Inf else NA_real_
}

.checkBuild <- function(peaks, genes) {
    ratio <- .buildRatio(peaks, genes)
    if (isTRUE(ratio < 3)) {
        warning("peaks and genes don't seem to be of one genome build: peaks ",
            "lie at the starts of genes only ", .fixed(ratio, 1L), " times as ",
            "often as beside them (3 is the least expected). Take coordinates ",
            "of the build that the peaks were called on.",
            call. = FALSE
        )
    }
    invisible(ratio)
}

.linkRanges <- function(peaks, genes, reach, verbose) {
    .checkSequences(peaks, genes, verbose)
    .checkBuild(peaks, genes)
    left <- genes$start - ifelse(genes$strand < 0, reach$down, reach$up)
    right <- genes$end + ifelse(genes$strand < 0, reach$up, reach$down)
    pairs <- .overlaps(
        list(chr = genes$chr, start = left, end = right), peaks
    )
    gene <- genes[pairs$query, , drop = FALSE]
    peak <- peaks[pairs$subject, , drop = FALSE]
    place <- .placeOf(gene, peak, reach$promoter)
    links <- data.frame(gene = gene$gene, peak = peak$peak, place)
    ## a gene annotated in two places keeps its nearer one
    o <- order(match(links$gene, genes$gene), abs(links$distance))
    twice <- duplicated(links[o, c("gene", "peak")])
    links <- links[sort(o[!twice]), , drop = FALSE]
    rownames(links) <- NULL
    .say(verbose, format(nrow(links), big.mark = ","), " links: ",
        length(unique(links$gene)), " of ", length(unique(genes$gene)),
        " genes with ", length(unique(links$peak)), " of ", nrow(peaks),
        " peaks within ", format(reach$down, big.mark = ",",
            scientific = FALSE), " bases."
    )
    links
}

## Pairs (query, subject) of closed ranges that touch: subjects sorted by
## start, each chromosome on a stretch of one long line. A query's candidates
## start before its end and come after the last one at which every subject so
## far has ended; these few are then looked at one by one.
.overlaps <- function(query, subject) {
    chromosomes <- unique(c(query$chr, subject$chr))
    span <- max(query$end, subject$end, 0) - min(query$start, subject$start, 0)
    shift <- function(r) (match(r$chr, chromosomes) - 1) * (2 * span + 2)
    start <- subject$start + shift(subject)
    end <- subject$end + shift(subject)
    o <- order(start, end)
    from <- query$start + shift(query)
    to <- query$end + shift(query)
    first <- findInterval(from, cummax(end[o]), left.open = TRUE) + 1L
    last <- findInterval(to, start[o])
    n <- pmax(last - first + 1L, 0L)
    hit <- rep.int(seq_along(n), n)
    candidate <- o[sequence(n, from = first)]
    keep <- end[candidate] >= from[hit]
    list(query = hit[keep], subject = candidate[keep])
}

## Distance and type of peaks against their genes, row by row.
.placeOf <- function(gene, peak, promoter) {
    inside <- peak$start <= gene$end & peak$end >= gene$start
    start <- ifelse(gene$strand < 0, gene$end, gene$start)
    ahead <- ifelse(peak$start > start, peak$start - start,
        pmin(peak$end - start, 0)
    )
    ahead <- ifelse(gene$strand < 0, -ahead, ahead)
    data.frame(
        distance = ifelse(inside, 0, ahead),
        type = ifelse(abs(ahead) <= promoter, "promoter",
            ifelse(inside, "body", "distal")
        )
    )
}
