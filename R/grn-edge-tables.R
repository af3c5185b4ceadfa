## One reader for edges of any kind: files, data.frames, graphs, networks.

## Names of columns that tools use, without case and marks: causeway and
## BEELINE (Gene1, Gene2), SCENIC and pySCENIC (TF, target), SCENIC+ (TF,
## Gene), GENIE3 (regulatoryGene, targetGene), CollecTRI, decoupleR and
## CellOracle (source, target), OmniPath, ARACNe (Regulator, Target), TRRUST.
## Where several are there, the first of a list is taken.
.edgeColumns <- list(
    from = c("sourcegenesymbol", "gene1", "tf", "regulatorygene", "regulator",
        "regulatorsymbol", "regulatorgene", "transcriptionfactor", "tfsymbol",
        "tfname", "tfgene", "source", "sourcegene", "from"),
    to = c("targetgenesymbol", "gene2", "target", "targets", "targetgene",
        "targetsymbol", "targetname", "to", "gene", "genesymbol", "genename",
        "tg")
)

## Columns in which 0 says that there is no edge, whatever else they hold.
.weightColumns <- c("weight", "weights", "score", "importance", "edgeweight",
    "value", "label", "labels", "type", "class", "edge", "edges", "isedge",
    "link", "interaction", "truth", "true", "istrue", "positive", "known",
    "gold", "goldstandard", "groundtruth", "probability", "strength", "coef",
    "coefmean", "coefabs", "mi", "regulates", "present", "connected")

## Columns of 0 and 1 that say something else.
.otherFlags <- c("mor", "sign", "mode", "isdirected", "isstimulation",
    "isinhibition", "consensusdirection", "consensusstimulation",
    "consensusinhibition", "curated", "activation", "repression")

.keptColumns <- c(.weightColumns, .otherFlags, "confidence", "dorothealevel")

.columnKey <- function(names) gsub("[^a-z0-9]", "", tolower(names))

## Which columns are the sources and the targets.
.edgeAt <- function(names, arg) {
    key <- .columnKey(names)
    column <- function(known) {
        at <- match(known, key, nomatch = 0L)
        at[at > 0L]
    }
    ## OmniPath's files have accession numbers in source and target
    symbols <- column(c("sourcegenesymbol", "targetgenesymbol"))
    if (length(symbols) == 2L) {
        return(symbols)
    }
    from <- column(.edgeColumns$from)
    to <- column(.edgeColumns$to)
    if (!length(from) || !length(to)) {
        .stopArgument(arg, "needs the columns Gene1 and Gene2, or TF and ",
            "target, regulatoryGene and targetGene, source and target; it ",
            "has ", .some(names, 10L), "."
        )
    }
    c(from[[1L]], to[[1L]])
}

## What a column that holds nothing else says of edges in words.
.words <- c(yes = "1", y = "1", t = "1", no = "0", n = "0", f = "0")

## TRUE for rows that say that there is no edge: 0, FALSE or nothing in a
## column that holds only 0 and 1, or 0 among weights. Of a column of 0 and 1
## that isn't known to say so, an error asks.
.noEdge <- function(table, arg) {
    none <- logical(nrow(table))
    for (name in names(table)) {
        key <- .columnKey(name)
        if (key %in% .otherFlags) {
            next
        }
        text <- tolower(trimws(as.character(table[[name]])))
        text[text %in% c("", "na")] <- NA
        if (all(is.na(text) | text %in% names(.words))) {
            text <- unname(.words[text])
        }
        zero <- text %in% c("false", "0", "0.0") |
            suppressWarnings(as.numeric(text)) %in% 0
        if (!any(zero)) {
            next
        }
        flag <- .isFlag(text)
        if (key %in% .weightColumns) {
            none <- none | zero | (flag & is.na(text))
        } else if (flag && !all(zero | is.na(text))) {
            .stopArgument(arg, "has a column '", name, "' of 0 and 1. If 0 ",
                "says that there is no edge, leave these rows out or call the ",
                "column 'label'; otherwise leave the column out."
            )
        }
    }
    none
}

## `x` as a data.frame with its own columns, and which of them are the ends.
.edgeTableOf <- function(x, arg = "reference", maxBytes = 2^31) {
    if (is.character(x) && length(x) == 1L && !is.na(x)) {
        x <- .readEdgeFile(.edgePath(x, arg), maxBytes, arg)
    } else if (inherits(x, "igraph")) {
        ends <- igraph::as_edgelist(x, names = TRUE)
        x <- c(list(Gene1 = as.character(ends[, 1L]),
            Gene2 = as.character(ends[, 2L])), igraph::edge_attr(x))
        x <- as.data.frame(x[!duplicated(names(x))])
    } else if (is(x, "PooledGRN")) {
        x <- .pooledReference(x, arg)
    } else if (is.matrix(x) || is(x, "DataFrame")) {
        x <- as.data.frame(x)
    }
    if (!is.data.frame(x)) {
        .stopArgument(arg, "must be a data.frame with columns Gene1 ",
            "and Gene2, an igraph, a filtered PooledGRN or the path of a ",
            "file; it is a ", class(x)[[1L]], "."
        )
    }
    list(table = x, at = .edgeAt(colnames(x), arg))
}

.edgePath <- function(file, arg) {
    path <- path.expand(file)
    if (!file.exists(path) || dir.exists(path)) {
        .stopArgument(arg, "must be ", if (arg != "file")
            "a data.frame with columns Gene1 and Gene2, an igraph or ",
            "the path of a file; \"", file, "\" is ",
            if (dir.exists(path)) "a folder." else "no file."
        )
    }
    path
}

## -> data.frame of text with the columns Gene1, Gene2. `pairs`: of candidates
## rows that are no edges stay.
.referenceEdges <- function(x, arg = "reference", pairs = FALSE,
    maxBytes = 2^31) {
    found <- .edgeTableOf(x, arg, maxBytes)
    kept <- if (pairs) TRUE else .edgesOnly(found, arg)
    text <- function(at) trimws(as.character(found$table[[at]]))[kept]
    data.frame(Gene1 = text(found$at[[1L]]), Gene2 = text(found$at[[2L]]))
}

## TRUE for the rows that are edges; says how many aren't.
.edgesOnly <- function(found, arg) {
    none <- .noEdge(found$table[-found$at], arg)
    if (any(none)) {
        message("'", arg, "': ", format(sum(none), big.mark = ","), " of ",
            .count(length(none), "row"), " say 0, no edge, and are left out"
        )
    }
    !none
}

.pooledReference <- function(x, arg) {
    if (!x@filtered) {
        .stopArgument(arg, "is a PooledGRN with all edges, so every ",
            "candidate would be known; filter it first (keep the edges that ",
            "count, set the others to 0, filtered = TRUE)."
        )
    }
    at <- which(x@scores > 0, arr.ind = TRUE)
    data.frame(Gene1 = rownames(x@scores)[at[, 1L]],
        Gene2 = colnames(x@scores)[at[, 2L]]
    )
}
