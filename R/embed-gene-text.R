## Genes to vectors by what Gene Ontology says of them.

#' Gene embeddings from texts of Gene Ontology
#'
#' What scCAFM's gene table starts from: every GO term of a gene is a text, "GO
#' term: NAME. Domain: DOMAIN.", that an encoder of texts turns into a vector
#' (the mean of its tokens); the gene's vector is the mean of these. A gene
#' without terms has the vector of "GO term: unknown. Domain: unknown.".
#'
#' Nothing is downloaded: terms come from the caller, as of BioMart
#' (`external_gene_name` or `ensembl_gene_id`, `name_1006`, `namespace_1003`) or
#' of an annotation package. What terms say is what is known: genes that were
#' studied much have many, which says little about their part in a cell
#' ([evaluateGeneFunction()] holds gene vectors beside expression).
#'
#' @param x names of genes (symbols or Ensembl identifiers), or an `SFModel` or
#'   `EFModel`, for the genes of its vocabulary.
#' @param go terms: a data.frame with the columns `gene`, `term` (the term's
#'   name) and, for the domain, `domain`, `branch` or `ONTOLOGY` (BP, MF, CC or in
#'   full), or with BioMart's column names; or a named list of genes, its names
#'   those of terms.
#' @param model a [BertModel-class], of [loadModel()]; published: PubMedBERT.
#' @param maxLength most tokens of a text, at most what the encoder reads.
#' @param verbose say how many genes have terms?
#' @return A matrix, genes x width of the encoder; attribute `terms`: how many
#'   different texts of each gene were read, 0 where it has none.
#'   [newModel()] takes it as `geneVectors`.
#' @section Errors: no gene of `x` in `go`; terms without a name; see also
#'   [embedText()].
#' @references scCAFM, repository Catchxu/scCAFM (GPL-3).
#' @seealso [embedText()], [newModel()], [evaluateGeneFunction()]
#' @examples
#' bert <- loadModel(system.file("extdata", "bert", package = "causeway"))
#' go <- data.frame(gene = c("MYOG", "MYOG", "PAX7"),
#'     term = c("muscle cell differentiation", "nucleus", "stem cell"),
#'     domain = c("BP", "CC", "BP"))
#' v <- geneTextEmbeddings(c("MYOG", "PAX7", "ACTB"), go, bert)
#' attr(v, "terms")
#' ## a model whose gene table starts from them
#' newModel(EFMParam(embedDim = ncol(v), layers = 1, heads = 2),
#'     genes = rownames(v), geneVectors = v, seed = 1)
#' @export
geneTextEmbeddings <- function(x, go, model, maxLength = 512,
    verbose = interactive()) {
    .given(go, "go", "a data.frame of genes and the names of their GO terms")
    .given(model, "model", "an encoder of texts, of loadModel()")
    if (!methods::is(model, "BertModel")) {
        .stopArgument("model", "must be an encoder of texts (BERT), from ",
            "loadModel(); it is a ", class(model)[[1L]], "."
        )
    }
    .alive(model)
    .checkFlag(verbose, "verbose")
    maxLength <- min(.checkNumber(maxLength, "maxLength", 4, whole = TRUE),
        model@config$max_position_embeddings
    )
    vocab <- .namedGenes(x)
    go <- .goTexts(go)
    type <- if (.isEnsembl(go$gene)) "ensembl" else "symbol"
    go$at <- match(.lookupTokens(vocab, .cleanNames(go$gene, type), type),
        vocab$token_index)
    go <- unique(go[!is.na(go$at), c("at", "text")])
    genes <- nrow(vocab)
    if (!nrow(go)) {
        .stopArgument("go", "has no term of these genes; they are like ",
            .some(vocab$label, 3L), ". Are the names of one kind?"
        )
    }
    terms <- tabulate(go$at, genes)
    none <- which(terms == 0L)
    .say(verbose, genes - length(none), " of ", .count(genes, "gene"),
        " have GO terms, ", length(unique(go$text)), " different ones."
    )
    go <- rbind(go, data.frame(at = none, text = rep(paste0("GO term: ",
        "unknown. Domain: unknown."), length(none))))
    texts <- unique(go$text)
    vectors <- embedText(texts, model, pooling = "mean", normalise = FALSE,
        maxLength = maxLength, verbose = verbose
    )
    mean <- Matrix::sparseMatrix(go$at, match(go$text, texts),
        x = 1 / pmax(terms, 1L)[go$at], dims = c(genes, length(texts))
    )
    out <- as.matrix(mean %*% unname(vectors))
    rownames(out) <- vocab$label
    attr(out, "terms") <- setNames(terms, vocab$label)
    out
}

