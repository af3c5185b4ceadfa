## AnnData's files (.h5ad), and several in one (.h5mu).

## What is found: list(kind, main, parts); each part as .cellsPart() takes it.
.openH5ad <- function(path, verbose) {
    part <- .h5adPart(path, "", verbose)
    extra <- part$extra
    part$extra <- NULL
    parts <- c(list(part), extra)
    names(parts)[[1L]] <- if ("X" %in% names(extra)) "raw" else "X"
    list(kind = "h5ad", parts = parts, uns = .h5Tree(path, "uns"))
}

## One AnnData, at `at` in the file.
.h5adPart <- function(path, at, verbose) {
    inside <- function(...) .h5Path(at, ...)
    cells <- .h5Frame(path, inside("obs"), uns = inside("uns"))
    genes <- .h5Frame(path, inside("var"), uns = inside("uns"))
    shape <- c(length(cells$names), length(genes$names))
    matrices <- list()
    if (.h5Holds(.h5Look(path, inside("X")))) {
        matrices$X <- .h5adMatrix(path, inside("X"), shape)
    }
    layers <- .h5Look(path, inside("layers"))
    for (layer in layers$children) {
        matrices[[layer]] <- .h5adMatrix(path, inside("layers", layer), shape)
    }
    raw <- .h5adRaw(path, inside, cells, genes)
    if (!is.null(raw) && identical(raw$names, genes$names)) {
        matrices$raw <- raw$matrices$X
        raw <- NULL
    }
    if (!length(matrices) && is.null(raw)) {
        .stopFile(path, "has no matrix: neither X nor raw/X nor layers. ",
            "Write it with the counts in X."
        )
    }
    part <- list(matrices = matrices, names = genes$names, genes = genes$data,
        cellNames = cells$names, cells = cells$data,
        keys = c(inside("obs", cells$key), inside("var", genes$key)),
        embeddings = .h5adArrays(path, inside("obsm"), shape[[1L]], "obs"),
        loadings = .h5adArrays(path, inside("varm"), shape[[2L]], "var"),
        unread = .h5adUnread(path, inside)
    )
    .h5adMain(.nameMatrices(part), raw)
}

## Where X is scaled (a block of scanpy's variable genes, mostly) or absent and
## raw has the values of all genes, raw is what verbs can use.
.h5adMain <- function(part, raw) {
    if (is.null(raw)) {
        return(part)
    }
    raw <- .nameMatrices(raw)
    kinds <- setdiff(names(part$matrices), "scaled")
    if (length(kinds)) {
        part$extra <- list(raw = raw)
        return(part)
    }
    extra <- part[c("matrices", "names", "genes", "keys")]
    part[c("matrices", "names", "genes", "keys")] <-
        raw[c("matrices", "names", "genes", "keys")]
    part$loadings <- list()
    if (length(extra$matrices)) {
        part$extra <- list(X = extra)
    }
    part
}

.h5adRaw <- function(path, inside, cells, genes) {
    old <- .h5Look(path, inside("raw.X"))
    names <- if (is.null(old)) c("raw/X", "raw/var") else c("raw.X", "raw.var")
    if (!.h5Holds(.h5Look(path, inside(names[[1L]])))) {
        return(NULL)
    }
    frame <- .h5Frame(path, inside(names[[2L]]), uns = inside("uns"))
    shape <- c(length(cells$names), length(frame$names))
    list(matrices = list(X = .h5adMatrix(path, inside(names[[1L]]), shape)),
        names = frame$names, genes = frame$data,
        keys = inside(names[[2L]], frame$key)
    )
}

## A matrix of cells x genes in any of AnnData's encodings. `shape`: cells and
## genes, by obs and var.
.h5adMatrix <- function(path, name, shape) {
    found <- .h5Need(path, name, c("group", "numbers", "flags"))
    type <- paste0(.h5Text(found, "encoding-type"),
        .h5Text(found, "h5sparse_format")
    )
    if (found$kind != "group") {
        claimed <- found$dims
        sparse <- FALSE
        byCell <- TRUE
    } else {
        if (!type %in% c("csr_matrix", "csc_matrix", "csr", "csc")) {
            .stopFile(path, "has ", name, " in an encoding that isn't read ",
                "here: \"", type, "\"; known are csr_matrix, csc_matrix and ",
                "array. In Python: adata.X = scipy.sparse.csr_matrix(adata.X)."
            )
        }
        claimed <- c(found$attributes$shape, found$attributes$h5sparse_shape)
        sparse <- TRUE
        byCell <- startsWith(type, "csr")
    }
    if (length(claimed) != 2L || !is.numeric(claimed)) {
        .stopFile(path, "doesn't say how large ", name, " is.")
    }
    if (any(claimed != shape)) {
        .stopFile(path, "has ", claimed[[1L]], " cells x ", claimed[[2L]],
            " genes in ", name, ", but ", shape[[1L]], " rows in obs and ",
            shape[[2L]], " in var: it was cut or put together wrongly. Write ",
            "it again from where it came from."
        )
    }
    .cellSeed(path, list(name = name, sparse = sparse, byCell = byCell,
        cells = shape[[1L]], genes = shape[[2L]]
    ))
}

