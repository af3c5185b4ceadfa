## Links of peaks and genes: the user's table, or made from coordinates.

## Coordinates of the input's peaks, from names or row ranges.
.inputPeaks <- function(input) {
    parsed <- .parsePeaks(input$peaks)
    ranges <- input$parts$atac$ranges
    lost <- is.na(parsed$chr)
    if (any(lost) && !is.null(ranges)) {
        columns <- lapply(c("chr", "start", "end"), function(what) {
            ranges[[.columnNamed(ranges, what)[[1L]]]]
        })
        at <- match(input$peaks, ranges$name)
        parsed <- data.frame(peak = input$peaks,
            chr = as.character(columns[[1L]])[at],
            start = .numbersOf(columns[[2L]], "x", "peaks with a start")[at],
            end = .numbersOf(columns[[3L]], "x", "peaks with an end")[at]
        )
    }
    .checkPeaks(parsed, "x")
    parsed
}

## The annotation the data bring along, or NULL.
.ownGenes <- function(input) {
    annotation <- input$parts$atac$annotation
    if (.isRanges(annotation) && length(annotation)) {
        return(annotation)
    }
    ranges <- input$parts$rna$ranges
    if (is.null(ranges)) {
        return(NULL)
    }
    ranges$gene <- ranges$name
    valid <- !is.na(ranges[[.columnNamed(ranges, "chr")[[1L]]]]) &
        !is.na(ranges[[.columnNamed(ranges, "start")[[1L]]]])
    ranges[valid, , drop = FALSE]
}

## links (a user's table, or NULL) and genes (an annotation, or NULL) -> a
## data.frame gene, peak, distance, type; all names known to the input.
.tauLinks <- function(input, links, genes, window, verbose) {
    if (!is.null(links)) {
        return(.givenLinks(input, links, verbose))
    }
    if (is.null(genes)) {
        genes <- .ownGenes(input)
        if (is.null(genes)) {
            .stopArgument("links", "or 'genes' is needed: a data.frame with ",
                "columns gene and peak, or an annotation from which ",
                "linkPeaks() makes it (a GRanges, EnsDb or TxDb object, a ",
                "file, or a data.frame with gene, chr, start, end, strand)."
            )
        }
        .say(verbose, "Gene coordinates: those that come with the data.")
    }
    reach <- .linkReach(window)
    peaks <- .inputPeaks(input)
    table <- .geneTable(genes, input$genes, verbose)
    known <- input$genes %in% table$gene
    if (mean(known) < 0.5) {
        warning(sum(!known), " of ", length(known), " genes aren't in the ",
            "annotation (", .some(input$genes[!known], 3L), "): they get no ",
            "delay.",
            call. = FALSE
        )
    }
    found <- .linkRanges(peaks, table, reach, verbose)
    if (!nrow(found)) {
        .stopArgument("window", "of ", format(window), " bases links no peak ",
            "to a gene; widen it, or look at the coordinates of both."
        )
    }
    found
}

.givenLinks <- function(input, links, verbose) {
    links <- .asLinks(links)
    gene <- match(links$gene, input$genes)
    peak <- .matchPeaks(links$peak, input$peaks)
    empty <- links$gene %in% input$dropped
    strange <- (is.na(gene) & !empty) | is.na(peak)
    lost <- is.na(gene) | is.na(peak)
    if (all(lost)) {
        .stopArgument("links", "holds no pair of this data. Its genes are ",
            "like ", .some(unique(links$gene), 3L), ", the data's like ",
            .some(input$genes, 3L), "; its peaks like ",
            .some(unique(links$peak), 3L), ", the data's like ",
            .some(input$peaks, 3L), "."
        )
    }
    if (any(strange)) {
        unknown <- unique(c(links$gene[is.na(gene) & !empty],
            links$peak[is.na(peak)]
        ))
        warning(sum(strange), " of ", nrow(links), " links name genes or ",
            "peaks that aren't in the data or have no count: ",
            .some(unknown), ". They are left out.",
            call. = FALSE
        )
    }
    links <- links[!lost, , drop = FALSE]
    links$gene <- input$genes[gene[!lost]]
    links$peak <- input$peaks[peak[!lost]]
    twice <- duplicated(links[c("gene", "peak")])
    if (any(twice)) {
        .say(verbose, sum(twice), " links given twice are used once.")
        links <- links[!twice, , drop = FALSE]
    }
    rownames(links) <- NULL
    links
}

.asLinks <- function(links) {
    if (methods::is(links, "DataFrame")) {
        links <- as.data.frame(links)
    }
    if (!is.data.frame(links) || !all(c("gene", "peak") %in% names(links))) {
        .stopArgument("links", "must be a data.frame with columns gene and ",
            "peak, as linkPeaks() gives; it is ", if (is.data.frame(links))
                paste0("one with ", .some(names(links))) else
                    paste0("a ", class(links)[[1L]]), "."
        )
    }
    links$gene <- as.character(links$gene)
    links$peak <- as.character(links$peak)
    if (!nrow(links) || anyNA(links$gene) || anyNA(links$peak)) {
        .stopArgument("links", if (nrow(links)) "has missing names." else
            "has no row."
        )
    }
    optional <- intersect(c("distance", "type"), names(links))
    out <- links[c("gene", "peak", optional)]
    if (is.null(out$distance)) {
        out$distance <- NA_real_
    }
    out
}

## By name, or where that fails by coordinates ("chr1-1-2" is "chr1:1-2").
.matchPeaks <- function(names, peaks) {
    at <- match(names, peaks)
    left <- which(is.na(at))
    if (length(left)) {
        key <- function(x) {
            p <- .parsePeaks(x)
            ifelse(is.na(p$chr), NA_character_,
                paste(p$chr, p$start, p$end, sep = "\r")
            )
        }
        at[left] <- match(key(names[left]), key(peaks), incomparables = NA)
    }
    at
}
