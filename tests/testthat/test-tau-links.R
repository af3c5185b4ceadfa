test_that("distances are signed by strand and 0 in the body", {
    peaks <- c("chr1:9000-9500", "chr1:15000-15100", "chr1:20001-20100",
        "chr1:59000-61000", "chr1:61500-61600", "chr1:49000-49999",
        "chr2:2500-2600", "chr1:8000-9999"
    )
    l <- linkPeaks(peaks, genesTable(), window = 5000)
    at <- function(gene, peak) l[l$gene == gene & l$peak == peak, ]
    expect_identical(at("A", peaks[[1]])$distance, -500)
    expect_identical(at("A", peaks[[8]])$distance, -1)
    expect_identical(at("A", peaks[[2]])[c("distance", "type")]$distance, 0)
    expect_identical(at("A", peaks[[2]])$type, "body")
    expect_identical(at("A", peaks[[3]])$distance, 10001)
    expect_identical(at("A", peaks[[3]])$type, "distal")
    expect_identical(at("B", peaks[[4]])$distance, 0)
    expect_identical(at("B", peaks[[4]])$type, "promoter")
    expect_identical(at("B", peaks[[5]])$distance, -1500)
    expect_identical(at("B", peaks[[6]])$distance, 10001)
    expect_identical(at("C", peaks[[7]])$distance, 1500)
    expect_identical(nrow(l), 8L)
    expect_identical(l$gene, rep(c("A", "B", "C"), c(4, 3, 1)))
    up <- linkPeaks(peaks, genesTable(), window = 0, upstream = 2000)
    expect_setequal(up$peak[up$gene == "B"], peaks[4:5])
    expect_setequal(up$peak[up$gene == "A"], peaks[c(1, 2, 8)])
})

test_that("overlaps agree with looking at all pairs", {
    set.seed(1)
    random <- function(n, width) {
        start <- floor(runif(n, 1, 1e4))
        list(chr = sample(c("a", "b", "c_d"), n, TRUE), start = start,
            end = start + floor(runif(n, 0, width))
        )
    }
    for (k in seq_len(20)) {
        q <- random(17, 800)
        s <- random(40, if (k %% 2) 100 else 3000)
        got <- .overlaps(q, s)
        all <- expand.grid(q = seq_len(17), s = seq_len(40))
        hit <- q$chr[all$q] == s$chr[all$s] & q$start[all$q] <= s$end[all$s] &
            q$end[all$q] >= s$start[all$s]
        expect_setequal(paste(got$query, got$subject),
            paste(all$q, all$s)[hit]
        )
    }
    ## touching ends count, and a neighbour on the next chromosome doesn't
    one <- list(chr = "a", start = 5, end = 10)
    expect_length(.overlaps(one, list(chr = "a", start = 10, end = 12))$query,
        1L
    )
    expect_length(.overlaps(one, list(chr = "b", start = 5, end = 10))$query,
        0L
    )
})

test_that("links of the real 10x data are found again", {
    coordinates <- sharedData("04_resources", "gene_coordinates",
        "gene_coordinates_homo_sapiens.csv.gz"
    )
    file <- sharedData("02_multiome", "muon_10x_multiome_1000",
        "test_rna_atac.h5mu"
    )
    skip_if_not_installed("rhdf5")
    known <- rhdf5::h5read(file, "mod/atac/uns/atac/peak_annotation")
    peaks <- as.vector(rhdf5::h5read(file, "mod/atac/var/_index"))
    genes <- as.vector(rhdf5::h5read(file, "mod/rna/var/_index"))
    links <- linkPeaks(peaks, read.csv(coordinates), features = genes)
    expect_setequal(links$peak, peaks)
    pairs <- merge(links, data.frame(gene = as.vector(known$gene),
        peak = as.vector(known$peak), known = as.numeric(known$distance)
    ))
    ## the others have genes under names the annotation has changed since
    expect_gt(nrow(pairs), 0.8 * length(known$gene))
    out <- pairs$distance != 0 & pairs$known != 0
    expect_gt(sum(out), 10)
    expect_gt(mean(sign(pairs$distance[out]) == sign(pairs$known[out])), 0.95)
})

test_that("another genome build is told by the starts of genes", {
    x <- simulateMultiome(20, 220, seed = 1)
    genes <- S4Vectors::metadata(x)$genes
    peaks <- rownames(SingleCellExperiment::altExp(x))
    expect_silent(linkPeaks(peaks, genes))
    expect_gt(.buildRatio(.peakTable(peaks), .geneTable(genes, NULL, FALSE)), 3)
    other <- genes
    other$start <- genes$start + 37000
    other$end <- genes$end + 37000
    expect_warning(linkPeaks(peaks, other), "one genome build")
    ## too few genes say nothing
    expect_silent(linkPeaks(peaks, other[1:150, ]))
})