## The genes as a vocabulary without padding, with `label`.
.namedGenes <- function(x) {
    if (methods::is(x, "ScCAFMModel")) {
        vocab <- x@vocab[!x@vocab$gene_id %in% .padId, ]
        vocab$label <- ifelse(is.na(vocab$gene_symbol), vocab$gene_id,
            vocab$gene_symbol)
        return(vocab)
    }
    if (!is.character(x) || !length(x) || anyNA(x)) {
        .stopArgument("x", "must be names of genes, an SFModel or an EFModel; ",
            "it is ", .show(x), "."
        )
    }
    twice <- unique(x[duplicated(.cleanSymbol(x))])
    if (length(twice)) {
        .stopArgument("x", "names a gene twice: ", .some(twice), ".")
    }
    type <- if (.isEnsembl(x)) "ensembl" else "symbol"
    vocab <- .makeVocab(.cleanNames(x, type), NULL, type)[-1L, ]
    vocab$label <- x
    vocab
}

.goDomains <- c(BP = "biological_process", MF = "molecular_function",
    CC = "cellular_component"
)

## data.frame(gene, text), in the order given.
.goTexts <- function(go) {
    if (is.list(go) && !is.data.frame(go)) {
        go <- .termRows(go)
    }
    column <- function(names) {
        found <- intersect(names, colnames(go))
        if (length(found)) as.character(go[[found[[1L]]]])
    }
    gene <- column(c("gene", "symbol", "SYMBOL", "external_gene_name",
        "hgnc_symbol", "ensembl_gene_id", "ENSEMBL"
    ))
    term <- column(c("term", "name", "TERM", "name_1006"))
    domain <- column(c("domain", "branch", "ONTOLOGY", "ONTOLOGYALL",
        "ontology", "namespace_1003"
    ))
    if (!is.data.frame(go) || is.null(gene) || is.null(term)) {
        .stopArgument("go", "must be a data.frame with the columns gene and ",
            "term (and domain), or a named list of genes; it ",
            if (is.data.frame(go)) paste("has", .some(names(go), 8L)) else
                paste("is a", class(go)[[1L]]), "."
        )
    }
    if (is.null(domain)) {
        domain <- rep("unknown", length(gene))
    }
    short <- domain %in% names(.goDomains)
    domain[short] <- .goDomains[domain[short]]
    domain[is.na(domain) | !nzchar(trimws(domain))] <- "unknown"
    keep <- !is.na(gene) & nzchar(trimws(gene)) & !is.na(term) &
        nzchar(trimws(term))
    data.frame(gene = gene, text = paste0("GO term: ", trimws(term),
        ". Domain: ", trimws(domain), "."))[keep, ]
}

## ---- the table of a model ---------------------------------------------------

## The gene table of a new model starts from these where it knows the gene.
.startVectors <- function(model, vectors, verbose) {
    if (is.null(vectors)) {
        return(model)
    }
    .sideEmbedding(vectors, "geneVectors")
    name <- .geneTensor(model)
    table <- modelTensor(model, name)
    if (ncol(vectors) != ncol(table)) {
        .stopArgument("geneVectors", "has vectors of ", ncol(vectors),
            " numbers, and the model is ", ncol(table), " wide; say embedDim ",
            "= ", ncol(vectors), " (a multiple of 'heads'), or give their ",
            "first principal components."
        )
    }
    names <- rownames(vectors)
    type <- if (.isEnsembl(names)) "ensembl" else "symbol"
    token <- .lookupTokens(model@vocab, .cleanNames(names, type), type)
    known <- token >= 0L & !duplicated(token)
    if (!any(known)) {
        .stopArgument("geneVectors", "has none of the model's genes; its ",
            "names are like ", .some(names, 3L), "."
        )
    }
    table[token[known] + 1L, ] <- vectors[known, , drop = FALSE]
    setModelTensor(model, name, table)
    .say(verbose, sum(known), " of ", .count(nrow(model@vocab) - 1L, "gene"),
        " start from the vectors given, the others from random ones."
    )
    model
}
