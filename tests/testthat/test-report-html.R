## Tags of reports: what is in them, escaped; what needs nothing else.

test_that("tables escape their text, carry classes and leave NA empty", {
    t <- data.frame(a = c("<b>", NA), b = c("x\ny", "z"))
    html <- as.character(.tagTable(t, row = c("best", ""),
        class = matrix(c("", "", "low", ""), 2)))
    expect_match(html, "&lt;b&gt;", fixed = TRUE)
    expect_no_match(html, "<b>", fixed = TRUE)
    expect_match(html, "<tr class=\"best\">", fixed = TRUE)
    expect_match(html, "<td class=\"low\">", fixed = TRUE)
    expect_match(html, "<div class=\"span\">y</div>", fixed = TRUE)
    expect_match(html, "<td></td>", fixed = TRUE)
    expect_no_match(html, "NA", fixed = TRUE)
})

test_that("long tables are cut, which is said", {
    t <- data.frame(gene = paste0("g", 1:7), p = pi * 10^(1:7))
    html <- as.character(.reportSection("edges", t, most = 3L))
    expect_match(html, "3 of 7 rows.", fixed = TRUE)
    expect_no_match(html, "g4", fixed = TRUE)
    expect_match(html, "31.42", fixed = TRUE)
    expect_no_match(as.character(.reportSection("edges", t)), "rows")
})

test_that("tables are saved from the page as they are", {
    t <- data.frame(gene = c("a,\"b\"", "\u00e9"), p = c(0.1, 1 / 3))
    r <- .report("GRNContrast", .verdict("a"), list(edges = t))
    html <- as.character(.csvLinks(r))
    csv <- sub(".*base64,([^\"]*)\".*", "\\1", html)
    got <- utils::read.csv(text = rawToChar(jsonlite::base64_dec(csv)),
        encoding = "UTF-8")
    expect_equal(got, t)
    expect_match(html, "download=\"edges.csv\"", fixed = TRUE)
    ## no line breaks, as a link must not have them
    expect_no_match(.base64(as.raw(rep(1:100, 10))), "\n", fixed = TRUE)
})
