## A Geneformer folder from a golden BERT: random genes, real weights.

## A dictionary as Python pickles it (protocol 2).
writePickle <- function(x, file) {
    text <- function(s) {
        c(charToRaw("X"), as.raw(c(nchar(s), 0, 0, 0)), charToRaw(s))
    }
    value <- function(v) {
        if (is.character(v)) return(text(v))
        if (v == round(v) && v >= 0 && v < 65536) {
            return(c(charToRaw("M"), as.raw(c(v %% 256, v %/% 256))))
        }
        c(charToRaw("G"), writeBin(as.double(v), raw(), endian = "big"))
    }
    pairs <- unlist(lapply(seq_along(x), function(i) {
        c(text(names(x)[[i]]), value(x[[i]]))
    }))
    writeBin(c(as.raw(c(0x80, 2)), charToRaw("}("), pairs, charToRaw("u.")),
        file
    )
}

geneformerFolder <- function(special = TRUE, symbols = TRUE) {
    dir <- tempfile("geneformer-")
    dir.create(dir)
    from <- fixture("bert_a")
    config <- jsonlite::fromJSON(file.path(from, "config.json"))
    jsonlite::write_json(config, file.path(dir, "config.json"),
        auto_unbox = TRUE, digits = NA
    )
    file.copy(file.path(from, "model.safetensors"), dir)
    ids <- sprintf("ENSG%011d", 1:100)
    extra <- c("<pad>", "<mask>", if (special) c("<cls>", "<eos>"))
    token <- setNames(seq_len(length(extra) + 100L) - 1L, c(extra, ids))
    writePickle(token, file.path(dir, "token_dictionary_gc95M.pkl"))
    writePickle(setNames(1 + (1:100) / 7, ids),
        file.path(dir, "gene_median_dictionary_gc95M.pkl")
    )
    if (symbols) {
        writePickle(setNames(ids, paste0("Sym", 1:100)),
            file.path(dir, "gene_name_id_dict_gc95M.pkl")
        )
    }
    dir
}

## Counts of 30 genes that the dictionary has and 3 it hasn't.
geneformerCounts <- function(n = 12) {
    genes <- c(sprintf("ENSG%011d", 1:30), sprintf("ENSG%011d", 901:903))
    counts <- outer(seq_along(genes), seq_len(n), function(g, c) {
        (g * 7 + c * 11 + g * c) %% 9
    })
    dimnames(counts) <- list(genes, paste0("cell", seq_len(n)))
    counts
}
