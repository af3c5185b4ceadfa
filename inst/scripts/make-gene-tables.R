## Makes the tables behind reconcileGenes(): genes_human.tsv.xz,
## genes_mouse.tsv.xz and homologs.tsv.xz in inst/extdata.
##
##   Rscript inst/scripts/make-gene-tables.R RESOURCES OUTDIR
##
## RESOURCES holds the folders hgnc, gene_coordinates and homologs.
##
## Human: every gene of HGNC's complete set (genenames.org, CC0; copy in
## chanzuckerberg/single-cell-curation, commit 6469eaa28770) that is not
## withdrawn, with its approved, previous and alias symbols; and of
## org.Hs.eg.db (Debian r-bioc-org.hs.eg.db 3.16.0, Entrez Gene 2022-Sep12,
## Artistic-2.0) the Ensembl identifiers, the aliases that HGNC does not have,
## and the genes that HGNC does not have if they have an Ensembl identifier.
## Where the two give one Entrez gene different symbols the later one, that of
## org.Hs.eg.db, is the current symbol, HGNC's (of 2020-05-27) a previous one;
## but the 37 mitochondrial genes keep HGNC's (MT-ND1), Entrez's (ND1) being
## taken for a previous one. Column preferred: the aliases that several genes
## share and that are taken for this gene, by preferredNames() below.
##
## Mouse: org.Mm.eg.db is not in Debian 12. Symbols and Ensembl identifiers are
## those of GENCODE (gene_coordinates_mus_musculus.csv.gz, same repository,
## MIT, commit 1971822c3b36; GENCODE's data are free to use); aliases those of
## MGI (CC BY 4.0) in mouse.table of the package HGNChelper (GPL >= 2, commit
## 330c96f9c361) whose approved symbol is such a gene. MGI's table does not
## tell previous symbols from aliases. Dates that spreadsheets made of symbols
## are left out, but 4-Oct of Pou5f1 says that Oct4 is an alias of it, which
## the table has in no other form: those are undone.
##
## Homologs: the pairs of hgnc_mgi_annotation.rds of the package
## saezlab/dorothea (GPL-3, commit 1461fb75e23e; from Ensembl) in present
## symbols, those that are one-to-one.

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) != 2L) {
    stop("usage: Rscript make-gene-tables.R RESOURCES OUTDIR")
}
from <- function(...) file.path(arguments[[1L]], ...)
suppressMessages(library(org.Hs.eg.db))
join <- function(x) paste(sort(unique(x[nzchar(x)]), method = "radix"),
    collapse = "|")
parts <- function(x) strsplit(x, "|", fixed = TRUE)
## Values by gene of two parallel vectors, joined
byGene <- function(gene, value, genes) {
    v <- tapply(value, factor(gene, genes), join)
    v[is.na(v)] <- ""
    as.vector(v)
}
write <- function(x, name) {
    out <- xzfile(file.path(arguments[[2L]], name), "wb", compression = 9)
    on.exit(close(out))
    utils::write.table(x, out, sep = "\t", quote = FALSE, row.names = FALSE,
        na = ""
    )
}
## ASCII, and nothing that would break the table
clean <- function(x) {
    plain <- !is.na(iconv(x, "UTF-8", "ASCII"))
    plain & !grepl("[\t\"|\n]", ifelse(plain, x, "")) & nzchar(x)
}
isDate <- function(x) {
    month <- "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
    grepl(paste0("^[0-9]{1,4}[-/. ]", month, "$|^", month,
        "[-/. ][0-9]{1,4}$|^[0-9]+[-/.][0-9]+([-/.][0-9]+)?$"
    ), tolower(x))
}

