## How what the engine says becomes an R condition. Called from C.

.raiseEngineError <- function(status, text) {
    if (status == "interrupt") {
        ## As Ctrl-C in R code: a handler may take it, else back to the prompt.
        signalCondition(structure(
            list(message = text, call = NULL),
            class = c("interrupt", "condition")
        ))
        invokeRestart("abort")
    }
    stop(structure(
        list(message = text, call = NULL),
        class = c(paste0("causewayError_", status), "causewayError",
            "error", "condition")
    ))
}
