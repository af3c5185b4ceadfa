## Makes inst/extdata/tfs_human.csv and inst/extdata/tfs_mouse.csv.
##
##   Rscript inst/scripts/make-tf-catalogue.R HOMOLOGS.rds OUTDIR
##
## Human: every gene annotated to GO:0003700 (DNA-binding transcription factor
## activity) or to one of its children (GOALL), by any evidence code, in
## org.Hs.eg.db (Debian r-bioc-org.hs.eg.db 3.16.0: Entrez Gene 2022-Sep12,
## GO 2022-07-01; annotation package Artistic-2.0, Gene Ontology CC BY 4.0).
## Nothing is added or removed by hand. ID1 to ID4 are not in the list: GO
## gives them GO:0140416 (transcription regulator inhibitor activity).
##
## Mouse: org.Mm.eg.db is not in Debian 12, so the mouse list is the human
## list carried over by homology: pairs (human symbol, mouse symbol) that are
## one-to-one in hgnc_mgi_annotation.rds of the GPL-3 package
## saezlab/dorothea (commit 1461fb75e23e, inst/extdata/annotations). Human
## factors without a one-to-one partner have no mouse entry. The mouse list
## is therefore second-hand: it holds no factor that only mice have.

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) != 2L) {
    stop("usage: Rscript make-tf-catalogue.R HOMOLOGS.rds OUTDIR")
}
suppressMessages(library(org.Hs.eg.db))

rows <- suppressMessages(AnnotationDbi::select(
    org.Hs.eg.db,
    keys = "GO:0003700", keytype = "GOALL",
    columns = c("SYMBOL", "ENTREZID", "EVIDENCEALL")
))
rows <- rows[!is.na(rows$SYMBOL), ]
evidence <- vapply(
    split(rows$EVIDENCEALL, rows$SYMBOL),
    function(x) paste(sort(unique(x)), collapse = "|"), character(1)
)
ensembl <- suppressMessages(AnnotationDbi::select(
    org.Hs.eg.db,
    keys = unique(rows$ENTREZID), keytype = "ENTREZID", columns = "ENSEMBL"
))
ensembl <- vapply(
    split(ensembl$ENSEMBL, ensembl$ENTREZID),
    function(x) paste(sort(unique(x[!is.na(x)])), collapse = "|"),
    character(1)
)
entrez <- rows$ENTREZID[match(names(evidence), rows$SYMBOL)]
human <- data.frame(
    TF = names(evidence), ensembl = unname(ensembl[entrez]), entrez = entrez,
    evidence = unname(evidence)
)
human <- human[order(human$TF, method = "radix"), ]

pairs <- unique(as.data.frame(readRDS(arguments[[1L]])))
pairs <- pairs[
    !is.na(pairs$mgi_symbol) & !is.na(pairs$hgnc_symbol) &
        nzchar(pairs$mgi_symbol) & nzchar(pairs$hgnc_symbol),
]
once <- function(x) !(x %in% x[duplicated(x)])
pairs <- pairs[once(pairs$hgnc_symbol) & once(pairs$mgi_symbol), ]
partner <- pairs$mgi_symbol[match(human$TF, pairs$hgnc_symbol)]
mouse <- data.frame(TF = partner, human = human$TF)[!is.na(partner), ]
mouse <- mouse[order(mouse$TF, method = "radix"), ]

write.csv(human, file.path(arguments[[2L]], "tfs_human.csv"),
    row.names = FALSE, quote = FALSE, na = ""
)
write.csv(mouse, file.path(arguments[[2L]], "tfs_mouse.csv"),
    row.names = FALSE, quote = FALSE
)
message(nrow(human), " human and ", nrow(mouse), " mouse factors")