## Aliases of several genes that are taken for one of them: that of the CD
## antigen of this name, the only one that codes for a protein, the only such
## one to which HGNC itself gives the alias (Entrez collects what papers used).
## "" where there is none. `human`: the table; `hgnc`: HGNC's.
preferredNames <- function(human, hgnc) {
    at <- match(human$entrez, ifelse(nzchar(hgnc$entrez_id), hgnc$entrez_id, NA))
    bySymbol <- match(human$symbol, hgnc$approved)
    at[is.na(at)] <- bySymbol[is.na(at)]
    field <- function(name) {
        toupper(ifelse(is.na(at), "", hgnc[[name]][at]))
    }
    listed <- function(x) {
        values <- parts(toupper(x))
        unique(data.frame(name = unlist(values),
            gene = rep(seq_along(values), lengths(values))
        ))
    }
    shared <- listed(human$alias)
    shared <- shared[!(shared$name %in% c(toupper(human$symbol),
        listed(human$previous)$name)), ]
    shared <- shared[shared$name %in% shared$name[duplicated(shared$name)], ]
    own <- listed(paste(field("alias_symbol"), field("prev_symbol"), sep = "|"))
    key <- paste(shared$name, shared$gene)
    coding <- field("locus_group")[shared$gene] == "PROTEIN-CODING GENE"
    ways <- list(shared$name == field("cd")[shared$gene], coding,
        coding & key %in% paste(own$name, own$gene)
    )
    winner <- rep(FALSE, nrow(shared))
    for (way in ways) {
        open <- !(shared$name %in% shared$name[winner])
        names <- shared$name[way & open]
        once <- names[!(names %in% names[duplicated(names)])]
        winner <- winner | way & shared$name %in% once
    }
    byGene(shared$gene[winner], shared$name[winner], seq_len(nrow(human)))
}

## ---- human -----------------------------------------------------------------

