## Places of files: what is at a path stays until the new content is whole.

newFolder <- function() {
    folder <- tempfile("place-")
    dir.create(folder)
    normalizePath(folder)
}

everything <- function(folder) {
    list.files(folder, all.files = TRUE, no.. = TRUE)
}

test_that("links stay links, modes stay, content is replaced", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    target <- file.path(folder, "target.csv")
    link <- file.path(folder, "link.csv")
    writeLines("old", target)
    Sys.chmod(target, "640", use_umask = FALSE)
    file.symlink("target.csv", link)
    .writeLines("new", link)
    expect_identical(Sys.readlink(link), "target.csv")
    expect_identical(readLines(target), "new")
    expect_identical(format(file.mode(target)), "640")
    ## a link to what isn't there yet makes it there
    file.symlink(file.path(folder, "later.csv"), file.path(folder, "b.csv"))
    .writeLines("made", file.path(folder, "b.csv"))
    expect_identical(readLines(file.path(folder, "later.csv")), "made")
    ## a new file gets the mode that any new file gets
    file.create(file.path(folder, "plain"))
    .writeLines("x", file.path(folder, "fresh"))
    expect_identical(file.mode(file.path(folder, "fresh")),
        file.mode(file.path(folder, "plain"))
    )
    round <- file.path(folder, "round")
    file.symlink(round, file.path(folder, "other"))
    file.symlink(file.path(folder, "other"), round)
    expect_error(.writeLines("x", round), "circle")
    expect_false(any(grepl("part", everything(folder))))
})

test_that("what is no regular file is refused by name and left alone", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    expect_error(.writeLines("x", folder), "is a folder")
    expect_error(.writeLines("x", file.path(folder, "new/")), "folder")
    pipe <- file.path(folder, "pipe")
    skip_if(system2("mkfifo", shQuote(pipe)) != 0, "no mkfifo")
    expect_error(.writeLines("x", pipe), "device or pipe: .*pipe")
    expect_error(.writeLines("x", "/dev/null"), "device or pipe")
    expect_identical(everything(folder), "pipe")
})

test_that("an error or an interrupt leaves what was there, and nothing else", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    file <- file.path(folder, "a[1]*?.csv")
    .writeLines("precious", file)
    expect_error(.writeLines("x", file, overwrite = FALSE), "exists")
    expect_error(.writeFile(file, TRUE, function(part) {
        writeLines("half", part)
        stop("broken off")
    }), "broken off")
    tryCatch(.writeFile(file, TRUE, function(part) {
        writeLines("half", part)
        signalCondition(structure(class = c("interrupt", "condition"),
            list(message = "", call = NULL)
        ))
    }), interrupt = function(e) NULL)
    expect_error(.writeBeside(file, TRUE, function(con) {
        writeLines("short", con)
        c(rows = 1, bytes = 99)
    }), "could not be written whole")
    expect_identical(readLines(file), "precious")
    ## made by another process while we wrote
    expect_error(.writeFile(file.path(folder, "b"), FALSE, function(part) {
        writeLines("theirs", file.path(folder, "b"))
    }), "exists by now")
    expect_identical(readLines(file.path(folder, "b")), "theirs")
    expect_setequal(everything(folder), c("a[1]*?.csv", "b"))
})

test_that("no name is taken for a pattern", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    for (name in c("run1.h5", "run[1].h5", "r*", "?un1.h5")) {
        file.create(file.path(folder, name))
    }
    .removeFile(file.path(folder, c("run[1].h5", "r*", "?un1.h5")))
    expect_identical(everything(folder), "run1.h5")
})

test_that("odd names, long paths and wrong arguments", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    old <- setwd(folder)
    on.exit(setwd(old), add = TRUE, after = FALSE)
    latin <- "caf\xe9.csv"
    long <- strrep("n", 255)
    for (name in c("with space.csv", latin, long, "-x", "%s%n.csv", "\\.csv")) {
        .writeLines("x", name)
        .writeLines("y", name, overwrite = TRUE)
        expect_identical(readLines(name), "y")
    }
    expect_length(everything(folder), 6)
    expect_error(.writeLines("x", strrep("n", 256)), "'file' .*too long")
    deep <- paste(rep("d", 2100), collapse = "/")
    expect_error(.writeLines("x", deep), "'file' is a path of 4199 bytes")
    for (bad in list(NULL, NA, NA_character_, c("a", "b"), 3, "", list("a"))) {
        expect_error(.writeLines("x", bad), "'file' must be")
    }
    expect_error(.writeLines("x", "a.csv", overwrite = NULL), "overwrite")
    expect_error(.writeLines("x", "no/a.csv"), "doesn't exist")
    place <- .filePlace("later.csv", FALSE)
    expect_identical(place$path, file.path(folder, "later.csv"))
    home <- .filePlace("~/cw-not-there.csv", FALSE)
    expect_identical(home$path,
        file.path(normalizePath("~"), "cw-not-there.csv")
    )
})

test_that("a file or folder that can't be written is named", {
    skip_if(identical(Sys.info()[["user"]], "root"), "root may write anything")
    folder <- newFolder()
    file <- file.path(folder, "a")
    writeLines("old", file)
    on.exit({
        Sys.chmod(folder, "755")
        unlink(folder, recursive = TRUE)
    })
    Sys.chmod(file, "444")
    expect_error(.writeLines("x", file), "is read-only")
    Sys.chmod(folder, "555")
    expect_error(.writeLines("x", file.path(folder, "b")), "read-only")
    expect_identical(readLines(file), "old")
})

