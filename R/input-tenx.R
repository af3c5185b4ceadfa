## What CellRanger writes as .h5: versions 2 and 3 and later.

.openTenx <- function(path, root, genome, verbose) {
    if ("matrix" %in% root$children) .openTenx3(path, genome, verbose) else
        .openTenx2(path, root, genome, verbose)
}

## Version 2: a group for each genome.
.openTenx2 <- function(path, root, genome, verbose) {
    genomes <- Filter(function(name) {
        all(.tenxTables %in% .h5Look(path, name)$children)
    }, root$children)
    if (is.null(genome) && length(genomes) > 1L) {
        .stopFile(path, "holds several genomes: ", paste(genomes,
            collapse = ", "
        ), ". Choose one: openCells(file, genome = \"", genomes[[1L]], "\").")
    }
    name <- if (is.null(genome)) genomes else
        .oneOf(genome, genomes, "genome")
    ids <- .h5Values(path, .h5Path(name, "genes"))
    genes <- S4Vectors::DataFrame(ID = as.character(ids),
        Symbol = as.character(.h5Values(path, .h5Path(name, "gene_names"))),
        Genome = name
    )
    .tenxResult(path, name, genes, as.character(ids))
}

.tenxTables <- c("data", "indices", "indptr", "barcodes", "genes")

.openTenx3 <- function(path, genome, verbose) {
    found <- .h5Need(path, "matrix/features", "group")
    column <- function(name) {
        if (name %in% found$children) {
            as.character(.h5Values(path, .h5Path("matrix/features", name)))
        }
    }
    ids <- column("id")
    symbols <- column("name")
    if (is.null(ids) && is.null(symbols)) {
        .stopFile(path, "names no features: matrix/features has neither id ",
            "nor name."
        )
    }
    genes <- S4Vectors::DataFrame(ID = if (is.null(ids)) symbols else ids)
    for (extra in list(c("Symbol", "name"), c("Type", "feature_type"),
        c("Genome", "genome"))) {
        v <- column(extra[[2L]])
        if (length(v) == nrow(genes)) {
            genes[[extra[[1L]]]] <- v
        }
    }
    out <- .tenxResult(path, "matrix", genes, genes$ID)
    .tenxTypes(out, genome)
}

.tenxResult <- function(path, name, genes, names) {
    cells <- as.character(.h5Values(path, .h5Path(name, "barcodes")))
    shape <- .h5Values(path, .h5Path(name, "shape"))
    if (length(shape) != 2L) {
        .stopFile(path, "doesn't say how large ", name, " is.")
    }
    claim <- c(length(names), length(cells))
    if (any(shape != claim)) {
        .stopFile(path, "has ", shape[[1L]], " features x ", shape[[2L]],
            " cells in ", name, ", but names of ", claim[[1L]], " and ",
            claim[[2L]], ": it was cut or put together wrongly."
        )
    }
    seed <- .cellSeed(path, list(name = name, sparse = TRUE, byCell = TRUE,
        cells = claim[[2L]], genes = claim[[1L]]
    ))
    list(kind = "10x", main = "Gene Expression",
        parts = list(`Gene Expression` = list(matrices = list(counts = seed),
            names = names, genes = genes, cellNames = cells,
            cells = S4Vectors::make_zero_col_DFrame(length(cells)),
            keys = c(.h5Path(name, "barcodes"), "the features' ids")
        ))
    )
}

## Splits features by their type, and takes those of one genome.
.tenxTypes <- function(out, genome) {
    part <- out$parts[[1L]]
    keep <- rep(TRUE, nrow(part$genes))
    genomes <- unique(part$genes$Genome)
    genomes <- genomes[nzchar(genomes)]
    if (!is.null(genome)) {
        .oneOf(genome, genomes, "genome")
        keep <- part$genes$Genome %in% c(genome, "")
    }
    type <- part$genes$Type
    if (is.null(type)) {
        type <- rep("Gene Expression", nrow(part$genes))
    }
    types <- unique(type[keep])
    if (!"Gene Expression" %in% types) {
        out$main <- types[[1L]]
    }
    out$parts <- lapply(setNames(nm = c(out$main, setdiff(types, out$main))),
        function(t) .onlyGenes(part, which(keep & type == t))
    )
    out
}

.onlyGenes <- function(part, at) {
    if (identical(at, seq_along(part$names))) {
        return(part)
    }
    part$rows <- at
    part$names <- part$names[at]
    part$genes <- part$genes[at, , drop = FALSE]
    part
}
