## Coordinates of peaks and genes: from names, ranges, tables and databases.

.isRanges <- function(x) {
    inherits(x, "GenomicRanges") || inherits(x, "GRanges")
}

## Names of peaks -> data.frame(peak, chr, start, end), NA where a name holds
## no coordinates. The sequence's name is all before the last two numbers.
.parsePeaks <- function(names) {
    number <- "([0-9][0-9,]*(?:[.][0-9]+)?(?:[eE][+]?[0-9]+)?)"
    pattern <- paste0("^(.*[^:_-])(?::|-|_)", number, "(?:-|_|[.]{2}|:)",
        number, "(?:[:_-][+*.-])?$"
    )
    names <- trimws(as.character(names))
    found <- regmatches(names, regexec(pattern, names, perl = TRUE))
    field <- function(k) {
        vapply(found, function(f) if (length(f)) f[[k]] else NA_character_, "")
    }
    position <- function(k) {
        as.numeric(gsub(",", "", field(k), fixed = TRUE))
    }
    data.frame(peak = names, chr = field(2L), start = position(3L),
        end = position(4L)
    )
}

## The same of names, a GRanges, or both.
.peakTable <- function(x, arg = "x") {
    if (.isRanges(x)) {
        ranges <- .rangesFrame(x)
        names <- names(x)
        if (is.null(names)) {
            names <- paste0(ranges$chr, ":", ranges$start, "-", ranges$end)
        }
        peaks <- data.frame(peak = names, ranges[c("chr", "start", "end")])
    } else {
        peaks <- .parsePeaks(x)
    }
    .checkPeaks(peaks, arg)
    peaks
}

.checkPeaks <- function(peaks, arg) {
    bad <- is.na(peaks$chr) | is.na(peaks$start) | is.na(peaks$end)
    if (any(bad)) {
        .stopArgument(arg, "has ", sum(bad), " of ", nrow(peaks), " peaks ",
            "without coordinates: ", .some(peaks$peak[bad]), ". Names like ",
            "\"chr1:100-200\" or row ranges are needed, or give 'links'."
        )
    }
    turned <- peaks$start > peaks$end
    if (any(turned)) {
        .stopArgument(arg, "has ", sum(turned), " peaks that start after ",
            "their end: ", .some(peaks$peak[turned]), "."
        )
    }
    twice <- unique(peaks$peak[duplicated(peaks$peak)])
    if (length(twice)) {
        .stopArgument(arg, "has peaks of the same name: ", .some(twice),
            ". Keep one of each."
        )
    }
    invisible()
}

## A GRanges as data.frame(chr, start, end, strand) with its other columns.
.rangesFrame <- function(x) {
    frame <- BiocGenerics::as.data.frame(unname(x))
    frame$chr <- as.character(frame$seqnames)
    frame$strand <- as.character(frame$strand)
    frame$seqnames <- NULL
    frame
}

.geneColumns <- list(
    gene = c("gene", "gene_name", "symbol", "SYMBOL", "gene_symbol",
        "hgnc_symbol", "gene_short_name", "external_gene_name", "gene_id",
        "ensembl_gene_id", "name", "id"),
    chr = c("chr", "chrom", "chromosome", "seqnames", "seqname",
        "chromosome_name", "CHROM"),
    start = c("start", "start_position", "txStart", "chromStart"),
    end = c("end", "end_position", "txEnd", "chromEnd"),
    strand = c("strand")
)

.columnNamed <- function(frame, what) {
    at <- match(tolower(.geneColumns[[what]]), tolower(colnames(frame)))
    colnames(frame)[at[!is.na(at)]]
}