test_that("a full disk costs nothing", {
    skip_if_not(file.exists("/dev/full"))
    ## a limit on the size of files stands for a full disk
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    file <- file.path(folder, "a.csv")
    writeLines("old", file)
    code <- sprintf(paste("library(causeway); r <- tryCatch(causeway:::",
        ".writeLines(rep('0123456789', 1e5), '%s'), error =",
        "conditionMessage); cat(r)", sep = ""
    ), file)
    said <- rscript(code, before = "trap '' XFSZ; ulimit -f 100;")
    expect_match(said, "could not be written whole", all = FALSE)
    expect_identical(readLines(file), "old")
    expect_identical(everything(folder), "a.csv")
})

test_that("leftovers of dead processes go; other hidden files stay", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    file <- file.path(folder, "net.csv")
    job <- parallel::mcparallel(.writeFile(file, TRUE, function(part) {
        writeLines("half", part)
        tools::pskill(Sys.getpid(), tools::SIGKILL)
        Sys.sleep(9)
    }), silent = TRUE)
    suppressWarnings(parallel::mccollect(job))
    ## its end of the pipe closes some time before it is dead
    for (i in 1:100) {
        if (length(.Call(cw_r_place_leftovers, file))) break
        Sys.sleep(0.05)
    }
    left <- everything(folder)
    expect_length(left, 1)
    expect_match(left, "^\\.net\\.csv\\.part-")
    ## of this process, of another machine, of another file, of a user
    mine <- sub("-[0-9]+-([0-9]+)$", paste0("-", Sys.getpid(), "-9"), left)
    foreign <- sub("part-.{8}", "part-00000000", left)
    others <- c(mine, foreign, sub("net", "internet", left), ".net.csv.part-x",
        paste0(left, "~"), ".net.csv"
    )
    file.create(file.path(folder, others))
    .writeLines("x", file)
    expect_setequal(everything(folder), c(others, "net.csv"))
})

test_that("numbers and tables don't depend on the user's options", {
    table <- data.frame(a = c(0.1, 1e5, NA, 1e-20, 123456.789),
        b = c(1L, NA, 100000L, 0L, -5L), c = c("x,y", "\"", NA, "", "e"),
        d = factor(c("u", "v", "u", "v", "u")), e = c(TRUE, NA, FALSE, NA, NA)
    )
    want <- .csvLines(table)
    expect_identical(want[1:3], c("a,b,c,d,e", "0.1,1,\"x,y\",u,TRUE",
        "100000,NA,\"\"\"\",v,NA"
    ))
    old <- options(OutDec = ",", scipen = -50, digits = 3)
    on.exit(options(old))
    expect_identical(.csvLines(table), want)
    options(scipen = 100)
    expect_identical(.csvLines(table), want)
    expect_identical(.numberText(c(pi, -0, Inf, NaN, NA), 3L),
        c("3.14", "-0", "Inf", "NaN", "NA")
    )
    expect_identical(.csvLines(table[0, ]), want[[1]])
})

test_that("a folder takes its place in one step", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    dir <- file.path(folder, "model")
    put <- function(what) {
        .writeFolder(dir, function(part) {
            dir.create(file.path(part, "sub"))
            writeLines(what, file.path(part, "sub", "a"))
        })
    }
    put("one")
    put("two")
    expect_identical(readLines(file.path(dir, "sub", "a")), "two")
    expect_error(.writeFolder(dir, function(part) {
        file.create(file.path(part, "b"))
        stop("broken off")
    }), "broken off")
    expect_identical(everything(folder), "model")
    ## through a link; on a system without the exchange
    file.symlink("model", file.path(folder, "link"))
    dir <- file.path(folder, "link")
    ns <- asNamespace("causeway")
    put("three")
    expect_identical(Sys.readlink(dir), "model")
    expect_identical(readLines(file.path(folder, "model", "sub", "a")),
        "three"
    )
    ## killed after the old folder was moved aside
    file.rename(file.path(folder, "model"), file.path(folder, ".model.old"))
    expect_message(.findFolder(file.path(folder, "model")), "it is back")
    expect_setequal(everything(folder), c("model", "link"))
})

test_that("a folder whose files were changed is refused", {
    folder <- newFolder()
    on.exit(unlink(folder, recursive = TRUE))
    dir <- file.path(folder, "model")
    .writeFolder(dir, function(part) {
        dir.create(file.path(part, "sub"))
        writeLines("one", file.path(part, "sub", "a b"))
        writeLines("two", file.path(part, "b.json"))
    })
    expect_silent(.checkSums(dir, "path"))
    .renewSums(dir, function() writeLines("1", file.path(dir, "sub", "a b")))
    expect_silent(.checkSums(dir, "path"))
    expect_length(.listedSums(dir), 2L)
    writeLines("onE", file.path(dir, "sub", "a b"))
    expect_error(.checkSums(dir, "path"),
        "'path' is .*, where sub/a b is not what was saved .see MD5SUMS there")
    ## of files that are gone, and of lines that are none, others speak
    file.remove(file.path(dir, "sub", "a b"))
    expect_silent(.checkSums(dir, "path"))
    writeLines("2", file.path(dir, "b.json"))
    expect_warning(.checkSums(dir, "path"), "b.json is not what was saved")
    writeBin(as.raw(c(0, 255, 10, 65)), file.path(dir, "MD5SUMS"))
    expect_silent(.checkSums(dir, "path"))
})
