## Settings of the anchored method: the engine's table, checked.

.tauSettings <- function() .settingsTable(.Call(cw_r_tau_settings))

## All options of a fit, as the engine takes them.
.tauOptions <- function(settings, readout) {
    table <- .tauSettings()
    own <- table[table$argument != "readout", ]
    options <- .checkSettings(settings, own, "settings")
    if (options$minAxes > options$maxAxes) {
        .stopArgument("settings$minAxes", "is above maxAxes.")
    }
    if (options$metacells > 0 && options$metacells < 2 * options$neighbours) {
        .stopArgument("settings$metacells", "must be 0 or at least twice ",
            "'neighbours' (", options$neighbours, "); it is ",
            options$metacells, "."
        )
    }
    c(options, readout = readout)
}

## Section of the help page.
.tauSettingsHelp <- function() {
    table <- .tauSettings()
    paste(c("@section Settings of the anchored method: ",
        .settingsHelp(table[table$argument != "readout", ])
    ), collapse = "\n")
}