hgnc <- utils::read.delim(gzfile(from("hgnc", "hgnc_complete_set.txt.gz")),
    quote = "\"", comment.char = "", colClasses = "character"
)
hgnc <- hgnc[hgnc$status == "Approved", ]
db <- org.Hs.eg_dbconn()
ask <- function(sql) DBI::dbGetQuery(db, sql)
info <- ask("SELECT gene_id AS entrez, symbol FROM gene_info
    JOIN genes USING (_id)")
ensembl <- ask("SELECT gene_id AS entrez, ensembl_id AS id FROM ensembl
    JOIN genes USING (_id)")
alias <- ask("SELECT gene_id AS entrez, alias_symbol AS name FROM alias
    JOIN genes USING (_id)")
alias <- alias[clean(alias$name), ]

own <- match(hgnc$entrez_id, info$entrez)
now <- ifelse(is.na(own), hgnc$symbol, info$symbol[own])
mitochondrial <- grepl("^MT-", hgnc$symbol)
other <- ifelse(mitochondrial, now, hgnc$symbol)
hgnc$prev_symbol <- ifelse(now == hgnc$symbol, hgnc$prev_symbol,
    paste(other, hgnc$prev_symbol, sep = "|")
)
hgnc$approved <- hgnc$symbol
hgnc$symbol <- ifelse(mitochondrial, hgnc$symbol, now)
hgnc <- hgnc[order(is.na(own)), ] # of two with one symbol, Entrez's
hgnc <- hgnc[!duplicated(toupper(hgnc$symbol)), ]
other <- info[!(info$entrez %in% hgnc$entrez_id) &
    !(toupper(info$symbol) %in% toupper(hgnc$symbol)) &
    info$entrez %in% ensembl$entrez, ]
other <- other[!duplicated(toupper(other$symbol)), ]
human <- data.frame(
    symbol = c(hgnc$symbol, other$symbol),
    entrez = c(hgnc$entrez_id, other$entrez),
    main = c(hgnc$ensembl_gene_id, rep("", nrow(other))),
    previous = c(hgnc$prev_symbol, rep("", nrow(other))),
    alias = c(hgnc$alias_symbol, rep("", nrow(other)))
)
entrez <- human$entrez
entrez[!nzchar(entrez)] <- NA
known <- unique(entrez[!is.na(entrez)])
ids <- byGene(ensembl$entrez, ensembl$id, known)
more <- byGene(alias$entrez, alias$name, known)
pick <- function(v) ifelse(is.na(entrez), "", v[match(entrez, known)])
human$ensembl <- mapply(function(a, b) {
    b <- setdiff(b, a)
    paste(c(a[nzchar(a)], sort(b, method = "radix")), collapse = "|")
}, human$main, parts(pick(ids)))
human$previous <- mapply(function(name, p) {
    join(p[toupper(p) != toupper(name) & clean(p) & !isDate(p)])
}, human$symbol, parts(human$previous))
human$alias <- mapply(function(name, p, a, b) {
    a <- c(a, b)
    join(a[!(toupper(a) %in% toupper(c(name, p))) & clean(a) & !isDate(a)])
}, human$symbol, parts(human$previous), parts(human$alias), parts(pick(more)))
human$ensembl <- gsub("ENSG0*", "", human$ensembl)
human$preferred <- preferredNames(human, hgnc)
human <- human[order(human$symbol, method = "radix"),
    c("symbol", "ensembl", "entrez", "previous", "alias", "preferred")]
stopifnot(!anyDuplicated(human$symbol))
write(human, "genes_human.tsv.xz")

## ---- mouse -----------------------------------------------------------------

## "4-Oct" -> "Oct4"
undoDates <- function(table) {
    made <- grepl("^[0-9]{1,2}-[A-Z][a-z]{2}$", table$Symbol)
    again <- table[made, ]
    again$Symbol <- sub("^([0-9]+)-([A-Za-z]+)$", "\\2\\1", again$Symbol)
    rbind(table, again[!(again$Symbol %in% table$Symbol), ])
}


gencode <- utils::read.csv(gzfile(from("gene_coordinates",
    "gene_coordinates_mus_musculus.csv.gz"
)), colClasses = "character", quote = "\"")
gencode$id <- sub("\\..*$", "", gencode$gene_id)
gencode <- gencode[gencode$gene_name != gencode$id, ]
env <- new.env()
load(from("hgnc", "mouse.table.rda"), env)
mgi <- undoDates(env$mouse.table)
mgi <- mgi[mgi$Approved.Symbol %in% gencode$gene_name &
    mgi$Symbol != mgi$Approved.Symbol & clean(mgi$Symbol) &
    !isDate(mgi$Symbol) & !grepl("^ENSMUS", mgi$Symbol), ]
symbols <- sort(unique(gencode$gene_name), method = "radix")
mouse <- data.frame(
    symbol = symbols, ensembl = byGene(gencode$gene_name,
        sub("ENSMUSG0*", "", gencode$id), symbols
    ),
    alias = byGene(mgi$Approved.Symbol, mgi$Symbol, symbols)
)
write(mouse, "genes_mouse.tsv.xz")

## ---- homologs --------------------------------------------------------------

present <- function(x, table) {
    current <- toupper(table$symbol)
    old <- parts(paste0(if (is.null(table$previous)) table$alias else
        table$previous))
    from <- toupper(unlist(old))
    to <- rep(table$symbol, lengths(old))
    twice <- from %in% from[duplicated(from)]
    out <- table$symbol[match(toupper(x), current)]
    at <- match(toupper(x), ifelse(twice, NA, from))
    ifelse(is.na(out), to[at], out)
}
pairs <- as.data.frame(readRDS(from("homologs", "hgnc_mgi_annotation.rds")))
pairs <- unique(data.frame(
    mouse = present(pairs$mgi_symbol, mouse),
    human = present(pairs$hgnc_symbol, human)
))
pairs <- pairs[!is.na(pairs$mouse) & !is.na(pairs$human), ]
once <- function(x) !(x %in% x[duplicated(x)])
pairs <- pairs[once(pairs$mouse) & once(pairs$human), ]
write(pairs[order(pairs$mouse, method = "radix"), ], "homologs.tsv.xz")
cat(nrow(human), "human genes,", nrow(mouse), "mouse genes,", nrow(pairs),
    "pairs; HGNC of", max(hgnc$date_modified), "\n")
