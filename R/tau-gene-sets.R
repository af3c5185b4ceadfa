## Sets of genes that delays are checked against.

#' Gene sets for checking delays
#'
#' Small sets of human gene symbols that the specification of the method names,
#' and a wider list of immediate-early genes.
#'
#' @return A list of character vectors: `immediateEarly` and `pioneer` (factors
#'   that prime chromatin) and `feedback` as the specification has them;
#'   `immediateEarlyWide`, 141 genes of Wu et al.; `pioneerRegulons`, the
#'   factors whose target genes the specification expects to be slow.
#' @references Wu et al. 2017, Neuron 96, 313-329 (supplementary table 4), as
#'   distributed with the R package scCustomize.
#' @seealso [validateTau()], [plotTau()]
#' @examples
#' tauGeneSets()$immediateEarly
#' lengths(tauGeneSets())
#' @export
tauGeneSets <- function() {
    words <- function(...) strsplit(paste(...), " ", fixed = TRUE)[[1L]]
    list(
        immediateEarly = words("FOS JUN JUNB EGR1 NR4A1 NR4A2 ATF3"),
        pioneer = words("SPI1 CEBPA CEBPB GATA2 IRF8 RUNX1"),
        feedback = words("AHR NR4A1"),
        immediateEarlyWide = .sortedUnique(words(.wideImmediateEarly)),
        pioneerRegulons = words("PU.1 SPI1 CEBPA GATA2 RUNX1")
    )
}

.wideImmediateEarly <- paste(
    "CCL7 CCL2 TNFSF9 SIK1B RASD1 NUP98 CEBPD NFKBID NOCT FOS IER2 HBEGF RHEB",
    "PLAU IFNB1 PCDH8 WEE1 FBXO33 PMAIP1 DUSP1 PLK2 TSC22D1 MAP3K8 PIAS1",
    "KLF10 BDNF CCN2 TRIB1 SOD2 IER3 PLAT RCAN1 ZFP36 CCL5 NFKBIA NRN1 KLF2",
    "SERPINE1 MAFF NCOA7 GDF15 LDLR TNF CCRL2 CCL18 CCL3 FOSL1 DUSP2 INHBA",
    "JUND NR4A1 EGR3 IRF1 IFIT3 IFIT1B NR4A3 PER2 GADD45G SOCS3 TLR2 PELI1",
    "IL1A RGS2 CSF2 F3 APOLD1 ACKR4 BHLHE40 IL23A GBP2 IL1B ARIH1 JUN NPTX2",
    "FOSB EGR1 MBNL2 VCAM1 ZFP36L2 ARF4 MMP13 JUNB ZFP36L1 CCN1 NPAS4",
    "PPP1R15A EGR4 NFKBIZ ARC MCL1 RGS1 KLF6 CLEC4E SGK1 ARHGEF3 EGR2 IFIT2",
    "ID2 DUSP6 SIK1 DUSP5 NFIB SAA2 SAA1 THBS1 FOSL2 ICAM1 CXCL10 CSRNP1 BCL3",
    "MARCKSL1 HOMER1 TRAF1 ATF3 FLG SRF PIM1 GADD45B HES1 GEM TNFAIP3 PER1",
    "CREM CD69 IL6 BTG2 ACOD1 CEBPB CXCL11 IL12B NR4A2 PTGS2 IKBKE TXNIP CD83",
    "IER5 IL10 MYC CXCL12 SLC2A3 CXCL1"
)