## Any annotation -> data.frame(gene, chr, start, end, strand: -1, 0, 1), a
## row per gene, chromosome and strand. `features`: the names wanted.
.geneTable <- function(genes, features, verbose, arg = "genes") {
    frame <- .annotationFrame(genes, arg)
    columns <- lapply(setNames(nm = names(.geneColumns)), .columnNamed,
        frame = frame
    )
    missing <- names(columns)[lengths(columns) == 0L & names(columns) !=
        "strand"]
    if (length(missing)) {
        .stopArgument(arg, "needs columns gene, chr, start and end; of these ",
            .some(missing), " isn't there. It has ",
            .some(colnames(frame), 8L), "."
        )
    }
    name <- .bestNames(frame, columns$gene, features, arg)
    strand <- if (length(columns$strand)) frame[[columns$strand[[1L]]]]
    if (is.null(strand)) {
        .say(verbose, "'", arg, "' has no strand: the lower end of a gene is ",
            "taken for its start."
        )
    }
    table <- data.frame(
        gene = name, chr = as.character(frame[[columns$chr[[1L]]]]),
        start = .coordinate(frame, columns$start[[1L]], arg),
        end = .coordinate(frame, columns$end[[1L]], arg),
        strand = .strandSign(strand, nrow(frame), arg)
    )
    table <- table[!is.na(table$gene) & nzchar(table$gene), , drop = FALSE]
    bad <- is.na(table$chr) | !is.finite(table$start) | !is.finite(table$end) |
        table$start > table$end
    if (any(bad)) {
        .stopArgument(arg, "has ", sum(bad), " genes without a valid start ",
            "and end: ", .some(table$gene[bad]), "."
        )
    }
    .joinRecords(table)
}

.coordinate <- function(frame, column, arg) {
    .numbersOf(frame[[column]], arg, paste("a column", column))
}

## Ways to write a strand, in lower case; the third are no strand.
.strandWords <- list(
    c("+", "1", "+1", "plus", "positive", "pos", "forward", "fwd", "f",
        "sense"),
    c("-", "-1", "\u2212", "\u2013", "minus", "negative", "neg", "reverse",
        "rev", "r", "antisense", "complement"),
    c("*", ".", "?", "0", "", "na", "none", "both", "unknown", "unstranded")
)

## 1, -1, or 0 without a strand. Another word would put the start of a gene at
## its wrong end: an error.
.strandSign <- function(strand, n, arg = "genes") {
    if (is.null(strand)) {
        return(numeric(n))
    }
    word <- tolower(trimws(as.character(strand)))
    sign <- numeric(n)
    sign[word %in% .strandWords[[1L]]] <- 1
    sign[word %in% .strandWords[[2L]]] <- -1
    strange <- !is.na(word) & !word %in% unlist(.strandWords)
    if (any(strange)) {
        .stopArgument(arg, "has a column strand with ",
            .some(unique(as.character(strand)[strange])), "; it must hold ",
            "\"+\" and \"-\" (or 1 and -1, plus and minus, forward and ",
            "reverse), \"*\" or NA where there is none."
        )
    }
    sign
}

.annotationFrame <- function(genes, arg) {
    if (inherits(genes, "EnsDb") || inherits(genes, "TxDb")) {
        genes <- .databaseGenes(genes)
    }
    if (is.character(genes) && length(genes) == 1L && !is.na(genes)) {
        genes <- .annotationFile(genes, arg)
    }
    if (.isRanges(genes)) {
        names <- names(genes)
        frame <- .rangesFrame(genes)
        if (!is.null(names)) {
            frame$name <- names
        }
        return(frame)
    }
    if (methods::is(genes, "DataFrame")) {
        genes <- as.data.frame(genes)
    }
    if (!is.data.frame(genes)) {
        .stopArgument(arg, "must be a GRanges, an EnsDb or TxDb object, a ",
            "data.frame with gene, chr, start, end, strand, or the name of a ",
            "file of these (GTF, GFF, BED, CSV); it is a ",
            class(genes)[[1L]], "."
        )
    }
    if (!nrow(genes)) {
        .stopArgument(arg, "has no gene.")
    }
    genes
}