## obsm or varm: matrices with a row per cell or gene, in memory; large ones
## and sparse ones stay in the file.
.h5adArrays <- function(path, name, n, of) {
    found <- .h5Look(path, name)
    if (is.null(found)) {
        return(list())
    }
    records <- found$kind == "records"
    keys <- if (records) found$members else found$children
    out <- lapply(setNames(nm = keys), function(key) {
        if (records) {
            return(matrix(.h5Values(path, name, key), n, byrow = TRUE))
        }
        .h5adArray(path, .h5Path(name, key), n, of)
    })
    Filter(Negate(is.null), out)
}

.mostInMemory <- 1e7 # values of an embedding

.h5adArray <- function(path, name, n, of) {
    found <- .h5Need(path, name)
    type <- .h5Text(found, "encoding-type")
    sparse <- found$kind == "group" && type %in% c("csr_matrix", "csc_matrix")
    dims <- if (sparse) found$attributes$shape else found$dims
    if (!(sparse || found$kind == "numbers") || !length(dims) %in% 1:2) {
        return(NULL)
    }
    if (dims[[1L]] != n) {
        .stopFile(path, "has ", dims[[1L]], " rows in ", name, ", and ", n,
            " in ", of, "."
        )
    }
    if (sparse || prod(dims) > .mostInMemory && length(dims) == 2L) {
        seed <- .cellSeed(path, list(name = name, sparse = sparse,
            byCell = !identical(type, "csc_matrix"), cells = n,
            genes = dims[[2L]]
        ))
        return(DelayedArray::t(DelayedArray::DelayedArray(seed)))
    }
    matrix(.h5Matrix(path, name, found), n)
}

.h5adUnread <- function(path, inside) {
    unlist(lapply(c("obsp", "varp"), function(name) {
        found <- .h5Look(path, inside(name))
        if (length(found$children)) paste0(name, "/", found$children)
    }))
}

## ---- several modalities -----------------------------------------------------

.openH5mu <- function(path, verbose) {
    mods <- .h5Need(path, "mod", "group")$children
    if (!length(mods)) {
        .stopFile(path, "holds no modality: its group mod is empty.")
    }
    parts <- lapply(setNames(nm = mods), function(name) {
        part <- .h5adPart(path, .h5Path("mod", name), verbose)
        part$extra <- NULL
        part
    })
    main <- .mainModality(mods)
    order <- c(main, setdiff(mods, main))
    cells <- Reduce(intersect, lapply(parts[order], `[[`, "cellNames"))
    if (!length(cells)) {
        .stopFile(path, "has no cell that is in all of its modalities: ",
            paste(mods, collapse = ", "), "."
        )
    }
    parts <- lapply(parts, .onlyCells, cells = cells)
    if (!is.null(.h5Look(path, "obs"))) {
        parts[[main]] <- .h5muAbove(path, parts[[main]], cells, mods)
    }
    list(kind = "h5mu", parts = parts[order],
        uns = .h5Tree(path, "uns")
    )
}

## Columns of obs and embeddings above the modalities that the part hasn't;
## obsm also says there which cells each modality has.
.h5muAbove <- function(path, part, cells, mods) {
    frame <- .h5Frame(path, "obs")
    at <- match(cells, frame$names)
    more <- setdiff(names(frame$data), names(part$cells))
    part$cells[more] <- as.list(frame$data[at, more, drop = FALSE])
    shared <- .h5adArrays(path, "obsm", length(frame$names), "obs")
    shared <- shared[setdiff(names(shared), c(mods, names(part$embeddings)))]
    if (!anyNA(at)) {
        part$embeddings <- c(part$embeddings, lapply(shared, function(m) {
            m[at, , drop = FALSE]
        }))
    }
    part
}

.mainModality <- function(names) {
    likely <- grep("^(rna|gex|gene.?expression|transcript.*)$", names,
        ignore.case = TRUE, value = TRUE
    )
    c(likely, grep("rna|gex", names, ignore.case = TRUE, value = TRUE),
        names
    )[[1L]]
}

.onlyCells <- function(part, cells) {
    at <- match(cells, part$cellNames)
    if (identical(at, seq_along(part$cellNames))) {
        return(part)
    }
    part$columns <- at
    part$cellNames <- cells
    part$cells <- part$cells[at, , drop = FALSE]
    part$embeddings <- lapply(part$embeddings, function(m) {
        m[at, , drop = FALSE]
    })
    part
}