## Genes of a GTF, GFF or BED file as a GRanges, of a table as a data.frame.
.annotationFile <- function(file, arg) {
    .checkFileName(file, arg)
    kind <- tolower(tools::file_ext(sub("[.](gz|bz2)$", "", file)))
    read <- if (kind %in% c("gtf", "gff", "gff3", "bed")) {
        .needPackage("rtracklayer", paste0("'", arg, "' is a ", toupper(kind),
            " file"
        ), "BiocManager::install(\"rtracklayer\")")
        function() .importedGenes(file, kind)
    } else if (kind %in% c("csv", "tsv", "txt")) {
        function() utils::read.delim(file, check.names = FALSE, quote = "\"",
            sep = if (kind == "csv") "," else "\t", comment.char = "#"
        )
    } else {
        .stopArgument(arg, "is \"", file, "\"; annotations are read from ",
            ".gtf, .gff, .gff3, .bed, .csv and .tsv, also compressed (.gz)."
        )
    }
    tryCatch(read(), error = function(e) {
        .stopArgument(arg, "is \"", file, "\", which can't be read as ",
            toupper(kind), ": ", conditionMessage(e)
        )
    })
}

## The genes' records; of a file without them all records, which are joined.
.importedGenes <- function(file, kind) {
    if (kind == "bed") {
        return(rtracklayer::import(file))
    }
    found <- rtracklayer::import(file, feature.type = "gene")
    if (length(found)) found else rtracklayer::import(file)
}

.databaseGenes <- function(genes) {
    package <- if (inherits(genes, "EnsDb")) "ensembldb" else "GenomicFeatures"
    if (!requireNamespace(package, quietly = TRUE)) {
        stop("'genes' is a ", class(genes)[[1L]], ", and the package ",
            package, " isn't installed; BiocManager::install(\"", package,
            "\").",
            call. = FALSE
        )
    }
    getExportedValue(package, "genes")(genes)
}

## Of the columns that may name genes the one with most of `features`; the
## names are returned as `features` writes them.
.bestNames <- function(frame, columns, features, arg) {
    if (is.null(features)) {
        return(as.character(frame[[columns[[1L]]]]))
    }
    matched <- lapply(columns, function(column) {
        .matchNames(as.character(frame[[column]]), features)
    })
    hits <- vapply(matched, function(m) length(unique(m[!is.na(m)])), 1L)
    if (max(hits) == 0L) {
        style <- function(x) .some(unique(x[!is.na(x) & nzchar(x)]), 3L)
        .stopArgument(arg, "holds none of the ", length(features), " genes ",
            "of the data. The data's are like ", style(features), "; the ",
            "annotation's like ", style(as.character(frame[[columns[[1L]]]])),
            ". Symbols, Ensembl identifiers, another species?"
        )
    }
    features[matched[[which.max(hits)]]]
}

## Positions of `names` in `features`: exact, then without versions of Ensembl
## identifiers, then without regard to case.
.matchNames <- function(names, features) {
    at <- match(names, features)
    plain <- function(x) sub("^(ENS[A-Z]*[0-9]+)[.][0-9]+$", "\\1", x)
    for (form in list(plain, function(x) toupper(plain(x)))) {
        left <- is.na(at)
        key <- form(features)
        key[duplicated(key) | duplicated(key, fromLast = TRUE)] <- NA
        at[left] <- match(form(names[left]), key, incomparables = NA)
    }
    at
}

## Records of a gene on one chromosome and strand (transcripts, exons) become
## one range; those more than two million bases apart stay separate loci.
.joinRecords <- function(table, gap = 2e6) {
    key <- paste(table$gene, table$chr, table$strand, sep = "\r")
    if (!anyDuplicated(key)) {
        return(table)
    }
    of <- match(key, unique(key))
    o <- order(of, table$start)
    ## all keys on one long line, so that one running maximum serves them
    line <- (of[o] - 1) * (2 * max(table$end) + gap + 1)
    reached <- cummax(table$end[o] + line)
    starts <- c(TRUE, table$start[o][-1L] + line[-1L] >
        reached[-length(reached)] + gap)
    joined <- table[o[starts], , drop = FALSE]
    joined$end <- (reached - line)[c(which(starts)[-1L] - 1L, length(o))]
    joined[order(of[o[starts]], joined$start), , drop = FALSE]
}
